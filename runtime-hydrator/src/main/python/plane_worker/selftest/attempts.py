"""What attempts to get out of a worker have in common: those of this snapshot and the wider ones of the escape suite.

An attempt is a function of the event that returns a text when it got out and None when it was held. A refusal by whatever wall
counts as held.
"""

import errno
import importlib
import os
import platform
import signal
import socket

from aiel_sdk import tool

# Static import is refused by the import scan; that scan is a lint, and this is how anyone gets around it.
ctypes = importlib.import_module("ctypes")
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
X86 = platform.machine() == "x86_64"
#: System call numbers: (x86_64, aarch64).
NUMBERS = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "mount": (165, 40),
    "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268), "pivot_root": (155, 41), "chroot": (161, 51), "bpf": (321, 280),
    "keyctl": (250, 219), "add_key": (248, 217), "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "pidfd_open": (434, 434), "open_by_handle_at": (304, 265),
    "clone": (56, 220), "clone3": (435, 435), "shmget": (29, 194), "shmctl": (31, 195), "personality": (135, 92), "fsopen": (430, 430),
    "open_tree": (428, 428), "syslog": (103, 116), "kcmp": (312, 272), "tkill": (200, 130), "seccomp": (317, 277),
    "process_madvise": (440, 440), "init_module": (175, 105), "kexec_load": (246, 104), "quotactl": (179, 60), "swapon": (167, 224),
    "fanotify_init": (300, 262), "execveat": (322, 281), "sched_setaffinity": (203, 122), "splice": (275, 76), "vmsplice": (278, 75),
}
NOT_AN_ESCAPE = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOENT, errno.EROFS, errno.ESRCH, errno.ENOSPC, errno.EAGAIN, errno.ENXIO)


def attempt(name):
    """Exports ``fn(event) -> str | None`` as a tool: a text is an escape, None or a refusal is not."""
    def decorate(fn):
        @tool(name, description=fn.__doc__)
        def run(ctx, event):
            try:
                found = fn(event)
            except OSError as problem:
                return {"escaped": problem.errno not in NOT_AN_ESCAPE, "detail": "refused: %s" % problem}
            return {"escaped": found is not None, "detail": found if found is not None else "held"}
        return fn
    return decorate


def call(name, *arguments):
    """Makes a system call, by name or number; raises OSError if it fails."""
    ctypes.set_errno(0)
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    number = name if isinstance(name, int) else NUMBERS[name][0 if X86 else 1]
    result = libc.syscall(ctypes.c_long(number), *converted)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, "%s: %s" % (name, os.strerror(code)))
    return result


def child(name, *arguments):
    """Makes a system call that may make a process, and ends that process; raises OSError if the call fails.

    The process is a copy of this thread alone. Whoever held the interpreter's lock while the call was made is not in it, so it may wait for
    that lock for ever, with a copy of the worker's socket. It is killed, whatever it does.
    """
    pid = call(name, *arguments)
    if pid == 0:
        os._exit(0)
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except OSError:
        pass  # it has ended, or is another's child by its flags
    return "%s made process %d" % (name, pid)


def first_readable(paths):
    for path in paths:
        try:
            with open(path, "rb") as file:
                if file.read(1):
                    return "could read %s" % path
        except OSError:
            pass
    return None


def others():
    """Ids of other processes in sight."""
    try:
        return [int(n) for n in os.listdir("/proc") if n.isdigit() and int(n) != os.getpid()]
    except OSError:
        return []


def target(event):
    return int(event.get("pid") or os.getppid() or 2)


def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as s:
        s.settimeout(2)
        try:
            s.connect(address)
        except (ConnectionRefusedError, TimeoutError) as problem:
            return "reached the network: %s" % problem
        return "connected to %r" % (address,)


def reachable(ways):
    found = []
    for name, arguments in ways:
        try:
            result = call(name, *arguments)
            found.append(name)
            if name in ("memfd_secret", "userfaultfd", "pidfd_open", "fanotify_init"):
                os.close(result)
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.ENOSYS, errno.EACCES):
                found.append("%s (%s)" % (name, errno.errorcode.get(problem.errno)))
    return "reachable: %s" % ", ".join(found) if found else None
