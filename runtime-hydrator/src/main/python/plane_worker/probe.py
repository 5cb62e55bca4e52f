"""Says which tiers this host can give, by going through each of them with an empty worker: ``launcher.py --probe``.

Nothing of it is left afterwards; each tier is tried in processes of its own.
"""

import json
import os
import signal

from . import cgroups, landlock, seccomp, syscalls
from .gvisor import Sandboxes
from .jail import Jail

_LIMITS = {"memory_bytes": 256 << 20, "pids": 16, "cpu_seconds": 10, "file_bytes": 1 << 20, "open_files": 64, "tmp_bytes": 1 << 20}


_TIERS = ("gvisor", "namespaces", "restricted", "none")


def probe(wanted=_TIERS):
    """A JSON object: each wanted tier with ``available`` and, if not, ``why``; and the parts they are made of."""
    groups, why = cgroups.create()
    try:
        tiers = {tier: _try(tier, groups if tier != "none" else None) for tier in _TIERS if tier in wanted}
        parts = {
            "architecture": syscalls.MACHINE,
            "landlock_abi": landlock.abi() if syscalls.supported() else 0,
            "seccomp": syscalls.supported() and seccomp.available(),
            "cgroup": groups.version if groups else None,
        }
        if why:
            parts["cgroup_why_not"] = why
        usual = tiers.get("namespaces", {})
        return {"auto": "namespaces" if usual.get("available") else None, "tiers": tiers, "parts": parts}
    finally:
        if groups is not None:
            groups.close()
            groups.remove()


def _try(tier, groups):
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _report(write_end, lambda: _zygote(tier, groups))
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        raw = file.read()
    os.waitpid(pid, 0)
    if not raw:
        return {"available": False, "why": "the probing process ended without an answer"}
    return json.loads(raw)


def _report(fd, work):
    """Runs ``work``, writes what came of it, and ends the process."""
    try:
        try:
            answer = work()
        except Exception as problem:
            answer = {"available": False, "why": str(problem) or type(problem).__name__}
        os.write(fd, json.dumps(answer).encode("utf-8"))
    finally:
        os._exit(0)


def _nested(work, seconds=10):
    """Runs ``work`` in a child made by ``work.fork`` and returns its answer."""
    read_end, write_end = os.pipe()
    pid = work[0]()
    if pid == 0:
        os.close(read_end)
        signal.alarm(seconds)
        _report(write_end, work[1])
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        raw = file.read()
    os.waitpid(pid, 0)
    return json.loads(raw) if raw else {"available": False, "why": "a probing process was killed"}


def _zygote(tier, groups):
    here = os.path.dirname(os.path.abspath(__file__))
    if tier == "gvisor":
        return _gvisor(here, groups)
    jail = Jail({"tier": tier, "store": here, "bundle": "", "socket": "", "uid_base": 64000, "slots": 1}, groups)
    jail.enter_outer()

    def inside():
        jail.close()
        jail.seal()

        def worker():
            jail.enter("selftest", 0, _LIMITS, os.getppid())
            return {"available": True}

        answer = _nested((jail.fork, worker))
        if answer["available"]:
            answer["isolation"] = jail.report()
        return answer

    return _nested((os.fork, inside))


def _gvisor(here, groups):
    """Starts a sandbox in which the interpreter runs and ends; without a bundle it imports none."""
    broker = Sandboxes({"tier": "gvisor", "store": here, "bundle": "", "socket": "", "uid_base": 64000, "slots": 1}, groups)
    broker.enter_outer()

    def inside():
        broker.close()
        broker.preload()
        return {"available": True, "isolation": broker.report()}

    return _nested((os.fork, inside), 25)
