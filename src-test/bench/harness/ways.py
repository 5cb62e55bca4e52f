"""The ways in beside the plain call: queued, streamed, followed, over gRPC. Each is compared with the plain call in the same run.

They are further measurements (see further.py) that only run when they are named: ./plane bench ways names them all.
"""

import datetime
import json
import re
import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from . import machine, tools
from .further import Context, further, percentile
from .plane import Plane, compiling_seconds, metric, server_pid
from .profile import DRAIN_SECONDS_MAX, queueing
from .rows import ADD, SUM
from .table import verdict

CLIENTS = 2_000

COMPILING_MAX = 0.05
"""Of one processor: what the compilers may still take of a server that counts as warm."""


def project(context: Context, slug: str) -> str:
    """A project with the tools of the ways in, warm, its server too: the first one of a plane is warmed for longer."""
    base = context.plane.project(slug)
    files = {"add.py": tools.PEERS / "add.py", "entry_point.py": tools.PEERS / "plane/ways.py"}
    context.plane.push(base, {name: file.read_bytes() for name, file in files.items()})
    context.plane.invoke(base, "add", {"a": 1, "b": 2})
    add = context.plane.request(base, "add", ADD, SUM)
    warm = getattr(context.plane, "warmed_for_ways", False)
    context.load.run([add], 16, 3 if warm else context.pick(10, 90))
    context.plane.warmed_for_ways = True
    return base


def settle(context: Context, slices: Callable[[], object]) -> dict:
    """Repeats the slices, which are load of all kinds that are compared, until the server's compilers have little left to do, twice in a row.

    Two ways through the same server are comparable only then: each has code of its own, and the one that was called less is still being
    compiled, on processors that its calls need. What was left at the end is among the figures.
    """
    begin, few, share, until = time.monotonic(), 0, 1.0, time.monotonic() + context.pick(10, 300)
    while few < 2 and time.monotonic() < until:
        before, slice_begin = compiling_seconds(context.plane), time.monotonic()
        slices()
        share = (compiling_seconds(context.plane) - before) / (time.monotonic() - slice_begin)
        few = few + 1 if share <= COMPILING_MAX else 0
    return {"seconds": time.monotonic() - begin, "compiling": share, "settled": few == 2}


def settled(found: dict) -> str:
    """What settle found, for the reader of the table."""
    return (
        f"warmed for {found['seconds']:.0f} s, until the compilers took {found['compiling']:.1%} of a processor"
        + ("" if found["settled"] else f" (not {COMPILING_MAX:.0%}: the limit of time came first)")
    )


# --- Queued -----------------------------------------------------------------------------------------------------------


@further("async-start", "queued to begun, nothing else running", by_default=False)
def async_start(context: Context) -> dict:
    base = project(context, "ways-start")
    begun, recorded, answered = [], [], []
    for _ in range(context.pick(60, 400)):
        before = time.time()
        queued = context.plane.expect("POST", base + "/executions", call("stamp", {}), Prefer="respond-async")
        answered.append((time.time() - before) * 1e3)
        # Who asks at once would take a processor from what begins.
        time.sleep(0.05)
        row = context.plane.expect("GET", f"{base}/executions/{queued['execution_id']}?wait=30s")
        if row["status"] != "succeeded":
            raise RuntimeError(f"a queued execution ended otherwise: {json.dumps(row)[:800]}")
        # The code's own clock is this machine's; that it runs is later than that it is on record as started.
        begun.append((row["envelope"]["result"]["at"] - before) * 1e3)
        recorded.append((datetime.datetime.fromisoformat(row["started_at"]).timestamp() - before) * 1e3)
    figures = {
        "count": len(begun), "answered_p50_ms": percentile(answered, 0.5), "started_at_p50_ms": percentile(recorded, 0.5),
        "p50_ms": percentile(begun, 0.5), "p99_ms": percentile(begun, 0.99),
    }
    return {
        "figures": figures,
        "lines": [
            f"from before the request to the code's first line: p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms "
            f"({figures['count']} one by one); answered p50 {figures['answered_p50_ms']:.1f} ms, "
            f"started_at p50 {figures['started_at_p50_ms']:.1f} ms"
        ],
        "verdicts": [verdict("queued to begun when idle, p50", figures["p50_ms"], 25, True, "ms")],
    }


@further("async-throughput", "16 who queue, beside 16 who wait", by_default=False)
def async_throughput(context: Context) -> dict:
    base = project(context, "ways-queue")
    add = context.plane.request(base, "add", ADD, SUM)
    submit = queueing(add)
    seconds = context.pick(5, 20)
    warm = settle(context, lambda: (context.load.run([add], 16, 5), sustained(context, submit, 5)))
    sync, queued = [], []
    for _ in range(context.pick(1, 3)):
        sync.append(context.load.run([add], 16, seconds))
        queued.append(sustained(context, submit, seconds))
    best_sync = max(sync, key=lambda one: one["per_second"])
    best = max(queued, key=lambda one: one["per_second"])
    ratio = best["per_second"] / best_sync["per_second"]
    return {
        "figures": {"warm": warm, "sync": sync, "queued": queued, "ratio": ratio},
        "lines": [
            settled(warm),
            f"waited for {best_sync['per_second']:.0f}/s; queued and ended {best['per_second']:.0f}/s, "
            f"{best['accepted_per_second']:.0f}/s of them accepted meanwhile and {best['put_off_per_second']:.0f}/s put off (best of {len(sync)})"
        ],
        "verdicts": [verdict("sustained throughput when queued, against waiting", ratio, 0.7, False, "×")],
    }


def sustained(context: Context, submit: dict, seconds: float) -> dict:
    """Submits all the time, and counts what has ended meanwhile. The queue has something in it throughout: it is filled before."""

    def ended() -> float:
        return metric(context.plane, "plane_executions_seconds_count", 'status="succeeded"')

    before = ended()
    filled = context.load.run([submit], 16, context.pick(3, 6))
    count, begin = ended(), time.monotonic()
    found = context.load.run([submit], 16, seconds)
    count, took = ended() - count, time.monotonic() - begin
    # A throughput is no throughput when something accepted was lost.
    accepted = filled["completed"] + found["completed"]
    until = time.monotonic() + DRAIN_SECONDS_MAX
    while ended() - before < accepted:
        if time.monotonic() > until:
            raise RuntimeError(f"{accepted} were queued, and {ended() - before:.0f} ended well within {DRAIN_SECONDS_MAX} s")
        time.sleep(0.5)
    return {
        "per_second": count / took, "accepted_per_second": found["completed"] / took, "put_off_per_second": found["put_off"] / took,
        "submit": found,
    }


def call(tool: str, event: dict, **meta: object) -> dict:
    return {"action": "invoke", "kind": "tool", "handler": tool, "event": event, **({"meta": meta} if meta else {})}


# --- Streamed and followed --------------------------------------------------------------------------------------------


@further("stream-first", "the first chunk of a stream, beside a whole plain call", by_default=False)
def stream_first(context: Context) -> dict:
    base = project(context, "ways-stream")
    plain = context.plane.request(base, "add", ADD, SUM, label="plain")
    stream = context.plane.request(base, "first", ADD, SUM, label="stream", until="event: chunk\ndata: ")
    stream["headers"]["Accept"] = "text/event-stream"
    context.load.run([plain, stream], 4, context.pick(5, 30))
    # In turn on one connection: whatever disturbs one meets the other too.
    rounds = [context.load.run([plain, stream], 1, context.pick(5, 15))["kinds"] for _ in range(context.pick(1, 3))]
    best = min(rounds, key=lambda kinds: kinds["stream"]["p50_ms"])
    ratio = best["stream"]["p50_ms"] / best["plain"]["p50_ms"]
    return {
        "figures": {"rounds": rounds, "ratio": ratio},
        "lines": [
            f"{name} p50 {best[kind]['p50_ms']:.2f} ms, p99 {best[kind]['p99_ms']:.2f} ms ({best[kind]['count']} calls)"
            for name, kind in (("first chunk", "stream"), ("plain call ", "plain"))
        ],
        "verdicts": [verdict("first chunk against a plain call, p50", ratio, 1.5, True, "×")],
    }


class Followers:
    """Clients that follow one execution and have nothing to do: sockets, read by one thread."""

    def __init__(self, url: str, path: str, token: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
        ).encode()
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        self._stop = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.ended = 0

    def add(self) -> None:
        """One more, which has its first record when this returns."""
        one = socket.create_connection(self._address, 10)
        self._sockets.append(one)
        one.settimeout(20)
        one.sendall(self._request)
        some = b""
        while b"event: record" not in some:
            more = one.recv(16_384)
            some += more
            if not more or not some.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"a follower was answered: {some[:400]!r}")
        one.setblocking(False)
        self._selector.register(one, selectors.EVENT_READ)

    def begin(self) -> None:
        self._reader.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.5):
                try:
                    more = key.fileobj.recv(16_384)
                except OSError:
                    more = b""
                if not more:
                    self.ended += 1
                    self._selector.unregister(key.fileobj)

    def close(self) -> None:
        self._stop.set()
        if self._reader.is_alive():
            self._reader.join(10)
        for one in self._sockets:
            one.close()


def server_memory(plane: Plane) -> dict[str, float]:
    """The server's memory when its heap holds nothing that nobody uses: what is live there, and PSS."""
    pid = server_pid(plane)
    jcmd = tools.java_home() / "bin/jcmd"
    live = []
    for _ in range(3):
        tools.run(jcmd, pid, "GC.run", limit=60)
        total = re.search(r"^Total\s+\d+\s+(\d+)", tools.run(jcmd, pid, "GC.class_histogram", limit=60), re.MULTILINE)
        live.append(int(total.group(1)) / 2**20)
        time.sleep(1)
    return {"live_mib": min(live), "pss_mib": machine.memory_mib([pid], "Pss"), "rss_mib": machine.memory_mib([pid], "Rss")}


@further("stream-idle", "the server's memory for idle followers of an execution", by_default=False)
def stream_idle(context: Context) -> dict:
    base = project(context, "ways-idle")
    clients = context.pick(CLIENTS // 10, CLIENTS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise tools.Missing(f"{wanted} open files are needed, and this machine allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    queued = context.plane.expect(
        "POST", base + "/executions", call("nap", {"seconds": 900}, timeout_ms=900_000), Prefer="respond-async"
    )
    events = f"{base}/executions/{queued['execution_id']}/events"
    followers = Followers(context.plane.url, events, context.plane.token)
    try:
        # The first ones load what all need.
        for _ in range(20):
            followers.add()
        before = server_memory(context.plane)
        for _ in range(clients):
            followers.add()
        followers.begin()
        # Past a heartbeat of 15 s, so that each has written once more than its first records.
        time.sleep(context.pick(5, 30))
        after = server_memory(context.plane)
        there = metric(context.plane, "plane_followers")
        if there != clients + 20 or followers.ended:
            raise RuntimeError(f"{clients + 20} were to follow, and {there:.0f} do; {followers.ended} were ended")
    finally:
        followers.close()
        context.plane.expect("POST", f"{base}/executions/{queued['execution_id']}:cancel", b"")
    grown = {key: after[key] - before[key] for key in before}
    # Whichever is larger: memory that the heap had anyway shows in the one, memory outside the heap in the other.
    cost = max(grown["live_mib"], grown["pss_mib"])
    return {
        "figures": {"clients": clients, "before": before, "after": after, "grown": grown, "kib_each": cost * 1024 / clients},
        "lines": [
            f"{clients} clients: live heap {grown['live_mib']:+.1f} MiB, PSS {grown['pss_mib']:+.1f} MiB; "
            f"{cost * 1024 / clients:.1f} KiB each"
            + ("" if clients == CLIENTS else f" (short form: the target counts {CLIENTS} such)")
        ],
        "verdicts": [verdict(f"{CLIENTS:,} idle followers, server's memory", cost * CLIENTS / clients, 60, True, "MiB")],
    }


# --- gRPC -------------------------------------------------------------------------------------------------------------


def grpc_against_http(kinds: dict) -> float:
    return kinds["grpc"]["p50_ms"] / kinds["http"]["p50_ms"]


@further("grpc", "gRPC beside HTTP, one connection", needs_plane=False, by_default=False)
def grpc(context: Context) -> dict:
    port = tools.free_port()
    with Plane(settings={"plane.grpc.port": str(port)}) as plane:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            return {"figures": {"there": False}, "lines": ["not there: this server does not offer gRPC"]}
        context = Context(context.quick, context.load, plane)
        base = project(context, "ways-grpc")
        plain = plane.request(base, "add", ADD, SUM, label="http")
        workspace, name = re.fullmatch(r"/v1/workspaces/([^/]+)/projects/([^/]+)", base).groups()
        call_of = {
            "label": "grpc", "url": f"http://127.0.0.1:{port}/aiel.plane.v1.ExecutionService/Invoke", "body": ADD, "expect": SUM,
            "headers": {"Content-Type": "application/grpc", "TE": "trailers", "Authorization": f"Bearer {plane.token}"},
            "grpc": {"workspace": workspace, "project": name, "name": "add"},
        }
        context.load.run([plain, call_of], 4, context.pick(5, 30))
        # Then as it is measured: alone on its connection a call takes other paths than beside three.
        warm = settle(context, lambda: context.load.run([plain, call_of], 1, context.pick(5, 15)))
        rounds = [context.load.run([plain, call_of], 1, context.pick(5, 15))["kinds"] for _ in range(context.pick(1, 3))]
    # The middle one: the best of several is met now and then by what differs between rounds alone.
    middle = sorted(rounds, key=grpc_against_http)[len(rounds) // 2]
    ratio = grpc_against_http(middle)
    return {
        "figures": {"there": True, "warm": warm, "rounds": rounds, "ratio": ratio},
        "lines": [
            settled(warm),
            *(
                f"{name} p50 {middle[kind]['p50_ms']:.2f} ms, p99 {middle[kind]['p99_ms']:.2f} ms ({middle[kind]['count']} calls)"
                for name, kind in (("gRPC", "grpc"), ("HTTP", "http"))
            ),
        ],
        "verdicts": [verdict("gRPC against HTTP, p50", ratio, 1.0, True, "×")],
    }


NAMES = ("async-start", "stream-first", "async-throughput", "stream-idle", "grpc")
