"""Integrations: a call from inside a worker beside the same call from outside, and what connections cost that nobody uses.

They are further measurements (see further.py).
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import machine, tools
from .further import Context, further, percentile
from .plane import Plane, part_of
from .table import verdict
from .ways import server_memory

CONNECTIONS = 200
IDLE_TIMEOUT_S = 3
SETTINGS = {
    "plane.integration.private-hosts": "127.0.0.1",
    "plane.integration.calls-per-minute": "1000000",
    "plane.integration.project-max": str(CONNECTIONS + 50),
    "plane.integration.idle-timeout": f"{IDLE_TIMEOUT_S}S",
}


class Outside:
    """The outside system: the PostgreSQL that the plane brought along, by the plane's own role."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        lines = (plane.data / "postgres/credentials.properties").read_text().splitlines()
        self._password = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))["plane"]
        self._port = int((plane.data / "postgres/data/postmaster.pid").read_text().splitlines()[3])

    def connect(self, base: str, name: str) -> str:
        """A connection, ready; returns the path that invokes its query."""
        draft = {
            "provider": "postgres", "display_name": name, "allowed_actions": ["postgres.query"], "granted_actions": ["postgres.query"],
            "settings": {"host": "127.0.0.1", "port": self._port, "database": "plane", "user": "plane", "ssl": "disable"},
        }
        made = self._plane.expect("POST", base + "/integrations", draft)
        path = f"{base}/integrations/{made['connection_id']}"
        self._plane.expect("PUT", path + "/credentials", {"password": self._password})
        return path + "/action/postgres.query:invoke"

    def sessions(self) -> int:
        """Connections of the server to it that are open, its own pool's too."""
        return sum(1 for remote, state in _sockets(server(self._plane)) if remote == self._port and state == "01")


def _sockets(pid: int) -> Iterator[tuple[int, str]]:
    """Remote port and state of the TCP connections of a process; a socket of IPv6 may carry IPv4."""
    own = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            own.add(str(link.readlink()))
        except FileNotFoundError:
            continue
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in own:
                yield int(fields[2].rpartition(":")[2], 16), fields[3]


def server(plane: Plane) -> int:
    return next(pid for pid in plane.processes() if part_of(machine.command_of(pid)) == "server")


def from_outside(plane: Plane, path: str, count: int) -> list[float]:
    """The same program, run by an interpreter of this machine beside the plane."""
    program = tools.PEERS / "plane/asks.py"
    return json.loads(tools.run(sys.executable, program, plane.url, path, count, input=plane.token))


def from_inside(plane: Plane, base: str, path: str, count: int) -> list[float]:
    return plane.invoke(base, "ask", {"path": path, "count": count}, 600_000)[1]["result"]["took"]


@further("integration-inside", "an integration call from inside a worker beside the same from outside", settings=SETTINGS)
def integration_inside(context: Context) -> dict:
    plane = context.plane
    base = plane.project("integration-inside")
    plane.expect("PUT", base + "/settings", {"worker_api": True})
    plane.push(
        base,
        {name: (tools.PEERS / "plane" / file).read_bytes() for name, file in (("asks.py", "asks.py"), ("entry_point.py", "integrations.py"))},
    )
    path = Outside(plane).connect(base, "Inside")
    count = context.pick(200, 1_000)
    # Until the server's code for both ways is compiled: the longer of the two forms takes about a minute.
    for _ in range(context.pick(2, 8)):
        from_outside(plane, path, count)
        from_inside(plane, base, path, count)
    # In turn: whatever disturbs one meets the other too.
    rounds = [
        {"outside": from_outside(plane, path, count), "inside": from_inside(plane, base, path, count)} for _ in range(context.pick(3, 5))
    ]
    figures = {
        way: {
            "p50_ms": min(statistics.median(one[way]) for one in rounds),
            "p99_ms": min(percentile(one[way], 0.99) for one in rounds),
        }
        for way in ("outside", "inside")
    }
    ratio = figures["inside"]["p50_ms"] / figures["outside"]["p50_ms"]
    return {
        "figures": {**figures, "rounds": len(rounds), "calls": count, "ratio": ratio},
        "lines": [
            f"{way:<7} p50 {figures[way]['p50_ms']:.2f} ms, p99 {figures[way]['p99_ms']:.2f} ms "
            f"(postgres.query of select 1, best of {len(rounds)} × {count} calls)"
            for way in ("outside", "inside")
        ],
        "verdicts": [verdict("an integration call from inside a worker against outside, p50", ratio, 1.6, True, "×")],
    }


def at_rest(context: Context, outside: Outside) -> dict[str, float]:
    """What the server holds and does when nobody asks it for anything."""
    memory = server_memory(context.plane)
    # The collections above keep the processors busy for a moment longer.
    time.sleep(2)
    pids = context.plane.processes()
    seconds = context.pick(10, 60)
    begin, used = time.monotonic(), machine.cpu_seconds(pids)
    time.sleep(seconds)
    return {
        **memory,
        "sessions": outside.sessions(),
        "busy_ms_per_s": (machine.cpu_seconds(pids) - used) * 1e3 / (time.monotonic() - begin),
    }


@further("integration-idle", "200 connections that were used and are not any more", settings=SETTINGS)
def integration_idle(context: Context) -> dict:
    plane = context.plane
    base = plane.project("integration-idle")
    outside = Outside(plane)
    # The first ones load what all need.
    first = outside.connect(base, "First")
    for _ in range(context.pick(2, 10)):
        from_outside(plane, first, 200)
    for number in range(10):
        from_outside(plane, outside.connect(base, f"Early {number}"), 2)
    time.sleep(IDLE_TIMEOUT_S + 3)
    before = at_rest(context, outside)
    for number in range(CONNECTIONS):
        from_outside(plane, outside.connect(base, f"Idle {number}"), 2)
    at_most = outside.sessions()
    time.sleep(IDLE_TIMEOUT_S + 3)
    after = at_rest(context, outside)
    grown = {key: after[key] - before[key] for key in before}
    # Audit records of making them are still written when the last is made, and its own pool may have grown by that.
    return {
        "figures": {"connections": CONNECTIONS, "before": before, "after": after, "grown": grown, "sessions_while_used": at_most},
        "lines": [
            f"{CONNECTIONS} connections: live heap {grown['live_mib']:+.2f} MiB, PSS {grown['pss_mib']:+.1f} MiB, "
            f"processor time {grown['busy_ms_per_s']:+.1f} ms/s (before {before['busy_ms_per_s']:.1f})",
            f"sessions with the database, the server's own too: {before['sessions']:.0f} before, {at_most} while they were used, "
            f"{after['sessions']:.0f} after",
        ],
        "verdicts": [
            verdict("sessions that 200 idle connections hold", grown["sessions"], 0, True, ""),
            verdict("live heap that 200 idle connections hold", grown["live_mib"], 2, True, "MiB"),
            verdict("processor time of 200 idle connections, of one processor", grown["busy_ms_per_s"] / 10, 1, True, "%"),
        ],
    }
