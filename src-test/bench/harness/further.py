"""The further measurements. Each is a plug-in: a name, a title and a function that returns figures, lines to print and verdicts.

Most ask a running plane. Those that need no settings of their own share one; the others name their settings and get a plane each.
"""

import concurrent.futures
import json
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import machine, tools
from .loadgen import LoadGenerator
from .plane import Plane, bench_files, part_of
from .rows import ADD, SUM
from .table import verdict


@dataclass(frozen=True)
class Context:
    """What a measurement may use. The plane is there only for those that ask for one."""

    quick: bool
    load: LoadGenerator
    plane: Plane | None = None

    def pick(self, quick, full):
        return quick if self.quick else full

    def project(self, slug: str, files: dict[str, bytes] | None = None) -> str:
        base = self.plane.project(slug)
        self.plane.push(base, files or bench_files())
        self.plane.invoke(base, "add", {"a": 1, "b": 2})
        return base


@dataclass(frozen=True)
class Further:
    name: str
    title: str
    measure: Callable[[Context], dict]
    needs_plane: bool = True
    settings: dict[str, str] = field(default_factory=dict)
    by_default: bool = True


ALL: dict[str, Further] = {}


def further(name: str, title: str, **options) -> Callable:
    def register(measure: Callable[[Context], dict]) -> Callable:
        ALL[name] = Further(name, title, measure, **options)
        return measure

    return register


def run(names: list[str], quick: bool, load: LoadGenerator) -> dict[str, dict]:
    found: dict[str, dict] = {}

    def one(measurement: Further, plane: Plane | None) -> None:
        tools.say(f"{measurement.name} …")
        begin, busy = time.monotonic(), machine.busy_seconds()
        try:
            figures = measurement.measure(Context(quick, load, plane))
        except Exception as e:  # noqa: BLE001 (a mistake in one of them too)
            # One that fails says so in the table; the others are still worth having.
            tools.say(f"  failed: {type(e).__name__}: {e}")
            figures = {"failed": str(e), "lines": [f"failed: {str(e)[:300]}"]}
        took = time.monotonic() - begin
        found[measurement.name] = {
            "title": measurement.title, "load": machine.load(),
            "processors_used_in_all": (machine.busy_seconds() - busy) / took, "seconds": took, **figures,
        }

    chosen = [ALL[name] for name in names]
    for measurement in chosen:
        if not measurement.needs_plane:
            one(measurement, None)
    shared = [measurement for measurement in chosen if measurement.needs_plane and not measurement.settings]
    if shared:
        with Plane() as plane:
            for measurement in shared:
                one(measurement, plane)
    for measurement in chosen:
        if measurement.needs_plane and measurement.settings:
            with Plane(settings=measurement.settings) as plane:
                one(measurement, plane)
    return found


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


# --- Parts alone ------------------------------------------------------------------------------------------------------


@further("decisions", "the default policy in process, one thread", needs_plane=False)
def decisions(context: Context) -> dict:
    rounds = context.pick(100_000, 400_000)
    best = max(
        (json.loads(tools.run(*tools.java("Decisions", rounds)).splitlines()[-1]) for _ in range(context.pick(1, 3))),
        key=lambda figures: figures["per_second"],
    )
    return {
        "figures": best,
        "lines": [
            f"{best['per_second']:,.0f}/s, p50 {best['p50_us']:.1f} us, p99 {best['p99_us']:.1f} us, "
            f"{best['cpu_us']:.1f} us of processor time each"
        ],
        "verdicts": [
            verdict("a decision, p50", best["p50_us"], 50, True, "us"),
            verdict("decisions on one thread", best["per_second"], 20_000, False, "/s"),
        ],
    }


@further("worker-start", "fork → describe done in the sandbox, beside a cold runner", needs_plane=False)
def worker_start(context: Context) -> dict:
    files = [tools.PEERS / "add.py", tools.PEERS / "plane/entry_point.py"]
    # Unix sockets want a short path.
    data = tools.WORK / "hydrator"
    warm = json.loads(tools.run(*tools.java("WorkerStart", data, context.pick(40, 200), *files)).splitlines()[-1])
    project = tools.WORK / "run/runner"
    project.mkdir(parents=True, exist_ok=True)
    for file in files:
        (project / file.name).write_bytes(file.read_bytes())
    cold = []
    for round_number in range(context.pick(5, 15)):
        begin = time.monotonic()
        out = tools.run(
            tools.python(), "-m", "aiel_runtime.runner", "--files-root", project, input='{"action": "describe"}', cwd=project
        )
        if round_number:  # the first one writes .pyc files
            cold.append((time.monotonic() - begin) * 1e3)
        if not json.loads(out).get("ok"):
            raise RuntimeError(f"the runner did not describe: {out[:500]}")
    ratio = statistics.median(cold) / warm["p50_ms"]
    return {
        "figures": {"worker": warm, "cold_runner_p50_ms": statistics.median(cold), "ratio": ratio},
        "lines": [
            f"worker p50 {warm['p50_ms']:.1f} ms, p99 {warm['p99_ms']:.1f} ms; "
            f"python -m aiel_runtime.runner p50 {statistics.median(cold):.0f} ms"
        ],
        "verdicts": [verdict("worker start against the cold runner", ratio, 10, False, "×")],
    }


@further("up", "./plane up to ready, when built", needs_plane=False)
def up(context: Context) -> dict:
    with Plane(with_bundle=False) as plane:
        first = plane.ready_seconds
        again = []
        for _ in range(context.pick(1, 3)):
            plane.stop()
            plane.start()
            again.append(plane.ready_seconds)
    return {
        "figures": {"first_seconds": first, "again_seconds": again},
        "lines": [
            f"{min(again):.1f} s on existing data (best of {len(again)}); the very first, which unpacks PostgreSQL and installs "
            f"the worker bundle, {first:.1f} s"
        ],
        "verdicts": [verdict("up to ready", min(again), 10, True, "s")],
    }


# --- Of a running plane -----------------------------------------------------------------------------------------------


@further("idle-worker", "memory of a warm, idle worker")
def idle_worker(context: Context) -> dict:
    base = context.project("idle")
    for i in range(50):
        context.plane.invoke(base, "add", {"a": i, "b": 1})
    time.sleep(1)
    rolls = [roll for roll in map(machine.rollup, context.plane.workers()) if roll]
    if not rolls:
        raise RuntimeError("no worker is warm")
    figures = {key.lower() + "_mib": statistics.median(roll[key] for roll in rolls) / 1024 for key in ("Rss", "Pss", "Private")}
    return {
        "figures": {**figures, "workers": len(rolls)},
        "lines": [
            f"private {figures['private_mib']:.1f} MiB, PSS {figures['pss_mib']:.1f} MiB, RSS {figures['rss_mib']:.1f} MiB "
            f"(median of {len(rolls)})"
        ],
        "verdicts": [verdict("an idle worker's private memory", figures["private_mib"], 9, True, "MiB")],
    }


@further("sizes", "results of 1 KiB, 100 KiB and 5 MiB")
def sizes(context: Context) -> dict:
    base = context.project("sizes")
    figures, lines = {}, []
    for name, size in (("1 KiB", 1 << 10), ("100 KiB", 100 << 10), ("5 MiB", 5 << 20)):
        request = context.plane.request(base, "bulk", json.dumps({"bytes": size}), "", bytes_min=size)
        context.load.run([request], 1, context.pick(3, 10))
        found = context.load.run([request], 1, context.pick(4, 10))
        beside = context.load.run([request], 4, context.pick(4, 10))
        figures[name] = {"one": found, "four": beside}
        lines.append(
            f"{name:>8}: p50 {found['p50_ms']:8.2f} ms, p99 {found['p99_ms']:8.2f} ms; four connections {beside['per_second']:7.1f}/s, "
            f"{beside['per_second'] * size / 2**20:7.1f} MiB/s"
        )
    return {"figures": figures, "lines": lines}


@further("slow-mix", "10 % of calls sleep 1 s: what the other 90 % notice")
def slow_mix(context: Context) -> dict:
    base = context.project("mix")
    fast = context.plane.request(base, "add", ADD, SUM, label="fast", share=9)
    slow = context.plane.request(base, "nap", '{"seconds":1,"a":${a},"b":${b}}', SUM, label="slow", share=1)
    seconds = context.pick(8, 30)
    # Three naps a second keep three of the eight workers busy; more than eight would only measure the queue.
    rate = 30.0
    context.load.run([fast, slow], 32, context.pick(5, 15), rate)
    alone = context.load.run([fast], 32, seconds, rate * 0.9)
    mixed = context.load.run([fast, slow], 32, seconds, rate)
    beside = mixed["kinds"]["fast"]
    return {
        "figures": {"alone": alone, "mixed": mixed, "p50_ratio": beside["p50_ms"] / alone["p50_ms"], "p99_ratio": beside["p99_ms"] / alone["p99_ms"]},
        "lines": [
            f"fast calls alone   p50 {alone['p50_ms']:7.2f} ms, p99 {alone['p99_ms']:8.2f} ms",
            f"beside slow ones   p50 {beside['p50_ms']:7.2f} ms, p99 {beside['p99_ms']:8.2f} ms  ({rate:.0f} calls/s in all)",
            f"the slow ones      p50 {mixed['kinds']['slow']['p50_ms']:7.2f} ms, p99 {mixed['kinds']['slow']['p99_ms']:8.2f} ms",
        ],
    }


@further("cold", "the first call after a push: seal, validate, deploy, fork, run")
def cold(context: Context) -> dict:
    base = context.project("cold")
    files = bench_files()
    took = []
    for i in range(context.pick(15, 100)):
        changed = files["add.py"] + f"\n# version {i}\n".encode()
        context.plane.push(base, {**files, "add.py": changed})
        seconds, _ = context.plane.invoke(base, "add", {"a": i, "b": 1})
        took.append(seconds * 1e3)
    figures = {"calls": len(took), "p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99), "min_ms": min(took)}
    return {
        "figures": figures,
        "lines": [f"p50 {figures['p50_ms']:.0f} ms, p99 {figures['p99_ms']:.0f} ms over {len(took)} pushes"],
    }


@further(
    "warm-workers", "memory of 1, 10, 100 and 1,000 warm workers",
    settings={
        "plane.hydrator.workers-max": "1024", "plane.hydrator.workers-per-project-max": "1024",
        "plane.hydrator.workers-per-snapshot-max": "1024", "plane.hydrator.queue-wait-max": "120S",
        "plane.hydrator.start-time-max": "120S",
    },
)
def warm_workers(context: Context) -> dict:
    base = context.project("warm")
    figures, lines = {}, []
    for count in context.pick((1, 10), (1, 10, 100, 1000)):
        free = available_mib()
        if free < 3000 + 12 * count:
            lines.append(f"{count:5}: left out, {free:.0f} MiB are free")
            continue
        begin = time.monotonic()
        # As many calls at once as workers are wanted, twenty more each second; each sleeps until the last has its worker.
        nap = 2 + count * 0.1
        with concurrent.futures.ThreadPoolExecutor(count) as calls:
            asked = []
            for i in range(count):
                asked.append(calls.submit(context.plane.invoke, base, "nap", {"seconds": nap, "a": 1, "b": i}, 600_000))
                time.sleep(0.05)
            for done in asked:
                done.result()
        workers = context.plane.workers()
        rolls = [roll for roll in map(machine.rollup, workers) if roll]
        found = {
            "workers": len(rolls),
            "private_mib": sum(roll["Private"] for roll in rolls) / 1024,
            "pss_mib": sum(roll["Pss"] for roll in rolls) / 1024,
            "used_of_the_machine_mib": free - available_mib(),
            "seconds": time.monotonic() - begin,
        }
        figures[str(count)] = found
        lines.append(
            f"{found['workers']:5} warm: {found['pss_mib']:8.0f} MiB PSS, {found['pss_mib'] / len(rolls):5.1f} each; "
            f"private {found['private_mib'] / len(rolls):5.1f} each"
        )
    return {"figures": figures, "lines": lines}


def available_mib() -> float:
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 1024


@further("growth", "10 k, 100 k and 1 M executions and audit records in the tables")
def growth(context: Context) -> dict:
    base = context.project("growth")
    add = context.plane.request(base, "add", ADD, SUM)
    context.load.run([add], 4, context.pick(5, 30))
    query = {
        "method": "GET", "url": context.plane.url + "/v1/audit/events?type=execution.requested&order=newest&limit=50",
        "headers": {"Authorization": f"Bearer {context.plane.token}"}, "body": "", "expect": '"events"',
    }
    figures, lines = {}, []
    for count in context.pick((10_000, 100_000), (10_000, 100_000, 1_000_000)):
        rows = json.loads(
            tools.run(tools.python(), tools.BENCH / "harness/fill.py", context.plane.data, count, limit=1200).splitlines()[-1]
        )
        seconds = context.pick(4, 15)
        context.load.run([add], 1, 2)
        invoke = context.load.run([add], 1, seconds)
        audit = context.load.run([query], 1, seconds)
        figures[str(count)] = {"rows": rows, "invoke": invoke, "audit_query": audit}
        lines.append(
            f"{count:>9,}: invoke p50 {invoke['p50_ms']:7.2f} ms, p99 {invoke['p99_ms']:7.2f} ms; "
            f"audit query (50 newest of a type) p50 {audit['p50_ms']:7.2f} ms, p99 {audit['p99_ms']:7.2f} ms"
        )
    small, large = (figures[key] for key in (min(figures, key=int), max(figures, key=int)))
    found = [
        verdict(f"{what}, p50, {max(figures, key=int)} rows against {min(figures, key=int)}", large[key]["p50_ms"] / small[key]["p50_ms"], 1.3, True, "×")
        for what, key in (("an invoke", "invoke"), ("an audit query", "audit_query"))
    ]
    return {"figures": figures, "lines": lines, "verdicts": found}


@further("rotation", "1, 10 and 100 projects in rotation, more than there are worker slots")
def rotation(context: Context) -> dict:
    projects: list[str] = []
    figures, lines = {}, []
    for count in context.pick((1, 10), (1, 10, 100)):
        while len(projects) < count:
            files = bench_files()
            files["add.py"] += f"\n# project {len(projects)}\n".encode()
            projects.append(context.project(f"rotation-{len(projects)}", files))
        requests = [context.plane.request(base, "add", ADD, SUM, label=str(i)) for i, base in enumerate(projects)]
        context.load.run(requests, 4, context.pick(3, 10))
        found = context.load.run(requests, 4, context.pick(5, 20))
        found.pop("kinds")
        figures[str(count)] = found
        lines.append(
            f"{count:4} projects: {found['per_second']:7.0f}/s at 4 connections, p50 {found['p50_ms']:8.2f} ms, p99 {found['p99_ms']:8.2f} ms"
        )
    return {"figures": figures, "lines": lines}


MEMORY_THREADS = 64
MEMORY_CLIENTS = 32


@further("memory", f"messages appended and states patched: one client, and {MEMORY_CLIENTS}")
def memory(context: Context) -> dict:
    """Each round has threads of its own: one may have 10,000 messages, and the last of a round is to cost what the first did."""
    base = context.plane.project("memory")
    calls = {
        "append": ("POST", "messages:append", '{"messages":[{"role":"human","content":"${a} and ${b} are numbers."}]}', '"thread_id"'),
        "patch": ("PUT", "state", '{"patch":{"stage":"research","step":${a},"sum":${b}}}', '"stage":"research"'),
    }

    def requests(what: str, round_number: int) -> list[dict]:
        method, call, body, expect = calls[what]
        return [
            {
                "method": method, "url": f"{context.plane.url}{base}/memory/thread/{what}-{round_number}-{i}/{call}",
                "headers": {"Authorization": f"Bearer {context.plane.token}"}, "body": body, "expect": expect, "label": str(i),
            }
            for i in range(MEMORY_THREADS)
        ]

    figures, lines, found = {}, [], []
    for what in calls:
        context.load.run(requests(what, 0), MEMORY_CLIENTS, context.pick(5, 30))
    for what in calls:
        seconds = context.pick(4, 10)
        ones, manys = [], []
        for round_number in range(1, context.pick(2, 4)):
            ones.append(context.load.run(requests(what, round_number), 1, seconds))
            manys.append(context.load.run(requests(what, round_number), MEMORY_CLIENTS, seconds))
        one, many = min(ones, key=lambda run: run["p50_ms"]), max(manys, key=lambda run: run["per_second"])
        for run in (one, many):
            run.pop("kinds")
        figures[what] = {"one": one, "many": many}
        lines.append(
            f"{what:>6}: one client p50 {one['p50_ms']:6.2f} ms, p99 {one['p99_ms']:7.2f} ms; {MEMORY_CLIENTS} clients "
            f"{many['per_second']:7.0f}/s, p50 {many['p50_ms']:6.2f} ms, p99 {many['p99_ms']:7.2f} ms"
        )
        found.append(verdict(f"memory: {what}, one client, p50", one["p50_ms"], 4, True, "ms"))
        found.append(verdict(f"memory: {what}, {MEMORY_CLIENTS} clients", many["per_second"], 1000, False, "/s"))
    return {"figures": figures, "lines": lines, "verdicts": found}


@further("soak", "ten minutes at 70 % of peak", by_default=False)
def soak(context: Context) -> dict:
    base = context.project("soak")
    add = context.plane.request(base, "add", ADD, SUM)
    context.load.run([add], 16, context.pick(10, 60))
    peak = context.load.run([add], 16, context.pick(5, 20))["per_second"]
    seconds = context.pick(60, 600)
    samples: list[dict[str, float]] = []
    stop = threading.Event()

    def watch() -> None:
        begin = time.monotonic()
        while not stop.wait(context.pick(2, 10)):
            parts: dict[str, float] = {"at": time.monotonic() - begin}
            for pid in context.plane.processes():
                part = part_of(machine.command_of(pid))
                parts[part] = parts.get(part, 0.0) + machine.memory_mib([pid], "Pss")
            samples.append(parts)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        found = context.load.run([add], 64, seconds, 0.7 * peak)
    finally:
        stop.set()
        watcher.join(30)
    quarter = max(1, len(samples) // 4)
    # The first quarter is left out: heaps and caches still fill.
    early = statistics.median(sum(v for k, v in s.items() if k != "at") for s in samples[quarter : 2 * quarter])
    late = statistics.median(sum(v for k, v in s.items() if k != "at") for s in samples[-quarter:])
    return {
        "figures": {"peak_per_second": peak, "rate": 0.7 * peak, "load": found, "memory_mib": samples, "early_mib": early, "late_mib": late},
        "lines": [
            f"{found['completed']} calls at {0.7 * peak:.0f}/s for {seconds} s: p50 {found['p50_ms']:.2f} ms, p99 {found['p99_ms']:.2f} ms, "
            f"longest {found['max_ms']:.0f} ms, no wrong answer",
            f"memory of all processes {early:.0f} MiB in the second quarter, {late:.0f} MiB in the last",
        ],
        "verdicts": [verdict("memory, last quarter against the second", late / early, 1.1, True, "×")],
    }


