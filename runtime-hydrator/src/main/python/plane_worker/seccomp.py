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

# What Python, its threads, asyncio and files need. No call here makes a process, a socket to elsewhere, a mount, a namespace,
# a credential or a key, or reaches into another process.
_ALLOWED = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek close close_range fcntl flock fsync fdatasync
sync_file_range truncate ftruncate fallocate fadvise64 sendfile copy_file_range dup dup2 dup3 pipe pipe2
open openat creat stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2 getdents getdents64 getcwd chdir fchdir
rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat readlink readlinkat
chmod fchmod fchmodat umask utime utimes utimensat futimesat getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
mmap mprotect munmap mremap brk msync mincore madvise
select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime signalfd signalfd4
timer_create timer_settime timer_gettime timer_getoverrun timer_delete getitimer setitimer alarm pause
nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
recvfrom sendmsg recvmsg shutdown getsockname getpeername getsockopt setsockopt
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack restart_syscall
futex futex_waitv set_robust_list get_robust_list set_tid_address rseq membarrier
sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority getcpu
getpid getppid gettid getuid geteuid getgid getegid getgroups getresuid getresgid getpgrp getpgid getsid capget
uname sysinfo getrlimit getrusage getrandom wait4 waitid exit exit_group
""".split()

_CLONE_THREAD = 0x00010000
_PRCTL_ALLOWED = (15, 16, 0x53564D41, 3, 39)  # SET_NAME, GET_NAME, SET_VMA (allocators name their mappings), GET_DUMPABLE, GET_NO_NEW_PRIVS
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


def program(own_pid):
    """The filter's bytes, for a process whose own id (as it sees it) is ``own_pid``: it may signal nobody else."""
    arch = _AUDIT_ARCH[syscalls.MACHINE]
    numbers = syscalls.NUMBERS
    code = [_ins(_LD_ABS, 0, 0, 4), _ins(_JEQ, 1, 0, arch), _ret(_KILL), _ins(_LD_ABS, 0, 0, 0)]
    if syscalls.MACHINE == "x86_64":
        code += [_ins(_JGE, 0, 1, 0x40000000), _ret(_KILL)]  # the x32 table

    special = {
        "clone3": [_ret(_ERRNO | _ENOSYS)],
        "openat2": [_ret(_ERRNO | _ENOSYS)],
        # A thread, and no new namespace (their flags are all in 0x7E020000, NEWTIME 0x80 is not possible with clone).
        "clone": [_load_low(0), _ins(_JSET, 0, 2, 0x7E020000), _ret(_ERRNO | _EPERM), _ret(_ERRNO | _EPERM),
                  _ins(_JSET, 0, 1, _CLONE_THREAD), _ret(_ALLOW), _ret(_ERRNO | _EPERM)],
        "kill": _only_if_one_of(0, (own_pid,)),
        "tgkill": _only_if_one_of(0, (own_pid,)),
        "prctl": _only_if_one_of(0, _PRCTL_ALLOWED),
        "ioctl": _only_if_one_of(1, _IOCTL_ALLOWED),
        # Reading limits is fine, setting them is not.
        "prlimit64": _only_if_zero(2),
        # A destination would reach sockets elsewhere.
        "sendto": _only_if_zero(4),
        # asyncio wakes itself through a pair. Streams only: a datagram socket could be given a destination by sendmsg.
        "socketpair": [_load_low(0), _ins(_JEQ, 0, 4, 1), _load_low(1), _ins(_AND, 0, 0, 0xF), _ins(_JEQ, 0, 1, 1), _ret(_ALLOW),
                       _ret(_ERRNO | _EPERM)],
    }
    for name, body in special.items():
        if name in numbers:
            if len(body) > 255:
                raise ValueError("too long for one jump: " + name)
            code += [_ins(_JEQ, 0, len(body), numbers[name])] + body

    allowed = sorted(numbers[name] for name in _ALLOWED if name in numbers)
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
