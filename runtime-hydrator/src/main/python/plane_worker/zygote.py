"""The fork server: imports the bundle once, inside its jail, and forks a worker per ``spawn`` frame.

One thread, one loop over standard input and the children's ends. It never sees a token, an event or a result.
"""

import gc
import os
import platform
import re
import resource
import select
import signal
import sys
import time

from . import PROTOCOL, frames, worker

_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
_LIMITS = {"memory_bytes": (16 << 20, 1 << 40), "pids": (1, 1 << 16), "cpu_seconds": (1, 1 << 24), "file_bytes": (0, 1 << 40),
           "open_files": (16, 1 << 20), "tmp_bytes": (4096, 1 << 40), "result_bytes": (1024, 1 << 30), "log_bytes": (0, 1 << 30),
           "frame_bytes_max": (8192, 1 << 31)}
# How often the zygote looks who computes without pause, and what share of one CPU means that.
_LOOK_SECONDS = 0.25
_BUSY_SHARE = 0.6
_TICKS = os.sysconf("SC_CLK_TCK")

_WARM_UP = '''
from typing import List, Optional
from aiel_sdk import tool, agent, flow, router, http, mcp_server
from pydantic import BaseModel, Field
class Part(BaseModel):
    name: str
class Model(BaseModel):
    a: int = Field(0, description="a number")
    parts: List[Part] = []
    more: Optional[dict] = None
@tool("sync", description="warm", output_schema=Model)
def sync(ctx, payload: Model) -> dict:
    ctx.log("warm")
    return Model.model_validate(payload).model_dump()
@tool("coroutine")
async def coroutine(ctx, payload: dict) -> dict:
    return dict(payload)
'''


def preload(jail):
    """Imports the bundle and runs a trusted snapshot once, so that workers find everything in memory. Returns the versions."""
    for folder in jail.bundle:
        sys.path.append(folder)
    import asyncio
    import concurrent.futures.thread  # noqa: F401
    import importlib.metadata
    import logging  # noqa: F401
    import threading
    import aiel_runtime.runner
    import aiel_sdk
    for name in ("jsonschema", "packaging.requirements", "pydantic.json_schema"):
        try:
            __import__(name)
        except ImportError as problem:
            raise ImportError("the bundle must hold %s: %s" % (name.split(".")[0], problem)) from None
    for name in jail.imports:
        try:
            importlib.import_module(name)
        except ImportError as problem:
            raise ImportError("the bundle's imports.txt names %s: %s" % (name, problem)) from None
    if threading.active_count() > 1:
        raise ImportError("importing the bundle started a thread (%s), which a process that forks must not have"
                          % ", ".join(t.name for t in threading.enumerate() if t is not threading.main_thread()))
    from . import adapter, capture, exports, loading  # noqa: F401
    if jail.tier == "namespaces":
        _dry_run(jail.app, asyncio, adapter, exports, loading)
    gc.collect()
    gc.freeze()
    return {"sdk_version": aiel_sdk.SDK_VERSION, "runtime_version": aiel_runtime.runner.RUNTIME_VERSION}


def _dry_run(folder, asyncio, adapter, exports, loading):
    entry = os.path.join(folder, "entry_point.py")
    with open(entry, "w", encoding="utf-8") as file:
        file.write(_WARM_UP)
    modules, path = set(sys.modules), list(sys.path)
    loaded = loading.load(folder)
    from aiel_runtime import loader
    from aiel_sdk import get_registry, reset_registry
    exports.exports(get_registry(), folder)
    runs = adapter.Adapter(loaded, adapter.streams.Limits(1 << 20, 1 << 20, 1 << 20))
    loop = asyncio.new_event_loop()
    try:
        for handler, at_once in (("sync", True), ("sync", False), ("coroutine", False)):
            request = {"action": "invoke", "kind": "tool", "handler": handler, "event": {"a": 1}}
            call = runs.call(request, lambda entry: True)
            reply = call.run_at_once() if at_once else loop.run_until_complete(call.run())
            if b'"ok":true' not in reply.envelope:
                raise RuntimeError("the dry run failed: %s" % reply.envelope.decode("utf-8"))
        loop.run_until_complete(loop.shutdown_default_executor())  # no thread may be left in a process that forks
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    reset_registry()
    loader._COLD_START = True
    for name in set(sys.modules) - modules:
        if name.startswith("aiel_snapshot_") or name == "entry_point":
            del sys.modules[name]
    sys.path[:] = path
    import linecache
    linecache.clearcache()
    sys.path_importer_cache.pop(folder, None)
    os.unlink(entry)


class Zygote:
    """The loop. Its state: the workers that live, by pid and by id."""

    def __init__(self, jail, environment):
        self._jail = jail
        self._environment = environment
        self._workers = {}
        self._pids = {}
        self._slots = {}
        self._cpu_limit = {}
        self._cpu_seen = {}
        self._light = set()
        self._looked = 0.0
        self._killed = set()
        self._at_memory_limit = set()
        self._full = set()
        self._decoder = frames.Decoder()
        self._out = 1

    def send(self, message):
        data = memoryview(frames.encode(message))
        while data:
            data = data[os.write(self._out, data):]

    def serve(self, versions):
        """Says hello and works until standard input ends or ``stop`` comes. Every worker is dead and reaped when it returns."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.send({"type": "hello", "protocol": PROTOCOL, "tier": self._jail.tier, "isolation": self._jail.report(),
                   "python": platform.python_version(), "pid": os.getpid(), **versions})
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(wake_read, select.POLLIN)
        try:
            while True:
                for fd, _ in poll.poll(_LOOK_SECONDS * 1000 if self._workers else None):
                    if fd == wake_read:
                        try:
                            while os.read(wake_read, 4096):
                                pass
                        except BlockingIOError:
                            pass
                self._reap()
                self._balance()
                if any(fd == 0 for fd, _ in poll.poll(0)):
                    data = os.read(0, 65536)
                    if not data:
                        return
                    for message in self._decoder.feed(data):
                        if not self._handle(message):
                            return
        finally:
            self._end_all()

    def _handle(self, message):
        kind = message["type"]
        if kind == "spawn":
            self._spawn(message)
        elif kind == "kill":
            pid = self._pids.get(message.get("worker"))
            if pid is not None:
                self._killed.add(pid)
                if self._stands_at_memory_limit(pid, message["worker"]):
                    self._at_memory_limit.add(pid)
                os.kill(pid, signal.SIGKILL)
        elif kind == "ping":
            self.send({"type": "pong"})
        elif kind == "stop":
            return False
        else:
            raise frames.ProtocolError("unknown frame type %r" % kind)
        return True

    def _stands_at_memory_limit(self, pid, name):
        """Whether a worker that is to be killed has all the memory it may have.

        In a group: the kernel may look for pages to give up for longer than a deadline lasts, before it kills for memory. Without
        one: the interpreter may try for ever to make the number that it needs to enter an error's handler.
        """
        groups = self._jail.groups
        return _address_space_is_full(pid) if groups is None else groups.at_memory_limit(name)

    def _refusal(self, spec):
        """What is wrong with a ``spawn`` frame, or None."""
        for member in ("worker", "snapshot"):
            if not isinstance(spec.get(member), str) or not _NAME.match(spec[member]):
                return "%s must be a plain name" % member
        if spec["worker"] in self._pids:
            return "a worker of this id lives"
        if not isinstance(spec.get("nonce"), str):
            return "nonce must be a string"
        slot = spec.get("slot")
        if not isinstance(slot, int) or isinstance(slot, bool) or slot < 0 or (self._jail.slots and slot >= self._jail.slots):
            return "slot must be a number from 0 to %d" % (self._jail.slots - 1)
        if self._jail.uid_per_worker and slot in self._slots.values():
            return "slot %d is another worker's, which lives" % slot
        profile = spec.get("profile", "default")
        if profile not in self._jail.profiles():
            return "profile %s cannot be had here; these can: %s" % (profile, ", ".join(self._jail.profiles()))
        if "network" in profile.split("+") and not isinstance(spec.get("egress_nonce"), str):
            return "egress_nonce must be a string for a worker with a network"
        limits = spec.get("limits")
        if not isinstance(limits, dict):
            return "limits must be an object"
        for name, (low, high) in _LIMITS.items():
            value = limits.get(name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                return "limits.%s must be a number from %d to %d" % (name, low, high)
        verdict = spec.get("verdict")
        if verdict is not None and not (isinstance(verdict, dict) and isinstance(verdict.get("snapshot_id"), str)):
            return "verdict must be an object with a string snapshot_id"
        if not os.path.isdir(os.path.join(self._jail.store, spec["snapshot"])):
            return "no such snapshot in the store"
        return None

    def _spawn(self, spec):
        name = spec.get("worker")
        reason = self._refusal(spec)
        if reason is None:
            try:
                pid = self._fork(spec)
                self._workers[pid], self._pids[name] = name, pid
                self._slots[pid] = spec["slot"]
                self._cpu_limit[pid] = spec["limits"]["cpu_seconds"]
                self.send({"type": "spawned", "worker": name, "pid": pid})
                return
            except OSError as problem:
                reason = str(problem)
        self.send({"type": "spawn_failed", "worker": name if isinstance(name, str) else None, "reason": reason})

    def _fork(self, spec):
        groups = self._jail.groups
        if groups is not None:
            try:
                groups.add(spec["worker"], spec["limits"])
            except OSError:
                groups.end(spec["worker"])
                raise
        try:
            pid = self._jail.fork()
        except OSError:
            if groups is not None:
                groups.end(spec["worker"])
            raise
        if pid == 0 and self._jail.tier == "gvisor":
            self._jail.run(spec, self._environment)  # does not return
        if pid == 0:
            worker.run(spec, self._jail, self._environment)  # does not return
        return pid

    def _reap(self, flags=os.WNOHANG):
        while self._workers or flags == os.WNOHANG:
            try:
                pid, status, usage = os.wait4(-1, flags)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
                # Only a worker without a filter can have itself traced, and then its stops are reported here.
                os.kill(pid, signal.SIGKILL)
                continue
            name = self._workers.pop(pid, None)
            if name is None:
                continue
            del self._pids[name], self._slots[pid]
            code = os.waitstatus_to_exitcode(status)
            memory_hit, process_hit = self._jail.groups.end(name) if self._jail.groups is not None else (False, False)
            memory_hit = memory_hit or code == frames.MEMORY_EXIT or pid in self._at_memory_limit
            self._at_memory_limit.discard(pid)
            cpu_ms = int((usage.ru_utime + usage.ru_stime) * 1000)
            # The kernel counts this limit by ticks, the usage it reports exactly; so the two differ by some percent.
            cpu_hit = (code in (-signal.SIGKILL, -signal.SIGXCPU) and pid not in self._killed and not memory_hit
                       and cpu_ms >= self._cpu_limit[pid] * 800)
            del self._cpu_limit[pid]
            self._cpu_seen.pop(pid, None)
            self._light.discard(pid)
            self._full.discard(pid)
            self._killed.discard(pid)
            self.send({"type": "exited", "worker": name, "exit_code": code if code >= 0 else None,
                       "signal": -code if code < 0 else None, "memory_limit_hit": memory_hit, "process_limit_hit": process_hit,
                       "cpu_limit_hit": cpu_hit, "cpu_ms": cpu_ms, "max_rss_bytes": usage.ru_maxrss * 1024})

    def _balance(self):
        """Gives workers that compute without pause a smaller share while they do, so that the others' answers stay quick."""
        now = time.monotonic()
        elapsed = now - self._looked
        if elapsed < _LOOK_SECONDS:
            return
        self._looked = now
        for pid, name in self._workers.items():
            used = _wanted_seconds(pid)
            if used is None:
                continue
            busy = used - self._cpu_seen.get(pid, used) > elapsed * _BUSY_SHARE
            self._cpu_seen[pid] = used
            if self._jail.groups is None and self._end_if_full(pid, busy):
                continue
            if busy and pid not in self._light:
                self._light.add(pid)
                if self._jail.groups is None or not self._jail.groups.weigh(name, True):
                    _make_nice(pid)
            elif not busy and pid in self._light and self._jail.groups is not None:
                self._light.discard(pid)
                self._jail.groups.weigh(name, False)

    def _end_if_full(self, pid, busy):
        """Ends a worker that never rests and has all the memory it may have at two looks: after one it may give some back."""
        if not busy or not _address_space_is_full(pid):
            self._full.discard(pid)
            return False
        if pid not in self._full:
            self._full.add(pid)
            return False
        self._at_memory_limit.add(pid)
        os.kill(pid, signal.SIGKILL)
        return True

    def _end_all(self):
        for pid in list(self._workers):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            self._reap(0)
        except OSError:  # nobody reads any more
            pass


def _wanted_seconds(pid):
    """How long the threads of a process ran or waited for a CPU. Waiting counts: on a full machine nobody runs without pause."""
    total = 0
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, task), "rb") as file:
                ran, waited, _ = file.read().split()
            total += int(ran) + int(waited)
        return total / 1e9
    except OSError:
        pass  # it ended, or this kernel does not count
    try:
        with open("/proc/%d/stat" % pid, "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    except OSError:
        return None


def _address_space_is_full(pid):
    """Whether the limit on a process's address space leaves it not one page more."""
    try:
        limit, _ = resource.prlimit(pid, resource.RLIMIT_AS)
        with open("/proc/%d/statm" % pid, "rb") as statm:
            pages = int(statm.read().split()[0])
    except (OSError, ValueError):
        return False  # it ended meanwhile, or has become another's
    return limit != resource.RLIM_INFINITY and (pages + 1) * resource.getpagesize() > limit


def _make_nice(pid):
    """Without groups: lowers the priority of every thread. There is no way back for who has no privileges."""
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            os.setpriority(os.PRIO_PROCESS, int(task), 10)
    except (OSError, ValueError):
        pass  # it ended meanwhile
