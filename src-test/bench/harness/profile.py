"""./plane bench profile: where the processor time and the allocations of a warm invoke, or of a queued one, go.

Processes and threads are counted by the kernel (/proc); inside the server, JFR samples processor time (jdk.CPUTimeSample) and
allocations. Samples are shared out by java/ProfileReport.java, then scaled to microseconds and bytes of one request.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from . import machine, tools
from .loadgen import LoadGenerator
from .plane import metric, part_of
from .rows import PlaneRow

CONNECTIONS = 16
DRAIN_SECONDS_MAX = 180


def threads(pid: int) -> dict[str, float]:
    """Processor seconds by kind of thread; the kernel keeps 15 letters of a thread's name."""
    kinds: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (task / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        name = re.sub(r"[-#]?[0-9]+", "", text[text.index("(") + 1 : text.rindex(")")]).strip() or "java"
        fields = text.rpartition(")")[2].split()
        kinds[name] = kinds.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / machine.TICKS_PER_SECOND
    return kinds


def difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    found = {key: after[key] - before.get(key, 0.0) for key in after}
    return dict(sorted(((key, value) for key, value in found.items() if value > 0), key=lambda item: -item[1]))


def queueing(request: dict) -> dict:
    """The same request, queued; put off when the queue is full."""
    headers = {**request["headers"], "Prefer": "respond-async"}
    return {**request, "headers": headers, "expect": '"status":"queued"', "status": 202, "again_ms": 100}


def drained(ended: Callable[[], float]) -> None:
    """Until nothing has ended for a second: what is left in the queue would be counted to what follows."""
    until, before = time.monotonic() + DRAIN_SECONDS_MAX, ended()
    while time.monotonic() < until:
        time.sleep(1)
        if (now := ended()) == before:
            return
        before = now
    raise RuntimeError(f"the queue was not empty within {DRAIN_SECONDS_MAX} s")


def profile(warm_seconds: float, seconds: float, connections: int = CONNECTIONS, queued: bool = False) -> dict:
    recording = tools.WORK / "profile.jfr"
    recording.unlink(missing_ok=True)
    jcmd = tools.java_home() / "bin/jcmd"
    with LoadGenerator() as load, PlaneRow() as row:
        request = queueing(row.request()) if queued else row.request()

        def ended() -> float:
            return metric(row.plane, "plane_executions_seconds_count", 'status="succeeded"')

        tools.say(f"Warming up for {warm_seconds:.0f} s")
        load.run([request], connections, warm_seconds)
        server = next(pid for pid in row.processes() if part_of(machine.command_of(pid)) == "server")
        drained(ended)
        one = load.run([request], 1, seconds / 2)
        drained(ended)
        one["phases"] = json.loads(
            tools.run(tools.python(), tools.BENCH / "harness/phases.py", row.plane.data, max(10, one["completed"] // 2))
        )
        # Without a recording, but with looks into the database: what the recording itself costs is then known.
        watcher = subprocess.Popen(
            [tools.python(), tools.BENCH / "harness/watch_database.py", row.plane.data, str(seconds)], stdout=subprocess.PIPE, text=True
        )
        before = ended()
        load.run([request], connections, seconds)
        calls = ended() - before
        plain_per_second = calls / seconds
        database = json.loads(watcher.communicate(timeout=60)[0])
        database["calls"] = calls
        tools.run(
            jcmd, server, "JFR.start", "name=bench", "settings=profile", f"filename={recording}",
            "jdk.CPUTimeSample#enabled=true", "jdk.CPUTimeSample#throttle=5ms", "jdk.ObjectAllocationSample#throttle=1000/s",
        )
        parts, kinds, load_before = row.cpu_parts(), threads(server), machine.load()
        all_before, before = machine.busy_seconds(), ended()
        measured = load.run([request], connections, seconds)
        busy, calls = machine.busy_seconds() - all_before, ended() - before
        parts, kinds = difference(row.cpu_parts(), parts), difference(threads(server), kinds)
        tools.run(jcmd, server, "JFR.stop", "name=bench")
    report = json.loads(tools.run(*tools.java("ProfileReport", recording)))
    java_seconds = sum(s for name, s in kinds.items() if not re.match(r"C[12] Comp|GC|VM |JFR|G1 |Signal", name))
    return {
        "revision": tools.revision(),
        "queued": queued,
        "connections": connections,
        "seconds": seconds,
        "calls": calls,
        "per_second": calls / seconds,
        "per_second_without_recording": plain_per_second,
        "accepted": measured["completed"],
        "put_off": measured.get("put_off", 0),
        "p50_ms": measured["p50_ms"],
        "p99_ms": measured["p99_ms"],
        "load_before": load_before,
        "processors_used_by_others": (busy - sum(parts.values()) - measured["generator_cpu_seconds"]) / seconds,
        "cpu_us_per_call": {part: value / calls * 1e6 for part, value in parts.items()},
        "generator_cpu_us_per_call": measured["generator_cpu_seconds"] / calls * 1e6,
        "server_threads_us_per_call": {kind: value / calls * 1e6 for kind, value in kinds.items()},
        "server_java_us_per_call": java_seconds / calls * 1e6,
        "one_connection": one,
        "database": database,
        "collections": report["collections"],
        "cpu": report["cpu"],
        "allocation": report["allocation"],
        "allocation_bytes_per_call": report["allocation"]["total"] / calls,
    }


def show(found: dict) -> str:
    lines = [
        f"{'Queued' if found['queued'] else 'Warm'} invoke, {found['connections']} connections, {found['calls']:.0f} calls: {found['per_second']:.0f}/s "
        f"({found['per_second_without_recording']:.0f}/s without recording), p50 {found['p50_ms']:.2f} ms, "
        f"p99 {found['p99_ms']:.2f} ms; others used {found['processors_used_by_others']:.2f} processors"
        + (f"; {found['accepted']} accepted, {found['put_off']} put off" if found["queued"] else ""),
        "",
        "Processor time per call, by process (us):",
    ]
    lines += [f"  {value:8.0f}  {name}" for name, value in found["cpu_us_per_call"].items()]
    lines += [f"  {found['generator_cpu_us_per_call']:8.0f}  (load generator)", "", "Server, by kind of thread (us per call):"]
    lines += [f"  {value:8.0f}  {name}" for name, value in list(found["server_threads_us_per_call"].items())[:14]]
    one = found["one_connection"]
    lines += ["", f"One connection: p50 {one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms. Records were made, ms after the request's (median):"]
    lines += [f"  {ms:8.2f}  {kind}" for kind, ms in one["phases"]]
    base = found["database"]
    calls = base["calls"]
    lines += [
        "", f"PostgreSQL: {base['commits'] / calls:.2f} commits, {base['wal_bytes'] / calls / 1024:.1f} KiB of write-ahead log per call; "
        f"seconds of processor time by kind of backend: { {k: v / machine.TICKS_PER_SECOND for k, v in base['cpu_ticks_by_backend'].items() if v} }",
        "Statements seen running on a processor (sessions at a time):",
    ]
    lines += [f"  {share:8.3f}  {query}" for query, share in base["running"][:12]]
    lines += ["Statements seen waiting (sessions at a time):"]
    lines += [f"  {share:8.3f}  {query}" for query, share in base["waiting"][:12]]
    lines += ["Tables, per call:"]
    for table, row in base["tables"].items():
        figures = ", ".join(f"{name} {value / calls:.2f}" for name, value in row.items() if name not in ("live", "dead", "vacuums", "analyzes") and value)
        lines.append(f"  {table}: {figures}; {row['live']} live, {row['dead']} dead rows, analyzed {row['analyzes']} times")
    java = found["server_java_us_per_call"]
    lines += ["", f"Server's Java threads, {java:.0f} us per call, by part (sampled processor time):"]
    lines += [f"  {share * java:8.0f}  {share:6.1%}  {name}" for name, share in found["cpu"]["parts"]]
    lines += ["", "The same by our method nearest to the top of the stack:"]
    lines += [f"  {share * java:8.0f}  {share:6.1%}  {name}" for name, share in found["cpu"]["methods"][:24]]
    lines += ["", "The same by the frame that ran:"]
    lines += [f"  {share * java:8.0f}  {share:6.1%}  {name}" for name, share in found["cpu"]["leaves"][:20]]
    size = found["allocation_bytes_per_call"]
    lines += ["", f"Allocated, {size / 1024:.0f} KiB per call, by part:"]
    lines += [f"  {share * size / 1024:8.1f}  {share:6.1%}  {name}" for name, share in found["allocation"]["parts"]]
    lines += ["", "The same by our method (KiB per call):"]
    lines += [f"  {share * size / 1024:8.1f}  {share:6.1%}  {name}" for name, share in found["allocation"]["methods"][:20]]
    lines += ["", "The same by class (KiB per call):"]
    lines += [f"  {share * size / 1024:8.1f}  {share:6.1%}  {name}" for name, share in found["allocation"]["classes"][:12]]
    lines += ["", f"Collections: {json.dumps(found['collections'])}"]
    return "\n".join(lines) + "\n"
