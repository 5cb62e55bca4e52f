"""The forwarder of a worker with a network: a thread that is nothing but a pipe between connections to ``127.0.0.1`` in the worker's own
network namespace and the one Unix socket to the server, where the egress proxy is, and the way to the plane's own API. It decides nothing.

Frames are type (1 byte), connection (4), number (4), and for data as many bytes, big-endian; the number of a connection that is opened
says which port it came to. Each side may have ``WINDOW`` bytes of a connection unread at the other. User code shares this process and can speak to the server itself: the server believes it nothing.
"""

import selectors
import socket
import struct
import threading
import time

HOST, PORT = "127.0.0.1", 3128
#: Where the plane itself answers the code that runs, as far as the execution may ask it.
PLANE_PORT = 3129
WINDOW = 256 * 1024
_DATA_MAX = 64 * 1024
_OUT_MAX = 1 << 20
_HEAD = struct.Struct(">BII")
_OPEN, _DATA, _END, _RESET, _CREDIT, _READY = 1, 2, 3, 4, 5, 6
_TO_PROXY, _TO_PLANE = 0, 1
# How long what the server said last may be read, once it has closed the connection.
_LINGER_SECONDS = 2.0

#: What makes urllib, http.client's users, requests and httpx take this way without being told.
ENVIRONMENT = {name: "http://%s:%d" % (HOST, PORT) for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}


def await_ready(channel, seconds):
    """Waits until the server hears this channel; raises ``OSError``."""
    channel.settimeout(seconds)
    head = b""
    while len(head) < _HEAD.size:
        part = channel.recv(_HEAD.size - len(head))
        if not part:
            raise OSError("the server refused the egress channel")
        head += part
    if head[0] != _READY:
        raise OSError("the server answered the egress channel with frame %d" % head[0])
    channel.setblocking(False)


def listen():
    """The sockets that connections come to, with what each is for; in the worker's own network namespace, before the last walls."""
    return [(_listener(PORT), _TO_PROXY), (_listener(PLANE_PORT), _TO_PLANE)]


def _listener(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((HOST, port))
    listener.listen(64)
    listener.setblocking(False)
    return listener


class _Connection:
    __slots__ = ("number", "sock", "out", "credit", "uncredited", "local_end", "remote_end", "shut", "closing")

    def __init__(self, number, sock):
        self.number, self.sock = number, sock
        self.out = bytearray()
        self.credit = WINDOW
        self.uncredited = 0
        self.local_end = self.remote_end = self.shut = False
        self.closing = None


class Forwarder:
    """Owned by its thread once it is started."""

    def __init__(self, listeners, channel):
        self._listeners, self._channel = dict(listeners), channel
        self._selector = selectors.DefaultSelector()
        self._connections = {}
        self._last = 0
        self._in, self._out = bytearray(), bytearray()

    def start(self):
        threading.Thread(target=self._run, name="plane-egress", daemon=True).start()

    def _run(self):
        try:
            for listener in self._listeners:
                self._selector.register(listener, selectors.EVENT_READ, None)
            self._selector.register(self._channel, selectors.EVENT_READ, None)
            while True:
                lingering = any(c.closing is not None for c in self._connections.values())
                for key, events in self._selector.select(_LINGER_SECONDS / 4 if lingering else None):
                    if key.fileobj in self._listeners:
                        self._accept(key.fileobj)
                    elif key.fileobj is self._channel:
                        if events & selectors.EVENT_READ:
                            self._receive()
                    elif key.data.number in self._connections:
                        self._serve(key.data, events)
                self._flush()
                for connection in list(self._connections.values()):
                    if connection.closing is not None and time.monotonic() > connection.closing:
                        self._drop(connection)
                    else:
                        self._watch(connection)
                self._select(self._channel, selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0), None)
        except OSError:
            pass  # the server ended the channel: there is no network any more
        finally:
            for connection in list(self._connections.values()):
                connection.sock.close()
            for listener in self._listeners:
                listener.close()
            self._channel.close()

    def _send(self, kind, number, count, data=b""):
        self._out += _HEAD.pack(kind, number, count)
        self._out += data

    def _flush(self):
        while self._out:
            try:
                sent = self._channel.send(self._out[:_DATA_MAX])
            except (BlockingIOError, InterruptedError):
                return
            del self._out[:sent]

    def _accept(self, listener):
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # no descriptor is left: the one that waits goes on waiting
            time.sleep(0.01)
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._last += 1
        self._connections[self._last] = _Connection(self._last, sock)
        self._send(_OPEN, self._last, self._listeners[listener])

    def _receive(self):
        try:
            data = self._channel.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            raise OSError("the server closed the channel")
        self._in += data
        at = 0
        while len(self._in) - at >= _HEAD.size:
            kind, number, count = _HEAD.unpack_from(self._in, at)
            size = count if kind == _DATA else 0
            if len(self._in) - at < _HEAD.size + size:
                break
            body = bytes(self._in[at + _HEAD.size:at + _HEAD.size + size])
            at += _HEAD.size + size
            connection = self._connections.get(number)
            if connection is not None:
                self._take(connection, kind, count, body)
        del self._in[:at]

    def _take(self, connection, kind, count, body):
        if kind == _DATA:
            connection.out += body
            self._write(connection)
        elif kind == _CREDIT:
            connection.credit += count
        elif kind == _END:
            connection.remote_end = True
            self._write(connection)
        elif kind == _RESET:
            if connection.remote_end:  # what was said before stays said
                connection.closing = time.monotonic() + _LINGER_SECONDS
                self._write(connection)
            else:
                self._drop(connection)

    def _serve(self, connection, events):
        if events & selectors.EVENT_WRITE:
            self._write(connection)
        if events & selectors.EVENT_READ and connection.number in self._connections:
            self._read(connection)

    def _read(self, connection):
        most = _DATA_MAX if connection.closing is not None else min(_DATA_MAX, connection.credit)
        try:
            data = connection.sock.recv(most) if most else None
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._abort(connection)
            return
        if data is None:
            return
        if not data:
            connection.local_end = True
            if connection.closing is None:
                self._send(_END, connection.number, 0)
            self._done(connection)
        elif connection.closing is None:
            connection.credit -= len(data)
            self._send(_DATA, connection.number, len(data), data)

    def _write(self, connection):
        try:
            while connection.out:
                sent = connection.sock.send(connection.out[:_DATA_MAX])
                del connection.out[:sent]
                connection.uncredited += sent
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._abort(connection)
            return
        if connection.uncredited >= WINDOW // 2 and connection.closing is None:
            self._send(_CREDIT, connection.number, connection.uncredited)
            connection.uncredited = 0
        if connection.remote_end and not connection.out and not connection.shut:
            connection.shut = True
            try:
                connection.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._abort(connection)
                return
        self._done(connection)

    def _done(self, connection):
        if connection.shut and connection.local_end:
            self._drop(connection)

    def _abort(self, connection):
        if connection.closing is None:
            self._send(_RESET, connection.number, 0)
        self._drop(connection)

    def _drop(self, connection):
        if self._connections.pop(connection.number, None) is not None:
            try:
                self._selector.unregister(connection.sock)
            except (KeyError, ValueError):
                pass
            connection.sock.close()

    def _watch(self, connection):
        events = 0
        if not connection.local_end and (connection.closing is not None or (connection.credit > 0 and len(self._out) < _OUT_MAX)):
            events |= selectors.EVENT_READ
        if connection.out:
            events |= selectors.EVENT_WRITE
        self._select(connection.sock, events, connection)

    def _select(self, sock, events, data):
        key = self._selector.get_map().get(sock)
        if key is None:
            if events:
                self._selector.register(sock, events, data)
        elif not events:
            self._selector.unregister(sock)
        elif key.events != events:
            self._selector.modify(sock, events, data)
