"""Floods of HTTP/2 frames, one kind a connection, against a server of gRPC on this machine; prints what became of each as JSON,
and how somebody else was served meanwhile, who asks for health on a connection of its own.

Input: {"host", "port", "token", "kinds": [...], "frames": how many at most}.
"""

import json
import socket
import struct
import sys
import threading
import time

import grpc
import hpack
from grpc_health.v1 import health_pb2, health_pb2_grpc

asked = json.load(sys.stdin)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
PATH = "/aiel.plane.v1.ExecutionService/List"


def frame(kind, flags, stream, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def headers(extra=()):
    return hpack.Encoder().encode([
        (":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "plane"),
        ("content-type", "application/grpc"), ("te", "trailers"), *extra])


def begin(acknowledges=True):
    connection = socket.create_connection((asked["host"], asked["port"]), timeout=20)
    # The server's limits hold from when they are acknowledged, where only its codec keeps them.
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0) + (frame(SETTINGS, 1, 0) if acknowledges else b""))
    return connection


def ended(connection):
    """What the server sent until it closed; whether it did within the time."""
    seen = b""
    try:
        while True:
            some = connection.recv(65536)
            if not some:
                return seen, True
            seen += some
            if len(seen) > 4 << 20:
                return seen, False
    except ConnectionError:
        return seen, True
    except socket.timeout:
        return seen, False


def counted(seen):
    """The error code of the last GOAWAY, those of the streams' resets, and how many resets, heads that are all, and acknowledged settings."""
    code, codes, resets, heads, acknowledged, at = None, set(), 0, 0, 0, 0
    while at + 9 <= len(seen):
        length = int.from_bytes(seen[at:at + 3], "big")
        kind = seen[at + 3]
        payload = seen[at + 9:at + 9 + length]
        if kind == 7 and len(payload) >= 8:
            code = int.from_bytes(payload[4:8], "big")
        if kind == RST_STREAM and len(payload) == 4:
            codes.add(int.from_bytes(payload, "big"))
        resets += kind == RST_STREAM
        heads += kind == HEADERS and seen[at + 4] & 1
        acknowledged += kind == SETTINGS and seen[at + 4] & 1
        at += 9 + length
    return {"goaway": code, "reset_codes": sorted(codes), "resets": resets, "heads": heads, "acknowledged": acknowledged}


class Neighbour:
    """Asks for health, again and again, until it is told to end; once at least."""

    def __init__(self):
        self.slowest, self.answers, self.faults = 0.0, 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        with grpc.insecure_channel(f"{asked['host']}:{asked['port']}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while True:
                begun = time.monotonic()
                try:
                    status = stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status
                    self.slowest = max(self.slowest, time.monotonic() - begun)
                    self.answers += 1
                    if status != health_pb2.HealthCheckResponse.SERVING:
                        self.faults.append(health_pb2.HealthCheckResponse.ServingStatus.Name(status))
                except grpc.RpcError as error:
                    self.faults.append(error.code().name)
                if self.over.wait(0.1):
                    return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def seen(self):
        return {"answers": self.answers, "slowest": round(self.slowest, 3), "faults": self.faults}


def rapid_reset(connection):
    for n in range(asked["frames"]):
        stream = 2 * n + 1
        yield frame(HEADERS, 4, stream, headers()) + frame(RST_STREAM, 0, stream, struct.pack("!I", 8))


def continuations(connection):
    """A head that never ends, in small pieces."""
    yield frame(HEADERS, 0, 1, headers())
    for n in range(asked["frames"]):
        yield frame(CONTINUATION, 0, 1, hpack.Encoder().encode([(f"x-{n}", "y" * 100)]))


def empty_continuations(connection):
    yield frame(HEADERS, 0, 1, headers())
    for _ in range(asked["frames"]):
        yield frame(CONTINUATION, 0, 1)


def large_head(connection):
    yield frame(HEADERS, 0, 1, headers())
    for n in range(40):
        yield frame(CONTINUATION, 4 if n == 39 else 0, 1, hpack.Encoder().encode([(f"x-{n}", "y" * 16000)]))


def compressed_head(connection):
    """Small on the wire: one long value, and then a byte each that says it again."""
    encoder = hpack.Encoder()
    value = ("x-bomb", "y" * 3000)
    block = headers() + encoder.encode([value])
    again = encoder.encode([value])
    yield frame(HEADERS, 4, 1, block + again * 2000)


def pings(connection):
    for n in range(asked["frames"]):
        yield frame(PING, 0, 0, struct.pack("!Q", n))


def settings(connection):
    for _ in range(asked["frames"]):
        yield frame(SETTINGS, 0, 0)


def empty_data(connection):
    yield frame(HEADERS, 4, 1, headers())
    for _ in range(asked["frames"]):
        yield frame(DATA, 0, 1)


def many_streams(connection):
    """More calls at once than there may be; none of them is ever finished."""
    for n in range(300):
        yield frame(HEADERS, 4, 2 * n + 1, headers([("authorization", "Bearer " + asked["token"])]))


def many_streams_unacknowledged(connection):
    return many_streams(connection)


def half_preface(connection):
    yield b""


def flood(kind):
    if kind == "half_preface":
        connection = socket.create_connection((asked["host"], asked["port"]), timeout=40)
        connection.sendall(PREFACE[:10])
        sent, broke = 1, False
    else:
        connection = begin(kind != "many_streams_unacknowledged")
        sent, broke = 0, False
        try:
            for some in globals()[kind](connection):
                connection.sendall(some)
                sent += 1
        except OSError:
            broke = True
    if kind.startswith("many_streams"):
        connection.settimeout(5)
    seen, closed = ended(connection)
    connection.close()
    return {"sent": sent, "closed": closed or broke, **counted(seen), "received": len(seen)}


def watched(kind):
    with Neighbour() as neighbour:
        became = flood(kind)
    return {**became, "neighbour": neighbour.seen()}


print(json.dumps({kind: watched(kind) for kind in asked["kinds"]}))
