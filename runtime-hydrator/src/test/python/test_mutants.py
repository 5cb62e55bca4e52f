"""Walls with a hole: each must be noticed by the self-test's attempts, which the server makes before it is ready.

The hole is made in this plane's own copy of the workers' code, never by a setting of the product.
"""

import os
import unittest

import harness
from test_isolation import run_attempts

_SECCOMP = ("jail.py", "            seccomp.install(self._filters.get(profile) or seccomp.program(os.getpid(), profile, scratch=False))\n", "            pass\n")

#: name: (patches, an attempt that must notice, only as root)
MUTANTS = {
    "the host's etc is mounted": (
        [("jail.py", '        package = sys.modules[__package__]\n',
          '        _bind_folder("/old/etc", "/new/etc", "ro")\n        package = sys.modules[__package__]\n')], "read_host_files", False),
    "there is no filter": ([_SECCOMP], "kernel_surface", False),
    "the filter lets a call through": (
        [("seccomp.py", "read write readv", "socket connect read write readv")], "raw_sockets", False),
    "fcntl is let through with every command": (
        [("seccomp.py", '        "fcntl": _fcntl(),\n', '        "fcntl": [_ret(_ALLOW)],\n')], "file_controls", False),
    "files are opened with every access mode": (
        [("seccomp.py", '        "openat": _open(2),\n', '        "openat": [_ret(_ALLOW)],\n')], "access_modes", False),
    "workers share a uid": (
        [("jail.py", "uid = self.uid_base + slot\n", "uid = self.uid_base\n")], "own_uid", True),
    "a descriptor of the zygote is left open": (
        [("worker.py", "    os.closerange(low, high)\n", "    os.open('/', os.O_RDONLY)\n")], "inherited_descriptors", False),
    "the store stays mounted": (
        [("jail.py", "filter(None, (_STORE, self.socket,", "filter(None, (self.socket,")], "other_snapshot", False),
    "the zygote's processes are in sight": (
        [("jail.py", 'syscalls.unshare(CLONE_NEWPID, "unshare(pid)")\n        pid = -1', "pid = -1"),
         ("jail.py", "self._filters.get(profile) or ", "")], "see_processes", False),
}


class MutantsTest(unittest.TestCase):
    def test_each_hole_is_noticed(self):
        for name, (patches, attempt, only_root) in MUTANTS.items():
            if only_root and os.geteuid() != 0:
                continue
            with self.subTest(name), harness.Plane(patch=patches) as plane:
                self.assertEqual("hello", plane.first["type"], plane.first)
                found = run_attempts(plane)
                self.assertTrue(found[attempt]["escaped"], {n: r["detail"] for n, r in found.items() if r["escaped"]})


if __name__ == "__main__":
    unittest.main()
