"""The forked worker: connects, closes its walls, loads one snapshot, and serves one call at a time until its socket ends.

Runs in a child of the zygote, which never returns from :func:`run`.
"""

import asyncio
import gc
import json
import os
import resource
import signal
import socket
import sys
import time

from . import frames

_HOME = "/tmp"
_CREDENTIALS = ".config/aiel/credentials.json"


def run(spec, jail, base_environment):
    """Everything a worker does. ``spec`` is the ``spawn`` frame. Ends the process."""
    status = 70
    channel = None
    try:
        parent = os.getppid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
        channel = _connect(jail.socket)
        channel.sendall(frames.encode({"type": "hello", "worker": spec["worker"], "nonce": spec["nonce"]}))
        if jail.groups is not None:
            jail.groups.join(spec["worker"])
        _close_all_but(channel)
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("500")  # when memory runs out, a worker goes before the server
        limits = spec["limits"]
        jail.enter(spec["snapshot"], int(spec["slot"]), limits, parent)
        os.environ.clear()
        os.environ.update(base_environment)
        os.environ["EP_FILES_ROOT"] = jail.app
        if jail.tier == "namespaces":
            os.environ.update(HOME=_HOME, TMPDIR=_HOME)
        gc.enable()
        Worker(channel, jail, limits, spec.get("verdict")).serve()
        status = 0
    except BaseException as problem:  # the frame below is the only way to tell
        text = "worker could not start: %s: %s" % (type(problem).__name__, problem)
        if channel is not None:
            try:
                channel.sendall(frames.encode({"type": "load_failed", "errors": [
                    {"code": "WORKER_START_FAILED", "message": text, "file": None, "line": None}]}))
            except OSError:
                pass
        try:
            os.write(2, (text + "\n").encode("utf-8", "replace"))
        except OSError:
            pass
    finally:
        os._exit(status)


def _connect(path):
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.connect(path)
    except OSError as problem:
        if "too long" not in str(problem):
            raise
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_CLOEXEC)
        try:
            channel.connect("/proc/self/fd/%d/%s" % (folder, os.path.basename(path)))
        finally:
            os.close(folder)
    return channel


def _close_all_but(channel):
    """Leaves /dev/null on 0, 1 and 2, and the socket. Whatever else the zygote had open is not the worker's."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    keep = channel.fileno()
    high = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    high = 1 << 20 if high in (resource.RLIM_INFINITY, -1) else min(high, 1 << 20)
    os.closerange(3, keep)
    os.closerange(keep + 1, high)


class Worker:
    """Owns the socket and the event loop."""

    def __init__(self, channel, jail, limits, verdict):
        self._channel = channel
        self._jail = jail
        self._limits = limits
        self._verdict = verdict
        self._decoder = frames.Decoder(int(limits.get("frame_bytes_max") or frames.DEFAULT_MAX))
        self._frame_max = self._decoder.bytes_max
        self._loop = None
        self._task = None
        self._call = None
        self._in_handler = False
        self._environment = dict(os.environ)

    def _send(self, message, bytes_max):
        """Sends one message and returns its length; None, and nothing sent, if it is longer than ``bytes_max``.

        Any thread may call it: a frame goes out by one ``sendall`` under the lock, so frames never mix.
        """
        data = frames.encode(message)
        if bytes_max is not None and len(data) > bytes_max:
            return None
        with self._lock:
            self._channel.sendall(data)
        return len(data)

    def serve(self):
        import threading

        from . import adapter, capture, exports, loading
        from aiel_sdk import get_registry
        self._lock = threading.Lock()
        self._log = capture.LogLimit(self._send, int(self._limits["log_bytes"]))
        self._capture = capture.Capture(self._log)
        started = time.monotonic()
        try:
            loaded = loading.load(self._jail.app, self._verdict)
        except loading.LoadFailed as problem:
            self._send({"type": "load_failed", "errors": problem.errors}, None)
            return
        listed = [] if self._verdict else exports.exports(get_registry(), str(loaded.root))
        # A result frame is the envelope and some 200 bytes around it.
        result_bytes = min(int(self._limits["result_bytes"]), self._frame_max - 4096)
        self._adapter = adapter.Adapter(loaded, result_bytes)
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._send({"type": "ready", "describe": self._adapter.describe(), "exports": listed, "snapshot_id": loaded.snapshot_id,
                    "sdk_version": adapter.SDK_VERSION, "runtime_version": adapter.RUNTIME_VERSION,
                    "load_ms": int((time.monotonic() - started) * 1000)}, None)
        self._loop.add_reader(self._channel.fileno(), self._readable)
        try:
            while True:  # user code has the loop in its hands and may stop it
                self._loop.run_forever()
        except BaseException as problem:
            self._ended_by(problem)

    def _readable(self):
        try:
            data = self._channel.recv(1 << 18, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            os._exit(0)
        try:
            messages = self._decoder.feed(data)
        except frames.ProtocolError:
            os._exit(71)
        for message in messages:
            kind = message["type"]
            if kind == "invoke" and self._task is None:
                self._call = message.get("id")
                self._task = self._loop.create_task(self._invoke(message))
                self._task.add_done_callback(self._served)
            elif kind == "cancel":
                self._loop.call_soon(self._cancel, message.get("id"))  # behind the start of the task it is for
            else:
                os._exit(71)

    def _cancel(self, call):
        if self._in_handler and call == self._call:
            self._adapter.cancelled = True
            self._task.cancel()

    def _served(self, task):
        if task.cancelled() or task.exception() is not None:
            self._ended_by(asyncio.CancelledError() if task.cancelled() else task.exception())
            os._exit(70)

    async def _invoke(self, frame):
        request = frame.get("request")
        request = request if isinstance(request, dict) else {}
        before, wall = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        self._before, self._wall = before, wall
        meta = request.get("meta") if isinstance(request.get("meta"), dict) else {}
        self._log.start(self._call, {
            "ts_ms": 0, "level": "", "event": "", "request_id": meta.get("request_id"), "trace_id": meta.get("trace_id"),
            "snapshot_id": self._adapter.loaded.snapshot_id, "resource_kind": request.get("kind"),
            "resource_name": request.get("handler") or request.get("name"), "fields": {}})
        self._give(frame)
        own = self._task
        self._in_handler = True
        try:
            reply = await self._adapter.handle(request, self._log.entry)
        finally:
            self._in_handler = False
            self._take_back()
        tainted = reply.tainted or await self._leftovers(own)
        self._capture.finish()
        self._log.stop()
        self._result(reply.envelope, tainted)
        self._task = self._call = None

    def _result(self, envelope, tainted):
        after = resource.getrusage(resource.RUSAGE_SELF)
        before = self._before
        cpu = after.ru_utime + after.ru_stime
        usage = {"cpu_ms": int((cpu - before.ru_utime - before.ru_stime) * 1000),
                 "wall_ms": int((time.monotonic() - self._wall) * 1000), "max_rss_bytes": after.ru_maxrss * 1024}
        # The limit on CPU time holds for the worker's life: it is replaced between calls rather than killed within one.
        tainted = tainted or cpu > int(self._limits["cpu_seconds"]) / 2
        head = '{"type":"result","id":%s,"usage":%s,"tainted":%s,"envelope":' % (
            json.dumps(self._call), json.dumps(usage), "true" if tainted else "false")
        data = frames.encode_raw(head.encode("ascii") + envelope + b"}")
        with self._lock:
            self._channel.sendall(data)

    async def _leftovers(self, own):
        """Ends the tasks a handler left behind, as the end of the runner's process would. True if one would not end."""
        left = [t for t in asyncio.all_tasks() if t is not own]
        if not left:
            return False
        for task in left:
            task.cancel()
        _, running = await asyncio.wait(left, timeout=0.1)
        return bool(running)

    def _give(self, frame):
        """Puts what belongs to this execution alone where the SDK looks for it."""
        environment = frame.get("env")
        if isinstance(environment, dict):
            os.environ.update({str(k): str(v) for k, v in environment.items() if v is not None})
        credentials = frame.get("credentials")
        if isinstance(credentials, dict) and "HOME" in os.environ:
            path = os.path.join(os.environ["HOME"], _CREDENTIALS)
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(credentials, file)
            self._credentials = path

    _credentials = None

    def _take_back(self):
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        if self._credentials:
            try:
                os.unlink(self._credentials)
            except OSError:
                pass
            self._credentials = None

    def _ended_by(self, problem):
        """SystemExit and the like that came up through the event loop (from a task, a callback, a signal)."""
        if self._call is None:
            return
        text = "%s: %s" % (type(problem).__name__, problem)
        from . import adapter
        response = adapter.runner._error_response(
            request_id=str(self._call), trace_id=None, start_ms=adapter.runner._now_ms(), cold_start=False,
            snapshot_id=self._adapter.loaded.snapshot_id, code=adapter.runner.ERROR_USER_CODE, message=text)
        self._capture.finish()
        self._log.stop()
        self._result(adapter.runner._dump_response(response).encode("utf-8"), True)
