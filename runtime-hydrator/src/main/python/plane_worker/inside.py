"""What runs in a gVisor sandbox: ``python3 -I -S -B inside.py`` with one JSON document on standard input.

Without ``spawn`` it imports the bundle, prints the versions and ends. With it, it becomes that worker. The sandbox holds nothing else.
"""

import json
import os
import resource
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from plane_worker import seccomp, syscalls, worker, zygote  # noqa: E402

sys.path.pop(0)


class Inside:
    """The walls that a worker in a sandbox adds to those that the sandbox is."""

    tier = "gvisor"
    groups = None
    landlock_abi = 0
    imports = ()  # each sandbox has an interpreter of its own, and imports what its snapshot asks for
    app, socket = "/app", "/run/plane.sock"

    def __init__(self, bundle, memory_in_cgroup, uid):
        self.bundle = bundle
        self._uid = uid
        self._memory_in_cgroup = memory_in_cgroup

    def enter(self, snapshot, slot, limits, parent, profile="default"):
        os.chdir(self.app)
        for kind, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, limits["open_files"]),
                            (resource.RLIMIT_FSIZE, limits["file_bytes"]), (resource.RLIMIT_CPU, limits["cpu_seconds"]),
                            (resource.RLIMIT_STACK, 8 << 20), (resource.RLIMIT_NPROC, limits["pids"])):
            _limit(kind, int(value))
        if not self._memory_in_cgroup:
            with open("/proc/self/statm", encoding="ascii") as statm:
                own = int(statm.read().split()[0]) * resource.getpagesize()
            _limit(resource.RLIMIT_AS, own + int(limits["memory_bytes"]))
        syscalls.drop_bounding()
        os.setgroups([])
        os.setresgid(self._uid, self._uid, self._uid)
        os.setresuid(self._uid, self._uid, self._uid)
        syscalls.set_capabilities()
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        seccomp.install(seccomp.program(os.getpid(), profile))


def _limit(kind, value):
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def main():
    request = json.load(sys.stdin)
    if not request["bundle"]:
        print("{}")
        return
    inside = Inside(request["bundle"], request.get("memory_in_cgroup", False), request.get("uid", 65534))
    versions = zygote.preload(inside)
    if "spawn" not in request:
        print(json.dumps(versions))
        return
    worker.run(request["spawn"], inside, request["environment"])


if __name__ == "__main__":
    main()
