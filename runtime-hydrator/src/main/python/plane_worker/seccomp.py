"""The workers' system call filter: an allow-list, assembled to classic BPF.

What is not named here fails with ``EPERM``; a call by another architecture's table kills the process. ``clone3`` fails with
``ENOSYS`` so that the C library falls back to ``clone``, whose flags (unlike those of ``clone3``) a filter can read.
"""

import ctypes
import struct

from . import syscalls

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_LD_ABS, _JEQ, _JGE, _JSET, _RET, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54

# Every call that is let through, with its reason. No call here makes a process, a socket to elsewhere, a mount, a namespace, a
# credential or a key, or reaches into another process. What is left out though harmless had nobody who needs it: timer_create and
# signalfd (Python has no function for them), setsockopt (attaches programs to sockets), getpgid, getsid and getpriority (tell of
# other processes), capget, mincore, getdents, utime and other calls that the C library no longer makes.
_REASONS = (
    ("files and streams, and closing what was inherited",
     "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range creat"),
    ("locks of fcntl, durability, os.truncate and os.posix_fallocate in the scratch folder",
     "flock fsync fdatasync truncate ftruncate fallocate fadvise64"),
    ("shutil.copyfile and os.copy_file_range", "sendfile copy_file_range"),
    ("descriptors: the captured output, asyncio's own pipe", "dup dup2 dup3 pipe pipe2"),
    ("the import system, os.stat, os.access, shutil.disk_usage", "stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2"),
    ("folders", "getdents64 getcwd chdir fchdir mkdir mkdirat rmdir"),
    ("names in the scratch folder; elsewhere mounts and Landlock say no",
     "rename renameat renameat2 link linkat unlink unlinkat symlink symlinkat readlink readlinkat chmod fchmod fchmodat umask utimensat"),
    ("os.getxattr and what shutil.copystat asks", "getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr"),
    ("memory: malloc, mmap, ctypes and pydantic's native code", "mmap mprotect munmap mremap brk msync madvise"),
    ("waiting: select, selectors, asyncio", "select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait"),
    ("os.eventfd, os.timerfd_create", "eventfd2 timerfd_create timerfd_settime timerfd_gettime"),
    ("signal.setitimer, signal.alarm, signal.pause", "getitimer setitimer alarm pause"),
    ("time", "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times"),
    ("the connection to the server and stream pairs, which are the only sockets",
     "recvfrom sendmsg recvmsg shutdown getsockname getpeername getsockopt"),
    ("signals to itself and their handlers; faulthandler",
     "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait sigaltstack restart_syscall"),
    ("threads, their locks and their end",
     "futex set_robust_list set_tid_address rseq membarrier sched_yield exit exit_group"),
    ("how many processors there are: os.cpu_count, OpenBLAS", "sched_getaffinity sched_getparam sched_getscheduler getcpu"),
    ("who am I: os.getpid and the like, tempfile, getpass",
     "getpid getppid gettid getuid geteuid getgid getegid getgroups getresuid getresgid getpgrp"),
    ("platform, sysconf, the resource module, secrets", "uname sysinfo getrlimit getrusage getrandom"),
    ("os.waitpid, which says that there is no child", "wait4 waitid"),
)
_ALLOWED = [name for _, names in _REASONS for name in names.split()]

# Variants, each more by what its name says. A profile is one of them or several joined by "+"; `default` is none.
#
# network: sockets of TCP, in a network namespace that has nothing but a loopback; who listens there is made before the filter.
_NETWORK = "connect accept accept4".split()
_AF_INET, _AF_INET6, _SOCK_STREAM, _IPPROTO_TCP, _SOL_SOCKET = 2, 10, 1, 6, 1
_TCP_OPTIONS = (1, 4, 5, 6, 18)  # NODELAY, KEEPIDLE, KEEPINTVL, KEEPCNT, USER_TIMEOUT
_SOCKET_OPTIONS = (2, 7, 8, 9, 13, 20, 21, 66, 67)  # REUSEADDR, SNDBUF, RCVBUF, KEEPALIVE, LINGER, RCVTIMEO, SNDTIMEO (old and new)
# subprocess: forks of this process, and signals to what it may see, in a process namespace of its own. No program: there is none.
PROFILES = ("default", "network", "subprocess", "network+subprocess")

# Landlock does not cover these (truncate before ABI 3): where no mount is read-only they would change the mode and times of every
# file that the server's user owns. Without a scratch folder nobody needs them.
_OF_SCRATCH = frozenset("chmod fchmod fchmodat utimensat truncate".split())

_CLONE_THREAD = 0x00010000
_CLONE_PTRACE, _CLONE_PARENT = 0x00002000, 0x00008000
_PRCTL_ALLOWED = (15, 16, 0x53564D41, 3, 39)  # SET_NAME, GET_NAME, SET_VMA (allocators name their mappings), GET_DUMPABLE, GET_NO_NEW_PRIVS
# What is left out leases files, watches folders, or has signals sent, to others too: SETLEASE, NOTIFY, SETOWN, SETSIG and their like.
_FCNTL_ALLOWED = (
    0, 1, 2, 3,  # DUPFD, GETFD, SETFD, GETFL; SETFL is looked at more closely
    5, 6, 7, 36, 37, 38,  # GETLK, SETLK, SETLKW and their OFD kin: sqlite3, fcntl.lockf
    1030, 1031, 1032,  # DUPFD_CLOEXEC: os.dup; SETPIPE_SZ, GETPIPE_SZ: subprocess's pipesize, which the kernel bounds
)
_F_SETFL, _O_ASYNC = 4, 0x2000
_O_ACCMODE, _O_TRUNC = 3, 0x200
_IOCTL_ALLOWED = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX


def _ins(code, jt=0, jf=0, k=0):
    return struct.pack("=HBBI", code, jt, jf, k & 0xFFFFFFFF)


def _ret(action):
    return _ins(_RET, 0, 0, action)


def _load_low(argument):
    return _ins(_LD_ABS, 0, 0, 16 + 8 * argument)


def _load_high(argument):
    return _ins(_LD_ABS, 0, 0, 20 + 8 * argument)


def _only_if_one_of(argument, values):
    """Allows when the low half of the argument is one of ``values``."""
    code = [_load_low(argument)]
    for value in values:
        code += [_ins(_JEQ, 0, 1, value), _ret(_ALLOW)]
    return code + [_ret(_ERRNO | _EPERM)]


def _only_if_zero(argument):
    """Allows when both halves of the argument are zero."""
    return [_load_low(argument), _ins(_JEQ, 0, 3, 0), _load_high(argument), _ins(_JEQ, 0, 1, 0), _ret(_ALLOW),
            _ret(_ERRNO | _EPERM)]


def _fcntl():
    """Allows descriptors, record locks and the size of a pipe; of a file's flags all but the one that has signals sent."""
    return [_load_low(1), _ins(_JEQ, 0, 4, _F_SETFL), _load_low(2), _ins(_JSET, 0, 1, _O_ASYNC), _ret(_ERRNO | _EPERM), _ret(_ALLOW),
            ] + _only_if_one_of(1, _FCNTL_ALLOWED)


def _open(flags):
    """Allows the access modes that say what they do. The fourth, 3, and a truncation by who only reads are not writing to Landlock, which
    knows truncation since ABI 3: before, either could empty a file."""
    return [_load_low(flags), _ins(_AND, 0, 0, _O_ACCMODE), _ins(_JEQ, 4, 0, 3), _ins(_JEQ, 0, 2, 0),
            _load_low(flags), _ins(_JSET, 1, 0, _O_TRUNC), _ret(_ALLOW), _ret(_ERRNO | _EPERM)]


def _socket():
    """Allows streams of TCP over IP, whatever the flags; no MPTCP or SCTP."""
    return [_load_low(0), _ins(_JEQ, 1, 0, _AF_INET), _ins(_JEQ, 0, 7, _AF_INET6),
            _load_low(1), _ins(_AND, 0, 0, 0xF), _ins(_JEQ, 0, 4, _SOCK_STREAM),
            _load_low(2), _ins(_JEQ, 1, 0, 0), _ins(_JEQ, 0, 1, _IPPROTO_TCP), _ret(_ALLOW), _ret(_ERRNO | _EPERM)]


def _setsockopt():
    """Allows what clients set; no filters, upper layer protocols, or tables."""
    code = [_load_low(1)]
    for level, options in ((_IPPROTO_TCP, _TCP_OPTIONS), (_SOL_SOCKET, _SOCKET_OPTIONS)):
        body = _only_if_one_of(2, options)
        code += [_ins(_JEQ, 0, len(body), level)] + body
    return code + [_ret(_ERRNO | _EPERM)]


def _special(own_pid, parts=()):
    """Calls that depend on their arguments: what is run for each; every path through it ends with a verdict."""
    special = {
        "clone3": [_ret(_ERRNO | _ENOSYS)],
        "openat2": [_ret(_ERRNO | _ENOSYS)],
        # Files; where Landlock and the mounts let it.
        "open": _open(1),
        "openat": _open(2),
        "fcntl": _fcntl(),
        # A thread, and no new namespace (their flags are all in 0x7E020000, NEWTIME 0x80 is not possible with clone).
        "clone": [_load_low(0), _ins(_JSET, 0, 2, 0x7E020000), _ret(_ERRNO | _EPERM), _ret(_ERRNO | _EPERM),
                  _ins(_JSET, 0, 1, _CLONE_THREAD), _ret(_ALLOW), _ret(_ERRNO | _EPERM)],
        "kill": _only_if_one_of(0, (own_pid,)),
        "tgkill": _only_if_one_of(0, (own_pid,)),
        "prctl": _only_if_one_of(0, _PRCTL_ALLOWED),
        "ioctl": _only_if_one_of(1, _IOCTL_ALLOWED),
        # Reading its own limits is fine; setting them, or reading those of others, is not.
        "prlimit64": [_load_low(0), _ins(_JEQ, 1, 0, 0), _ret(_ERRNO | _EPERM)] + _only_if_zero(2),
        # A destination would reach sockets elsewhere.
        "sendto": _only_if_zero(4),
        # asyncio wakes itself through a pair. Streams only: a datagram socket could be given a destination by sendmsg.
        "socketpair": [_load_low(0), _ins(_JEQ, 0, 4, 1), _load_low(1), _ins(_AND, 0, 0, 0xF), _ins(_JEQ, 0, 1, 1), _ret(_ALLOW),
                       _ret(_ERRNO | _EPERM)],
    }
    if "network" in parts:
        special["socket"] = _socket()
        special["setsockopt"] = _setsockopt()
    if "subprocess" in parts:
        special["clone"] = [_load_low(0), _ins(_JSET, 0, 1, 0x7E020000 | _CLONE_PTRACE | _CLONE_PARENT), _ret(_ERRNO | _EPERM),
                            _ret(_ALLOW)]
        del special["kill"], special["tgkill"]
    return special


def _names(parts):
    """The calls that a profile lets through whatever their arguments."""
    return _ALLOWED + (_NETWORK if "network" in parts else []) + (["kill", "tgkill"] if "subprocess" in parts else [])


def numbers(profile="default"):
    """The numbers of all calls that a profile's filter lets through, some of them with certain arguments only."""
    parts = profile.split("+")
    return sorted(syscalls.NUMBERS[name] for name in set(_names(parts)) | set(_special(1, parts)) if name in syscalls.NUMBERS)


def program(own_pid, profile="default", scratch=True):
    """The filter's bytes, for a process whose own id (as it sees it) is ``own_pid``: it may signal nobody else.

    ``scratch``: it has a folder of its own to write in, and everything else is mounted read-only.
    """
    if profile not in PROFILES:
        raise ValueError("unknown profile %r" % profile)
    parts = profile.split("+")
    arch = _AUDIT_ARCH[syscalls.MACHINE]
    numbers = syscalls.NUMBERS
    special, names = _special(own_pid, parts), _names(parts)
    code = [_ins(_LD_ABS, 0, 0, 4), _ins(_JEQ, 1, 0, arch), _ret(_KILL), _ins(_LD_ABS, 0, 0, 0)]
    if syscalls.MACHINE == "x86_64":
        code += [_ins(_JGE, 0, 1, 0x40000000), _ret(_KILL)]  # the x32 table

    for name, body in special.items():
        if name in numbers:
            if len(body) > 255:
                raise ValueError("too long for one jump: " + name)
            code += [_ins(_JEQ, 0, len(body), numbers[name])] + body

    allowed = sorted(numbers[name] for name in names if name in numbers and (scratch or name not in _OF_SCRATCH))
    ranges = []
    for number in allowed:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    for low, high in ranges:  # ascending, so a number below the range is not in any later one
        code += [_ins(_JGE, 3, 0, high + 1), _ins(_JGE, 0, 1, low), _ret(_ALLOW), _ret(_ERRNO | _EPERM)]
    code.append(_ret(_ERRNO | _EPERM))
    return b"".join(code)


def digest(profile="default", scratch=True):
    """What the filter is, in a few characters: a hash of its bytes (those of process 1, where the process's id is in them)."""
    import hashlib
    return "sha256:" + hashlib.sha256(program(1, profile, scratch)).hexdigest()


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install(code):
    """Puts the filter on the calling thread and all it will make. Needs no_new_privs. There is no way back."""
    buffer = ctypes.create_string_buffer(code, len(code))
    fprog = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    syscalls.syscall("seccomp", 1, 0, ctypes.byref(fprog))


def available():
    """True if the kernel has filters and the architecture is one we have numbers for."""
    if syscalls.MACHINE not in _AUDIT_ARCH:
        return False
    try:
        value = ctypes.c_uint32(_KILL)
        syscalls.syscall("seccomp", 2, 0, ctypes.byref(value))  # SECCOMP_GET_ACTION_AVAIL
        return True
    except OSError:
        return False
