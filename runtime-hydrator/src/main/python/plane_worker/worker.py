"""The forked worker: connects, closes its walls, loads one snapshot, and serves one call at a time until its socket ends.

Runs in a child of the zygote, which never returns from :func:`run`.
"""

import asyncio
import contextvars
import functools
import gc
import json
import os
import queue
import resource
import select
import signal
import socket
import sys
import threading
import time

from . import egress, frames

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
        profile = spec.get("profile", "default")
        outside = None
        if "network" in profile.split("+"):
            outside = _connect(jail.socket)
            outside.sendall(frames.encode({"type": "hello", "worker": spec["worker"], "nonce": spec["egress_nonce"]}))
            egress.await_ready(outside, 10.0)
        if jail.groups is not None:
            jail.groups.join(spec["worker"])
        _close_all_but(channel, outside)
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("500")  # when memory runs out, a worker goes before the server
        limits = spec["limits"]
        jail.enter(spec["snapshot"], int(spec["slot"]), limits, parent, profile)
        os.environ.clear()
        os.environ.update(base_environment)
        os.environ["EP_FILES_ROOT"] = jail.app
        if jail.tier in ("namespaces", "gvisor"):
            os.environ.update(HOME=_HOME, TMPDIR=_HOME)
        if outside is not None:
            os.environ.update(egress.ENVIRONMENT)
            if jail.ca_file is not None:
                os.environ.update(SSL_CERT_FILE=jail.ca_file, REQUESTS_CA_BUNDLE=jail.ca_file)
            egress.Forwarder(jail.listeners, outside).start()
        if "subprocess" in profile.split("+"):
            # Sync handlers run in a thread of a pool. A child forked there would, as its last act, join that pool, itself included.
            import concurrent.futures.thread
            os.register_at_fork(after_in_child=concurrent.futures.thread._threads_queues.clear)
        _reseed()
        gc.enable()
        Worker(channel, jail, limits, spec.get("verdict")).serve()
        status = 0
    except MemoryError:  # to say more would take memory; the zygote reads the status
        status = frames.MEMORY_EXIT
    except BaseException as problem:  # the frame below is the only way to tell
        text = "worker could not start: %s: %s" % (type(problem).__name__, problem)
        if channel is not None:
            try:
                channel.sendall(frames.encode({"type": "load_failed", "errors": [
                    {"code": "WORKER_START_FAILED", "message": text, "file": None, "line": None}]}))
            except OSError:
                pass
            except MemoryError:
                status = frames.MEMORY_EXIT
        try:
            os.write(2, (text + "\n").encode("utf-8", "replace"))
        except OSError:
            pass
    finally:
        os._exit(status)


def _cpu_seconds():
    """What this process has computed, and the children that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _reseed():
    """Gives the random numbers of libraries that the zygote has loaded a start of their own in this worker.

    Every worker is process 1 of its own namespace, as the zygote is of its, and OpenSSL knows a fork by the process's id alone: workers
    would all go on with the zygote's numbers. NumPy does not look for forks; Python's ``random`` is seeded by ``os.fork`` itself.
    """
    openssl = [sys.modules.get("_ssl")]
    # A copy of OpenSSL of its own.
    openssl.append(getattr(getattr(sys.modules.get("cryptography.hazmat.bindings._rust"), "_openssl", None), "lib", None))
    if openssl[0] is not None:
        openssl[0].RAND_add(os.urandom(64), 64.0)
    if openssl[1] is not None:
        openssl[1].RAND_add(os.urandom(64), 64, 64.0)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


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


def _close_all_but(*channels):
    """Leaves /dev/null on 0, 1 and 2, and the sockets. Whatever else the zygote had open is not the worker's."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    keep = sorted(channel.fileno() for channel in channels if channel is not None)
    high = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    high = 1 << 20 if high in (resource.RLIM_INFINITY, -1) else min(high, 1 << 20)
    low = 3
    for fd in keep:
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, high)


class _Execution:
    """One call: its id and what was used up before it. Whoever claims it answers it.

    ``left``: whether the handlers' thread has come out of its handler. Of what the loop runs it says nothing.
    """

    __slots__ = ("id", "before", "wall", "call", "deadline", "left")

    def __init__(self, call_id):
        self.id = call_id
        self.before, self.wall = _cpu_seconds(), time.monotonic()
        self.call = None
        self.deadline = None  # only of one that the handlers' thread runs: the runtime keeps that of the others
        self.left = False


class Worker:
    """Owns the socket and the event loop.

    Two threads take turns at reading the socket, each as long as calls are of its kind. The *loop's* thread, the process's first,
    serves coroutines. The *handlers'* thread reads a call, runs the sync handler itself and answers: no other thread wakes up for it.
    While it is in a handler, the loop listens for ``cancel`` and keeps the deadline.
    """

    def __init__(self, channel, jail, limits, verdict):
        self._channel = channel
        self._jail = jail
        self._limits = limits
        self._verdict = verdict
        self._decoder = frames.Decoder(int(limits.get("frame_bytes_max") or frames.DEFAULT_MAX))
        self._frame_max = self._decoder.bytes_max
        self._loop = None
        self._task = None
        self._in_handler = False
        self._pid = os.getpid()
        self._environment = dict(os.environ)
        self._given, self._given_data = {}, None
        # Guards which execution is to be answered, and which thread reads.
        self._turn = threading.Lock()
        self._current = None
        self._loop_reads = True
        self._for_handlers = queue.SimpleQueue()
        self._handlers = None
        self._looks_at = None
        self._timer = None

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
        from . import adapter, capture, exports, loading, streams
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
        chunk_bytes = min(int(self._limits.get("chunk_bytes", result_bytes)), result_bytes)
        self._adapter = adapter.Adapter(loaded, streams.Limits(
            result_bytes, chunk_bytes, int(self._limits.get("stream_bytes", result_bytes))))
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        # What the snapshot registered is in this context; each call gets a copy.
        self._context = contextvars.copy_context()
        self._send({"type": "ready", "describe": self._adapter.describe(), "exports": listed, "snapshot_id": loaded.snapshot_id,
                    "sdk_version": adapter.SDK_VERSION, "runtime_version": adapter.RUNTIME_VERSION,
                    "load_ms": int((time.monotonic() - started) * 1000)}, None)
        # A set of its own: the handlers' thread may change what it waits for while the loop waits for it.
        self._watched = select.epoll()
        self._watched.register(self._channel, select.EPOLLIN)
        self._loop.add_reader(self._watched.fileno(), self._readable)
        try:
            while True:  # user code has the loop in its hands and may stop it
                self._loop.run_forever()
        except MemoryError:
            os._exit(frames.MEMORY_EXIT)
        except BaseException as problem:
            self._ended_by(problem)

    # ---- both threads

    def _receive(self, flags):
        try:
            data = self._channel.recv(1 << 16, flags)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            data = b""
        if not data:
            os._exit(0)
        try:
            return self._decoder.feed(data)
        except frames.ProtocolError:
            os._exit(71)

    def _let_loop_read(self, yes):
        self._loop_reads = yes
        self._watched.modify(self._channel, select.EPOLLIN if yes else 0)

    def _claim(self, execution):
        """True for the first who would answer ``execution``."""
        with self._turn:
            if self._current is not execution:
                return False
            self._current = None
            return True

    def _begin(self, frame):
        request = frame.get("request")
        request = request if isinstance(request, dict) else {}
        execution = self._current = _Execution(frame.get("id"))
        meta = request.get("meta") if isinstance(request.get("meta"), dict) else {}
        self._log.start(execution.id, {
            "ts_ms": 0, "level": "", "event": "", "request_id": meta.get("request_id"), "trace_id": meta.get("trace_id"),
            "snapshot_id": self._adapter.loaded.snapshot_id, "resource_kind": request.get("kind"),
            "resource_name": request.get("handler") or request.get("name"), "fields": {}})
        self._give(frame)
        if frame.get("stream") is True:
            execution.call = self._adapter.call(request, self._log.entry, functools.partial(self._send_chunk, execution), self._room)
        else:
            execution.call = self._adapter.call(request, self._log.entry)
        return execution

    def _send_chunk(self, execution, chunk):
        """Sends one chunk, as soon as the server takes it. False, and nothing sent, when the execution is answered."""
        data = frames.encode_raw(b'{"type":"chunk","id":%s,"data":%s}' % (json.dumps(execution.id).encode("ascii"), chunk))
        with self._lock:
            if self._current is not execution or os.getpid() != self._pid:
                return False
            self._channel.sendall(data)
        return True

    def _finish(self, execution, envelope, tainted):
        self._capture.finish()
        self._log.stop()
        after = resource.getrusage(resource.RUSAGE_SELF)
        # The limit on CPU time holds for the worker's life: it is replaced between calls rather than killed within one.
        tainted = tainted or after.ru_utime + after.ru_stime > int(self._limits["cpu_seconds"]) / 2
        head = '{"type":"result","id":%s,"usage":{"cpu_ms":%d,"wall_ms":%d,"max_rss_bytes":%d},"tainted":%s,"envelope":' % (
            json.dumps(execution.id), (_cpu_seconds() - execution.before) * 1000, (time.monotonic() - execution.wall) * 1000,
            after.ru_maxrss * 1024, "true" if tainted else "false")
        data = frames.encode_raw(head.encode("ascii") + envelope + b"}")
        with self._lock:
            self._channel.sendall(data)

    # ---- the loop's thread

    async def _room(self):
        """Waits until the server has taken most of what was sent, and lets the loop run meanwhile."""
        writable = select.poll()
        writable.register(self._channel, select.POLLOUT)
        while not writable.poll(0):
            taken = self._loop.create_future()
            self._loop.add_writer(self._channel, lambda: taken.done() or taken.set_result(None))
            try:
                await taken
            finally:
                self._loop.remove_writer(self._channel)

    def _readable(self):
        with self._turn:
            if not self._loop_reads:  # it was another's when this was called
                return
            messages = self._receive(socket.MSG_DONTWAIT)
        self._take(messages)

    def _take(self, messages):
        for message in messages:
            kind = message["type"]
            if kind == "invoke" and self._task is None and self._current is None:
                if len(messages) > 1 or not self._hand_over(message):
                    self._task = self._loop.create_task(self._invoke(message))
                    self._task.add_done_callback(self._served)
            elif kind == "cancel":
                self._loop.call_soon(self._cancel, message.get("id"))  # behind the start of the task it is for
            else:
                os._exit(71)

    def _hand_over(self, frame):
        """Gives a call of a sync handler, and the reading, to the handlers' thread; False if it is not for it."""
        if not self._adapter.runs_at_once(frame.get("request")):
            return False
        if self._handlers is None:
            thread = threading.Thread(target=self._serve_handlers, name="asyncio_0")  # what it is called in the published runtime
            try:
                thread.start()
            except RuntimeError:  # the limit on threads; the runtime's own way will run into it too, and says so
                return False
            self._handlers = thread
        with self._turn:
            self._let_loop_read(False)
        self._for_handlers.put(frame)
        return True

    def _take_over(self, messages):
        """The handlers' thread has read what is not for it."""
        with self._turn:
            self._let_loop_read(True)
        self._take(messages)

    def _cancel(self, call_id):
        execution = self._current
        if execution is None or execution.id != call_id:
            return
        if execution.call.chunks.ends_itself:
            execution.call.chunks.cancelled = True
        elif self._in_handler:
            execution.call.cancelled = True
            self._task.cancel()
        elif self._task is None and self._claim(execution):
            self._task = self._loop.create_task(self._give_up(execution, execution.call.was_cancelled()))
            self._task.add_done_callback(self._served)

    def _served(self, task):
        if task.cancelled() or task.exception() is not None:
            if not task.cancelled() and isinstance(task.exception(), MemoryError):
                os._exit(frames.MEMORY_EXIT)  # what was to tell of it had no memory either
            try:
                self._ended_by(asyncio.CancelledError() if task.cancelled() else task.exception())
            except MemoryError:
                os._exit(frames.MEMORY_EXIT)
            os._exit(70)

    async def _invoke(self, frame):
        execution = self._begin(frame)
        own = self._task
        self._in_handler = True
        try:
            reply = await execution.call.run()
        finally:
            self._in_handler = False
            self._take_back()
        tainted = reply.tainted or await self._leftovers(own)
        if self._claim(execution):
            self._finish(execution, reply.envelope, tainted)
        self._task = None

    async def _give_up(self, execution, answer):
        """Answers for a handler that goes on in its thread."""
        reply = await answer
        self._take_back()
        # Its thread may not even be in the handler yet, and the next call would wait behind it.
        tainted = reply.tainted or not execution.left or await self._leftovers(self._task)
        self._finish(execution, reply.envelope, tainted)
        self._task = None

    async def _leftovers(self, own):
        """Ends the tasks a handler left behind, as the end of the runner's process would. True if one would not end."""
        left = [t for t in asyncio.all_tasks() if t is not own]
        if not left:
            return False
        for task in left:
            task.cancel()
        _, running = await asyncio.wait(left, timeout=0.1)
        return bool(running)

    def _look_at(self):
        """Sets the timer to the time that the handlers' thread has asked for."""
        if self._timer is not None:
            self._timer.cancel()
        if self._looks_at is not None:
            self._timer = self._loop.call_at(self._looks_at, self._look)

    def _look(self):
        """Ends the call whose deadline has passed; sets the timer again for one that began after it was set."""
        with self._turn:
            execution, self._looks_at = self._current, None
            if execution is None or execution.deadline is None:
                return
            if self._loop.time() < execution.deadline:
                self._looks_at = execution.deadline
                execution = None
            else:
                self._current = None
        if execution is None:
            self._look_at()
        else:
            self._task = self._loop.create_task(self._give_up(execution, execution.call.timed_out()))
            self._task.add_done_callback(self._served)

    # ---- the handlers' thread

    def _serve_handlers(self):
        try:
            while True:
                frame = self._for_handlers.get()
                while frame is not None:
                    frame = self._context.copy().run(self._serve_handler, frame)
        except MemoryError:
            os._exit(frames.MEMORY_EXIT)
        except BaseException as problem:
            try:
                self._ended_by(problem)
            except MemoryError:
                os._exit(frames.MEMORY_EXIT)
            os._exit(70)

    def _serve_handler(self, frame):
        """Runs one sync handler and answers. Returns the next call for this thread, or None when the loop reads."""
        execution = self._begin(frame)
        if not execution.call.refused:
            self._watch(execution)
        reply = execution.call.run_at_once()
        execution.left = True
        if os.getpid() != self._pid:
            self._for_handlers.get()  # a child that the handler has forked came back here: it has nothing to say, and never did
        if reply is None:
            reply = asyncio.run_coroutine_threadsafe(execution.call.timed_out(), self._loop).result()
        with self._turn:
            if self._current is not execution:  # answered by the loop, which keeps reading
                return None
            self._current = None
            self._let_loop_read(False)
        self._take_back()
        tainted = reply.tainted
        if not tainted and asyncio.all_tasks(self._loop):  # a handler may have given the loop work from here
            tainted = asyncio.run_coroutine_threadsafe(self._end_leftovers(), self._loop).result()
        self._finish(execution, reply.envelope, tainted)
        execution = reply = frame = None
        messages = []
        while not messages:
            messages = self._receive(0)
        if len(messages) == 1 and messages[0]["type"] == "invoke" and self._adapter.runs_at_once(messages[0].get("request")):
            return messages[0]
        self._loop.call_soon_threadsafe(self._take_over, messages)
        return None

    def _watch(self, execution):
        """Has the loop listen and keep the deadline while this thread is in a handler."""
        with self._turn:
            execution.deadline = self._loop.time() + execution.call.timeout_ms / 1000.0
            unwatched = self._looks_at is None or self._looks_at > execution.deadline
            if unwatched:
                self._looks_at = execution.deadline
            self._let_loop_read(True)
        if unwatched:  # else the timer ends before, and finds the deadline
            self._loop.call_soon_threadsafe(self._look_at)

    async def _end_leftovers(self):
        return await self._leftovers(asyncio.current_task())

    def _give(self, frame):
        """Puts what belongs to this execution alone where the SDK looks for it."""
        environment = frame.get("env")
        self._set_environment(environment if isinstance(environment, dict) else {})
        credentials = frame.get("credentials")
        if isinstance(credentials, dict) and "HOME" in os.environ:
            path = os.path.join(os.environ["HOME"], _CREDENTIALS)
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump(credentials, file)
            self._credentials = path

    def _set_environment(self, given):
        """Makes the environment the worker's own and ``given``, and nothing else.

        This is done before a call and not after it, as most calls to a worker come with the same and to set a variable is slow.
        """
        # The dictionary behind os.environ: to compare the mapping itself decodes every name and value.
        behind = getattr(os.environ, "_data", None)
        if behind is not None and given == self._given and behind == self._given_data:
            return
        os.environ.clear()
        os.environ.update(self._environment)
        os.environ.update({str(k): str(v) for k, v in given.items() if v is not None})
        self._given = given
        self._given_data = None if behind is None else dict(behind)

    _credentials = None

    def _take_back(self):
        if self._credentials:
            try:
                os.unlink(self._credentials)
            except OSError:
                pass
            self._credentials = None

    def _ended_by(self, problem):
        """SystemExit and the like that came up through the event loop (from a task, a callback, a signal)."""
        execution = self._current
        if execution is None or not self._claim(execution):
            return
        text = "%s: %s" % (type(problem).__name__, problem)
        from . import adapter
        response = adapter.runner._error_response(
            request_id=str(execution.id), trace_id=None, start_ms=adapter.runner._now_ms(), cold_start=False,
            snapshot_id=self._adapter.loaded.snapshot_id, code=adapter.runner.ERROR_USER_CODE, message=text)
        self._finish(execution, adapter.encoded(response), True)
