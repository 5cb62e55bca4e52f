"""Tier ``gvisor``, where there is a ``runsc`` (on the path, or named by PLANE_RUNSC); elsewhere skipped by name."""

import os
import signal
import unittest

import harness
from test_isolation import ECHO, run_attempts

RUNSC = os.environ.get("PLANE_RUNSC") or next((f + "/runsc" for f in ("/usr/local/bin", "/usr/bin") if os.path.exists(f + "/runsc")), None)

HANDLERS = ECHO + '''
import os, threading, time

@tool("look")
def look(ctx, e):
    def folder(path):
        try:
            return sorted(os.listdir(path))
        except OSError as problem:
            return problem.strerror
    return {"uid": os.getuid(), "pid": os.getpid(), "root": folder("/"), "store": folder("/store"), "plane": folder("/plane/plane_worker"),
            "pids": [name for name in os.listdir("/proc") if name.isdigit()], "host": os.uname().nodename, "env": sorted(os.environ),
            "status": open("/proc/self/status").read(), "programs": folder("/usr/bin"), "etc": folder("/etc"),
            "kernel": os.uname().release}

@tool("memory")
def memory(ctx, e):
    held = []
    while True:
        held.append(bytearray(8 << 20))

@tool("leave")
def leave(ctx, e):
    os._exit(3)

@tool("keep")
def keep(ctx, e):
    with open("/tmp/kept", "a") as file:
        file.write("x")
    return {"kept": os.path.getsize("/tmp/kept")}

@tool("fill")
def fill(ctx, e):
    with open("/tmp/large", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))

@tool("loop")
async def loop(ctx, e):
    while True:
        pass
'''


def plane(**options):
    return harness.Plane(tier="gvisor", runsc=RUNSC, **options)


@unittest.skipUnless(RUNSC, "no runsc on this machine, so tier gvisor was not tried")
@unittest.skipUnless(os.geteuid() == 0, "tier gvisor needs root")
class GvisorTest(unittest.TestCase):
    def setUp(self):
        self.mounts = harness.mounts()

    def assert_nothing_left(self, processes):
        gone = harness.wait_until(lambda: not any(map(harness.alive, processes)), 20)
        self.assertTrue(gone, [open("/proc/%d/cmdline" % p).read() for p in processes if harness.alive(p)])
        launcher = processes[0]
        self.assertTrue(harness.wait_until(lambda: not harness.groups(launcher), 10), harness.groups(launcher))
        self.assertEqual(self.mounts, harness.mounts())

    def test_no_attempt_escapes(self):
        with plane() as one:
            found = run_attempts(one)
        self.assertGreater(len(found), 40)
        self.assertEqual({}, {n: r["detail"] for n, r in found.items() if r["escaped"]})

    def test_each_worker_has_a_sandbox_of_its_own_in_which_nothing_else_is(self):
        with plane() as one:
            report = one.first["isolation"]
            one.snapshot("a", HANDLERS)
            one.snapshot("b", HANDLERS)
            first, second = one.ready("a", slot=3), one.ready("b", slot=4)
            seen, other = (w.tool("look")[0]["envelope"]["result"] for w in (first, second))
            self.assertEqual(1, first.tool("keep")[0]["envelope"]["result"]["kept"])
            self.assertEqual(1, second.tool("keep")[0]["envelope"]["result"]["kept"])
            sentries = [p for p in harness.descendants(one.process.pid) if "boot" in command_line(p)]
        self.assertEqual(("gvisor", "worker", "default"), (report["tier"], report["sandbox_per"], report["seccomp"]))
        self.assertTrue(report["runsc"])
        self.assertEqual(2, len(sentries), "a sentry for each")
        self.assertEqual((64003, 64004), (seen["uid"], other["uid"]))
        self.assertEqual((1, ["1"], "worker"), (seen["pid"], seen["pids"], seen["host"]))
        self.assertNotEqual(os.uname().release, seen["kernel"], "a kernel of its own")
        self.assertEqual("No such file or directory", seen["store"])
        self.assertEqual("No such file or directory", seen["etc"])
        self.assertEqual(1, len(seen["programs"]), "the interpreter")
        self.assertNotIn("PLANE_SECRET", seen["env"])
        for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "Seccomp:\t2"):
            self.assertIn(line, seen["status"])

    def test_limits_end_in_their_own_answers(self):
        with plane() as one:
            one.snapshot("a", HANDLERS)
            worker = one.ready("a")
            self.assertFalse(worker.tool("fill")[0]["envelope"]["ok"])
            self.assertIsNone(worker.tool("leave")[0])
            self.assertEqual(3, worker.exited()["exit_code"])
            worker = one.ready("a", limits={"memory_bytes": 96 << 20})
            frame, _ = worker.tool("memory", timeout_ms=60000)
            if frame is None:
                self.assertTrue(worker.exited()["memory_limit_hit"])
            else:
                self.assertEqual("MEMORY_LIMIT", frame["envelope"]["error"]["code"])
            worker = one.ready("a")
            worker.start({"action": "invoke", "kind": "tool", "handler": "loop"})
            worker.kill()
            self.assertEqual(9, worker.exited()["signal"])
            self.assertTrue(one.ready("a").tool("echo")[0]["envelope"]["ok"])

    def busy(self):
        one = plane()
        self.addCleanup(one.close)
        one.snapshot("a", HANDLERS)
        workers = [one.ready("a") for _ in range(2)]
        workers[0].start({"action": "invoke", "kind": "tool", "handler": "loop"})
        self.addCleanup(lambda: [w.close() for w in workers])
        return one, [one.process.pid] + harness.descendants(one.process.pid)

    def test_the_end_of_input_ends_all(self):
        one, processes = self.busy()
        one.process.stdin.close()
        self.assertEqual(0, one.process.wait(harness.WAIT))
        self.assert_nothing_left(processes)

    def test_a_killed_launcher_leaves_nothing(self):
        one, processes = self.busy()
        one.process.kill()
        one.process.wait(harness.WAIT)
        self.assert_nothing_left(processes)

    def test_a_killed_broker_leaves_nothing(self):
        one, processes = self.busy()
        broker = next(p for p in harness.descendants(one.process.pid) if harness.descendants(p))
        os.kill(broker, signal.SIGKILL)
        one.process.wait(harness.WAIT)
        self.assert_nothing_left(processes)

    def test_workers_that_come_and_go_leave_nothing(self):
        with plane() as one:
            one.snapshot("a", HANDLERS)
            for _ in range(3):
                worker = one.ready("a")
                worker.kill()
                worker.exited()
            self.assertLessEqual(len(harness.descendants(one.process.pid)), 2)
            self.assertEqual(set(), {entry for folder in harness.groups(one.process.pid) for entry in os.listdir(folder)
                                     if os.path.isdir(os.path.join(folder, entry))})


class WithoutRunscTest(unittest.TestCase):
    def test_a_program_that_is_not_there_is_named(self):
        with harness.Plane(tier="gvisor", runsc="/nowhere/runsc") as one:
            self.assertEqual("start_failed", one.first["type"])
            self.assertIn("/nowhere/runsc", one.first["reason"])

    @unittest.skipUnless(os.geteuid() == 0, "root only plays an ordinary user")
    def test_an_ordinary_user_is_told_what_is_missing(self):
        if not harness.python_for(harness.USER):
            self.skipTest("user %d can run no interpreter" % harness.USER)
        with harness.Plane(tier="gvisor", runsc="/bin/true", as_uid=harness.USER) as one:
            self.assertEqual("start_failed", one.first["type"])
            self.assertIn("needs root", one.first["reason"])


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, encoding="utf-8", errors="replace") as file:
            return file.read().split("\0")
    except OSError:
        return []


if __name__ == "__main__":
    unittest.main()
