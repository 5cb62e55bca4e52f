"""Control groups of version 2 on a folder that looks like one, and what a real one can show here; and of version 1 what is new."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import harness

sys.path.insert(0, os.path.dirname(harness.WORKER_CODE))
from plane_worker import cgroups  # noqa: E402

LIMITS = {"memory_bytes": 64 << 20, "pids": 8}
_FILES = {"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "", "cgroup.procs": "", "memory.max": "max\n",
          "memory.swap.max": "max\n", "memory.oom.group": "0\n", "memory.current": "0\n", "memory.events": "low 0\nmax 0\noom_kill 0\n",
          "pids.max": "max\n", "pids.events": "max 0\n", "cpu.weight": "100\n"}


def text(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


class FakeVersion2(unittest.TestCase):
    """The kernel's part is played by the three functions by which the module touches folders: what they do is done, and said back."""

    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="plane-cgroup2-")
        self.addCleanup(shutil.rmtree, self.base, True)
        os.makedirs(self.base + "/proc/self")
        self.mount = self.base + "/mount"
        self.own = self.mount + "/own"
        self.busy = set()
        self.folder(self.mount)
        self.folder(self.own)
        with open(self.base + "/proc/self/cgroup", "w") as file:
            file.write("0::/own\n")
        with open(self.base + "/proc/self/mountinfo", "w") as file:
            file.write("30 20 0:26 / %s rw - cgroup2 cgroup2 rw\n" % self.mount)
        mkdir, rmdir, write = os.mkdir, os.rmdir, cgroups._write

        def make(path, mode=0o777, *, dir_fd=None):
            mkdir(path, mode, dir_fd=dir_fd)
            for name, content in _FILES.items():
                fd = os.open(os.path.join(path, name), os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=dir_fd)
                os.write(fd, content.encode())
                os.close(fd)

        def remove(path, *, dir_fd=None):
            for name in _FILES:
                try:
                    os.unlink(os.path.join(path, name), dir_fd=dir_fd)
                except FileNotFoundError:
                    pass
            rmdir(path, dir_fd=dir_fd)

        def writes(path, content, dir_fd=None):
            if path.endswith("/cgroup.subtree_control") and self.busy and os.path.dirname(path) == self.own:
                raise OSError(errno.EBUSY, "processes in the group")
            if path.endswith("/" + cgroups._SERVER + "/cgroup.procs"):
                self.busy.discard(content)
                self.write(self.own + "/cgroup.procs", "\n".join(sorted(self.busy)))
            if dir_fd is None and os.path.exists(path) and not path.endswith("cgroup.procs"):
                os.truncate(path, 0)
            write(path, content, dir_fd)

        for target, name, new in ((cgroups.os, "mkdir", make), (cgroups.os, "rmdir", remove), (cgroups, "_write", writes),
                                  (cgroups, "_PROC", self.base + "/proc")):
            self.addCleanup(setattr, target, name, getattr(target, name))
            setattr(target, name, new)

    def folder(self, path):
        os.mkdir(path)
        for name, content in _FILES.items():
            self.write(path + "/" + name, content)

    def write(self, path, content):
        with open(path, "w") as file:
            file.write(content)

    def test_a_worker_gets_its_limits_and_what_was_hit_is_told(self):
        groups, why = cgroups.create()
        self.assertIsNone(why)
        self.addCleanup(groups.remove)
        self.assertEqual("v2", groups.version)
        folder = groups.folders[""]
        self.assertEqual(self.own, os.path.dirname(folder))
        self.assertEqual({"+memory", "+pids", "+cpu"}, set(text(self.own, "cgroup.subtree_control").split()))
        self.assertEqual({"+memory", "+pids", "+cpu"}, set(text(folder, "cgroup.subtree_control").split()))
        self.assertTrue(text(folder, "cpu.weight").startswith("50"), "all workers together")
        groups.add("w1", LIMITS)
        worker = folder + "/w1"
        self.assertTrue(text(worker, "memory.max").startswith(str(64 << 20)))
        self.assertTrue(text(worker, "pids.max").startswith("8"))
        self.assertTrue(text(worker, "memory.swap.max").startswith("0"))
        self.assertTrue(text(worker, "memory.oom.group").startswith("1"))
        groups.join("w1")
        self.assertEqual("0", text(worker, "cgroup.procs"))
        self.assertTrue(groups.weigh("w1", True))
        self.assertTrue(text(worker, "cpu.weight").startswith("3"))
        self.assertFalse(groups.at_memory_limit("w1"))
        self.write(worker + "/memory.max", str(64 << 20))
        self.write(worker + "/memory.current", str(64 << 20))
        self.write(worker + "/memory.events", "low 0\nmax 7\noom_kill 0\n")
        self.assertTrue(groups.at_memory_limit("w1"))
        self.write(worker + "/memory.events", "low 0\nmax 7\noom_kill 1\n")
        self.write(worker + "/pids.events", "max 0\n")
        self.assertEqual((True, False), groups.end("w1"))
        self.assertFalse(os.path.exists(worker))
        groups.add("w2", LIMITS)
        self.write(folder + "/w2/pids.events", "max 3\n")
        self.assertEqual((False, True), groups.end("w2"))

    def test_a_server_that_shares_its_group_moves_down_to_make_room(self):
        """Meant to fail: without the move, no group of a container's server has limits, since the kernel wants its processes gone."""
        self.busy = {"101", "102"}
        self.write(self.own + "/cgroup.procs", "101\n102\n")
        groups, why = cgroups.create()
        self.assertIsNone(why)
        self.addCleanup(groups.remove)
        self.assertEqual(set(), self.busy)
        self.assertTrue(os.path.isdir(self.own + "/" + cgroups._SERVER))
        self.assertEqual(self.own, os.path.dirname(groups.folders[""]))
        # The next launcher is a child of the server that was moved.
        self.write(self.base + "/proc/self/cgroup", "0::/own/%s\n" % cgroups._SERVER)
        self.assertEqual(self.own, cgroups._own_paths()[""].removesuffix("/" + cgroups._SERVER))

    def test_what_is_not_delegated_is_said(self):
        self.write(self.own + "/cgroup.controllers", "cpu pids\n")
        groups, why = cgroups.create()
        self.assertIsNone(groups)
        self.assertIn("controllers not delegated", why)
        self.assertIn("memory", why)
        self.assertEqual([], [n for n in os.listdir(self.own) if n.startswith("aiel-plane-")])

    def test_without_a_cpu_controller_the_limits_hold_none_the_less(self):
        self.write(self.own + "/cgroup.controllers", "memory pids\n")
        self.addCleanup(_FILES.__setitem__, "cgroup.controllers", _FILES["cgroup.controllers"])
        _FILES["cgroup.controllers"] = "memory pids\n"
        groups, why = cgroups.create()
        self.assertIsNone(why)
        self.addCleanup(groups.remove)
        self.assertEqual({"+memory", "+pids"}, set(text(self.own, "cgroup.subtree_control").split()))


def _real_version2():
    """A folder of a mounted version 2 hierarchy in which we may make groups, or None."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        for line in table:
            left, _, right = line.partition(" - ")
            if right.split()[0] == "cgroup2":
                folder = os.path.join(left.split()[4], "aiel-plane-test-%d" % os.getpid())
                try:
                    os.mkdir(folder)
                    return folder
                except OSError:
                    continue
    return None


class RealVersion2(unittest.TestCase):
    def setUp(self):
        self.folder = _real_version2()
        if self.folder is None:
            self.skipTest("no version 2 hierarchy in which groups can be made")
        self.children = []
        self.addCleanup(self.clean)

    def clean(self):
        for child in self.children:
            child.kill()
            child.wait()
        for folder, folders, _ in os.walk(self.folder, topdown=False):
            os.rmdir(folder)

    def child_in(self, folder):
        child = subprocess.Popen(["sleep", "600"])
        self.children.append(child)
        cgroups._write(folder + "/cgroup.procs", str(child.pid))
        return child

    def test_removing_ends_whoever_is_still_in_a_group(self):
        """Meant to fail: without cgroup.kill the group stays, since a process is in it."""
        mine = self.folder + "/aiel-plane-1-1"
        os.mkdir(mine)
        groups = cgroups.Groups("v2", {"": mine})
        os.mkdir(mine + "/w1")
        child = self.child_in(mine + "/w1")
        groups.close()
        groups.remove()
        self.assertEqual(-9, child.wait(10))
        self.assertFalse(os.path.exists(mine))

    def test_a_shared_group_is_emptied_for_its_controllers(self):
        available = text(self.folder, "cgroup.controllers").split()
        if not available:
            self.skipTest("no controller to turn on here")
        child = self.child_in(self.folder)
        self.addCleanup(setattr, cgroups, "_CONTROLLERS", cgroups._CONTROLLERS)
        self.addCleanup(setattr, cgroups, "_OPTIONAL", cgroups._OPTIONAL)
        cgroups._CONTROLLERS, cgroups._OPTIONAL = (available[0],), ()
        cgroups._delegate(self.folder)
        self.assertIn(available[0], text(self.folder, "cgroup.subtree_control").split())
        self.assertEqual([str(child.pid)], text(self.folder, cgroups._SERVER, "cgroup.procs").split())
        self.assertEqual("", text(self.folder, "cgroup.procs"))


class Version1(unittest.TestCase):
    def test_a_worker_that_computes_on_weighs_less_until_it_stops(self):
        """Meant to fail: without the zygote's look at who computes."""
        entry = ("import time\nfrom aiel_sdk import tool\n@tool('burn')\ndef burn(ctx, e):\n    end = time.monotonic() + e['s']\n"
                 "    while time.monotonic() < end:\n        pass\n    return {}\n")
        with harness.Plane() as plane:
            folder = next((f for f in harness.groups(plane.process.pid) if "/cpu" in f), None)
            if plane.first["isolation"]["cgroup"] != "v1" or folder is None:
                self.skipTest("no version 1 groups with a CPU controller")
            plane.snapshot("burn", entry)
            worker = plane.ready("burn")
            shares = os.path.join(folder, worker.name, "cpu.shares")
            self.assertEqual("512", text(folder, "cpu.shares").strip(), "all workers together")
            self.assertEqual("1024", text(shares).strip())
            worker.start({"action": "invoke", "kind": "tool", "handler": "burn", "event": {"s": 20}, "meta": {"timeout_ms": 30000}})
            self.assertTrue(harness.wait_until(lambda: text(shares).strip() == "32", 15))
            worker.kill()
            worker.exited()
            idle = plane.ready("burn")
            idle.tool("burn", {"s": 2})
            self.assertTrue(harness.wait_until(lambda: text(os.path.join(folder, idle.name, "cpu.shares")).strip() == "1024", 15))
            idle.kill()
            idle.exited()


if __name__ == "__main__":
    unittest.main()
