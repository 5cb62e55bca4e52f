"""Workers of the profiles ``network`` and ``subprocess``: what each may do more than the default, and that it is no more than that.

The tests play the server at the other end of the egress channel; the real proxy has tests of its own in Java.
"""

import os
import socket
import struct
import threading
import unittest

import harness

HEAD = struct.Struct(">BII")
OPEN, DATA, END, RESET, CREDIT, READY = 1, 2, 3, 4, 5, 6

CODE = '''
import importlib
import os
import socket
import threading
import urllib.request
from aiel_sdk import tool

def tried(what):
    try:
        return {"done": repr(what())}
    except Exception as problem:
        return {"errno": getattr(problem, "errno", None), "problem": repr(problem)}

@tool("fetch")
def fetch(ctx, payload):
    with urllib.request.urlopen(payload["url"], timeout=10) as answer:
        body = answer.read()
        return {"status": answer.status, "length": len(body), "head": body[:100].decode()}

@tool("post")
def post(ctx, payload):
    request = urllib.request.Request(payload["url"], data=b"x" * payload["bytes"], method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return {"status": answer.status}

def connected(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(3)
        s.connect(address)

def bound(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))

def set_option(level, option, value):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(level, option, value)

def unix(address):
    a, b = socket.socketpair()
    with a, b:
        a.connect(address)

@tool("sockets")
def sockets(ctx, payload):
    of = {}
    of["udp"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    of["raw"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
    of["mptcp"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    of["sctp"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
    of["unix"] = lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    of["netlink"] = lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    of["packet"] = lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    of["vsock"] = lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    of["unix pair to a path"] = lambda: unix("/run/plane.sock")
    of["unix pair to an abstract name"] = lambda: unix("\\0abstract")
    of["listen"] = lambda: bound(socket.SOCK_STREAM)
    of["another port"] = lambda: connected(socket.AF_INET, ("127.0.0.1", payload["port"]))
    of["another loopback address"] = lambda: connected(socket.AF_INET, ("127.0.0.2", payload["port"]))
    of["loopback of version 6"] = lambda: connected(socket.AF_INET6, ("::1", payload["port"]))
    of["metadata"] = lambda: connected(socket.AF_INET, ("169.254.169.254", 3128))
    of["anywhere"] = lambda: connected(socket.AF_INET, ("192.0.2.1", 3128))
    of["anywhere of version 6"] = lambda: connected(socket.AF_INET6, ("2001:db8::1", 3128))
    of["upper layer protocol"] = lambda: set_option(6, 31, b"tls")
    of["socket filter"] = lambda: set_option(1, 26, bytes(16))
    of["datagram pair"] = lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return {name: tried(what) for name, what in of.items()}

def double(inbox, outbox):
    outbox.put(2 * inbox.get())

@tool("multiprocessing")
def use_multiprocessing(ctx, payload):
    multiprocessing = importlib.import_module("multiprocessing").get_context("fork")
    inbox, outbox = multiprocessing.Queue(), multiprocessing.Queue()
    child = multiprocessing.Process(target=double, args=(inbox, outbox))
    child.start()
    inbox.put(21)
    answer = outbox.get(timeout=10)
    child.join(10)
    return {"answer": answer, "exit": child.exitcode}

@tool("fork")
def fork(ctx, payload):
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    return {"exit": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}

@tool("compute_in_children")
def compute_in_children(ctx, payload):
    import time
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            end = time.process_time() + 0.2
            while time.process_time() < end:
                pass
            os._exit(0)
        os.waitpid(pid, 0)
    return {}

@tool("signal_group")
def signal_group(ctx, payload):
    child = os.fork()
    if child == 0:
        while True:
            threading.Event().wait(60)
    os.kill(0, 9)  # not heard by this process, which is the first of its namespace
    return {"leads": os.getpgrp() == os.getpid(), "own child": os.WTERMSIG(os.waitpid(child, 0)[1])}

@tool("leave")
def leave(ctx, payload):
    for _ in range(3):
        if os.fork() == 0:
            while True:
                threading.Event().wait(60)
    return {}

@tool("bomb")
def bomb(ctx, payload):
    count = 0
    try:
        while count < 1000:
            if os.fork() == 0:
                threading.Event().wait(60)
                os._exit(0)
            count += 1
    except OSError as problem:
        return {"count": count, "errno": problem.errno}
    return {"count": count}

@tool("programs")
def programs(ctx, payload):
    ctypes = importlib.import_module("ctypes")
    libc = ctypes.CDLL(None, use_errno=True)
    def in_new_namespace():
        if libc.syscall(56, 0x20000000 | 17, 0, 0, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "clone")
    return {"execve": tried(lambda: os.execv("/proc/self/exe", ["x"])), "namespace": tried(in_new_namespace),
            "ptrace": tried(lambda: raised(libc.ptrace(0, 0, 0, 0)))}

def raised(result):
    if result < 0:
        raise OSError("refused")
    return result
'''


class Server:
    """The server's end of one egress channel: answers every connection with ``answer(request bytes) -> bytes``, or resets it."""

    def __init__(self, connection, answer):
        self.connection, self.answer = connection, answer
        self.opened, self.requests = 0, []
        connection.sendall(HEAD.pack(READY, 0, 0))
        threading.Thread(target=self._run, daemon=True).start()

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.connection.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _run(self):
        streams = {}
        try:
            while True:
                kind, number, count = HEAD.unpack(self._exactly(HEAD.size))
                if kind == OPEN:
                    self.opened += 1
                    streams[number] = [b"", 256 * 1024]
                elif kind == DATA:
                    data = self._exactly(count)
                    if number not in streams:
                        continue
                    streams[number][0] += data
                    self.connection.sendall(HEAD.pack(CREDIT, number, count))
                    reply = self.answer(streams[number][0])
                    if reply is not None:
                        self.requests.append(streams.pop(number)[0])
                        self._reply(number, reply)
                elif kind in (END, RESET):
                    streams.pop(number, None)
        except (EOFError, OSError):
            pass

    def _reply(self, number, reply):
        credit, at = 256 * 1024, 0
        while at < len(reply):
            if not credit:
                kind, other, count = HEAD.unpack(self._exactly(HEAD.size))
                assert kind in (CREDIT, END), kind
                credit += count if kind == CREDIT and other == number else 0
                continue
            part = reply[at:at + min(credit, 65536)]
            self.connection.sendall(HEAD.pack(DATA, number, len(part)) + part)
            at, credit = at + len(part), credit - len(part)
        self.connection.sendall(HEAD.pack(END, number, 0) + HEAD.pack(RESET, number, 0))


def answer_get(body):
    def answer(request):
        if b"\r\n\r\n" not in request:
            return None
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    return answer


class Profiles(unittest.TestCase):
    def __init__(self, method="runTest", label="", uid=None):
        super().__init__(method)
        self.label, self.uid = label, uid

    def __str__(self):
        return "%s (%s)" % (self._testMethodName, self.label)

    def setUp(self):
        self.plane = harness.Plane(as_uid=self.uid)
        self.addCleanup(self.plane.close)
        self.assertEqual(self.plane.first["type"], "hello", self.plane.first)
        self.profiles = self.plane.first["isolation"]["profiles"]
        self.plane.snapshot("s", CODE)

    def networked(self, answer, profile="network"):
        if profile not in self.profiles:
            self.skipTest("this host offers %s" % ", ".join(self.profiles))
        name, nonce, second = "n1", "first", "second"
        self.plane.send({"type": "spawn", "worker": name, "nonce": nonce, "egress_nonce": second, "snapshot": "s", "slot": 1,
                         "limits": harness.LIMITS, "profile": profile})
        self.plane.frame("spawned", name)
        connection, _ = self.plane._listener.accept()
        worker = harness.Worker(self.plane, name, connection)
        self.assertEqual(worker.read(), {"type": "hello", "worker": name, "nonce": nonce})
        channel, _ = self.plane._listener.accept()
        self.addCleanup(channel.close)
        (length,) = struct.unpack(">I", channel.recv(4, socket.MSG_WAITALL))
        self.assertIn(b'"second"', channel.recv(length, socket.MSG_WAITALL))
        server = Server(channel, answer)
        self.assertEqual(worker.read()["type"], "ready")
        self.addCleanup(worker.close)
        return worker, server

    def result(self, worker, tool, event=None):
        frame, _ = worker.tool(tool, event, timeout_ms=30000)
        self.assertIsNotNone(frame, "the worker ended")
        self.assertTrue(frame["envelope"]["ok"], frame["envelope"]["error"])
        return frame["envelope"]["result"]

    def test_unchanged_urllib_reaches_the_server_over_the_channel(self):
        worker, server = self.networked(answer_get(b"hello" * 200_000))
        result = self.result(worker, "fetch", {"url": "http://api.example.com/x?y"})
        self.assertEqual((result["status"], result["length"]), (200, 1_000_000))
        self.assertTrue(server.requests[0].startswith(b"GET http://api.example.com/x?y HTTP/1.1\r\n"), server.requests)

    def test_a_body_larger_than_every_window_goes_through(self):
        size = 3 << 20
        worker, server = self.networked(
            lambda got: b"HTTP/1.1 204 No\r\nConnection: close\r\n\r\n" if len(got.partition(b"\r\n\r\n")[2]) == size else None)
        self.assertEqual(self.result(worker, "post", {"url": "http://api.example.com/", "bytes": size})["status"], 204)

    def test_one_connection_after_the_other_with_a_refusal_between(self):
        worker, server = self.networked(lambda got: b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno" if b"refused" in got
                                        else answer_get(b"yes")(got))
        for url, ok in (("http://a.example/", True), ("http://refused.example/", False), ("http://a.example/", True)):
            frame, _ = worker.tool("fetch", {"url": url})
            self.assertEqual(frame["envelope"]["ok"], ok, frame)
        self.assertEqual(server.opened, 3)

    def test_no_socket_but_to_the_forwarder(self):
        """Meant to fail: with the whole of `socket` allowed in the network variant."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        worker, server = self.networked(lambda got: None)
        for name, outcome in self.result(worker, "sockets", {"port": listener.getsockname()[1]}).items():
            self.assertNotIn("done", outcome, name)
        self.assertEqual(server.opened, 0)

    def test_a_worker_of_the_default_profile_has_no_sockets_and_no_processes(self):
        worker = self.plane.ready("s")
        self.addCleanup(worker.close)
        for name, outcome in self.result(worker, "sockets", {"port": 1}).items():
            self.assertNotIn("done", outcome, name)
        frame, _ = worker.tool("fork")
        self.assertFalse(frame["envelope"]["ok"])

    def test_the_end_of_the_channel_is_the_end_of_the_network_alone(self):
        worker, server = self.networked(lambda got: None)
        server.connection.shutdown(socket.SHUT_RDWR)
        frame, _ = worker.tool("fetch", {"url": "http://api.example.com/"}, timeout_ms=20000)
        self.assertFalse(frame["envelope"]["ok"])
        self.assertTrue(self.result(worker, "sockets", {"port": 1}))

    def with_processes(self):
        if "subprocess" not in self.profiles:
            self.skipTest("this host offers %s" % ", ".join(self.profiles))
        worker = self.plane.ready("s", profile="subprocess")
        self.addCleanup(worker.close)
        return worker

    def test_multiprocessing_works_with_subprocess(self):
        self.assertEqual(self.result(self.with_processes(), "multiprocessing"), {"answer": 42, "exit": 0})

    def test_processes_are_all_that_subprocess_gives(self):
        """Meant to fail: with `execve` added to the variant."""
        worker = self.with_processes()
        self.assertEqual(self.result(worker, "fork"), {"exit": 7})
        for name, outcome in {**self.result(worker, "programs"), **self.result(worker, "sockets", {"port": 1})}.items():
            self.assertNotIn("done", outcome, name)

    def test_what_children_computed_is_in_the_usage(self):
        """Seen to fail: when the worker's own time alone was."""
        worker = self.with_processes()
        frame, _ = worker.tool("compute_in_children", timeout_ms=20000)
        self.assertGreaterEqual(frame["usage"]["cpu_ms"], 700)
        worker.kill()
        self.assertGreaterEqual(worker.exited()["cpu_ms"], 700)

    def test_a_signal_to_its_group_reaches_its_own_processes_alone(self):
        """Seen to fail: with the workers left in the zygote's process group."""
        worker = self.with_processes()
        self.assertEqual(self.result(worker, "signal_group"), {"leads": True, "own child": 9})

    def test_the_cgroup_counts_processes(self):
        result = self.result(self.with_processes(), "bomb")
        self.assertLess(result["count"], 64)
        self.assertEqual(result["errno"], 11)

    def test_processes_end_with_their_worker(self):
        worker = self.with_processes()
        before = set(harness.descendants(self.plane.process.pid))
        self.result(worker, "leave")
        self.assertGreater(len(set(harness.descendants(self.plane.process.pid)) - before), 2)
        worker.kill()
        worker.exited()
        self.assertTrue(harness.wait_until(lambda: not any(map(harness.alive, set(
            harness.descendants(self.plane.process.pid)) - before))))


class Groups(unittest.TestCase):
    def test_no_worker_ends_another_by_a_signal_to_their_group(self):
        """Where only the group separates them: one user for all workers, as without root, and a kernel whose Landlock knows no signals.

        Profiles that such a host has when cgroups are delegated to it are offered without. Seen to fail: with the workers left in the
        zygote's process group.
        """
        uid = next((uid for _, uid in harness.identities() if uid is not None or os.geteuid() != 0), os.geteuid())
        if uid == 0:
            self.skipTest("an ordinary user cannot read this interpreter or bundle, and root's workers have a user each")
        patch = [("jail.py", "subprocess = self.groups is not None", "subprocess = True"),
                 ("jail.py", "self.landlock_abi = landlock.abi()", "self.landlock_abi = min(5, landlock.abi())")]
        with harness.Plane(as_uid=uid if os.geteuid() == 0 else None, patch=patch) as plane:
            plane.snapshot("s", CODE)
            neighbour, worker = plane.ready("s"), plane.ready("s", profile="subprocess")
            self.addCleanup(neighbour.close)
            self.addCleanup(worker.close)
            frame, _ = worker.tool("signal_group")
            self.assertTrue(frame["envelope"]["ok"], frame)
            frame, _ = neighbour.tool("sockets", {"port": 1})
            self.assertIsNotNone(frame, "the neighbour was ended")


class Restricted(unittest.TestCase):
    def test_a_tier_without_namespaces_offers_the_default_alone(self):
        if not harness.can_be_restricted():
            self.skipTest("this interpreter cannot serve the restricted tier")
        with harness.Plane("restricted") as plane:
            self.assertEqual(plane.first["isolation"]["profiles"], ["default"])
            plane.snapshot("s", CODE)
            for profile in ("network", "subprocess", "all"):
                plane.send({"type": "spawn", "worker": "w", "nonce": "n", "egress_nonce": "e", "snapshot": "s", "slot": 1,
                            "limits": harness.LIMITS, "profile": profile})
                self.assertIn("cannot be had", plane.frame("spawn_failed", "w")["reason"])


def load_tests(loader, standard, pattern):
    suite = unittest.TestSuite([loader.loadTestsFromTestCase(Groups), loader.loadTestsFromTestCase(Restricted)])
    for label, uid in harness.identities():
        suite.addTests(Profiles(name, label, uid) for name in loader.getTestCaseNames(Profiles))
    suite.addTests(harness.without_user())
    return suite


if __name__ == "__main__":
    unittest.main()
