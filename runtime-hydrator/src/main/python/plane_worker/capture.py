"""What user code prints, bounded, as log entries: ``print`` by replaced streams, writes to descriptors 1 and 2 by pipes.

The worker's socket is none of these, so printing can never look like a reply.
"""

import io
import os
import select
import sys
import threading
import time

_LINE_MAX = 8192


class LogLimit:
    """Sends log entries of the current call until ``bytes_max`` of them are used up; a last entry says so.

    Any thread may call it.
    """

    def __init__(self, send, bytes_max):
        self._send = send
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._id = None
        self._left = 0
        self._template = {}

    def start(self, call_id, template):
        """From here on entries belong to ``call_id``; ``template`` has the members that printed lines have in common."""
        with self._lock:
            self._id, self._left, self._template = call_id, self._bytes_max, template

    def stop(self):
        """Entries after this (from threads that were left behind) are dropped."""
        with self._lock:
            self._id = None

    def open(self):
        return self._id is not None and self._left > 0

    def entry(self, entry):
        """Sends one entry. False if it was dropped."""
        with self._lock:
            if self._id is None or self._left <= 0:
                return False
            try:
                size = self._send({"type": "log", "id": self._id, "entry": entry}, self._left)
            except (TypeError, ValueError):  # a field that has no JSON form: the runtime's own dump will judge it
                return True
            if size is None:
                self._left = 0
                self._send({"type": "log", "id": self._id, "entry": dict(
                    self._template, ts_ms=int(time.time() * 1000), level="WARN", event="plane.log_limit",
                    fields={"log_bytes_max": self._bytes_max})}, None)
                return False
            self._left -= size
            return True

    def line(self, level, text):
        return self.entry(dict(self._template, ts_ms=int(time.time() * 1000), level=level, event=text, fields={}))


class _Stream(io.RawIOBase):
    """The raw end of a replaced ``sys.stdout`` or ``sys.stderr``: cuts what is written into lines."""

    def __init__(self, level, limit, fd):
        super().__init__()
        self._level, self._limit, self._fd = level, limit, fd
        self._partial = b""
        self._lock = threading.RLock()

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def write(self, data):
        data = bytes(data)
        if self._limit.open():
            with self._lock:
                *lines, rest = (self._partial + data).split(b"\n")
                for line in lines:
                    if not self._emit(line):
                        rest = b""
                        break
                while len(rest) > _LINE_MAX:
                    if not self._emit(rest[:_LINE_MAX]):
                        rest = b""
                        break
                    rest = rest[_LINE_MAX:]
                self._partial = rest
        return len(data)

    def _emit(self, line):
        for at in range(0, max(1, len(line)), _LINE_MAX):
            if not self._limit.line(self._level, line[at:at + _LINE_MAX].decode("utf-8", "replace")):
                return False
        return True

    def finish(self):
        """Sends a last line that did not end."""
        with self._lock:
            if self._partial:
                self._emit(self._partial)
            self._partial = b""


class Capture:
    """Takes over ``sys.stdout``, ``sys.stderr`` and descriptors 1 and 2 for the rest of the process's life."""

    def __init__(self, limit):
        self._raw, self._pipes = {}, {}
        self._lock = threading.Lock()
        for fd, level, name in ((1, "STDOUT", "stdout"), (2, "STDERR", "stderr")):
            read_end, write_end = os.pipe()
            os.dup2(write_end, fd, inheritable=False)
            os.close(write_end)
            os.set_blocking(read_end, False)
            raw = _Stream(level, limit, fd)
            text = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)
            setattr(sys, name, text)
            setattr(sys, "__%s__" % name, text)
            self._raw[read_end] = (raw, _Stream(level, limit, fd))
            self._pipes[fd] = read_end
        threading.Thread(target=self._pump, name="plane-output", daemon=True).start()

    def _pump(self):
        # A thread of its own: a handler that fills a pipe while it holds the event loop would wait for itself.
        poll = select.poll()
        for fd in self._raw:
            poll.register(fd, select.POLLIN)
        while poll.poll():
            self._drain()

    def _drain(self):
        with self._lock:
            for fd, (_, stream) in self._raw.items():
                try:
                    while True:
                        data = os.read(fd, 65536)
                        if not data:
                            break
                        stream.write(data)
                except BlockingIOError:
                    pass

    def finish(self):
        """Sends what is left of the current call's output."""
        self._drain()
        for printed, written in self._raw.values():
            printed.finish()
            written.finish()
