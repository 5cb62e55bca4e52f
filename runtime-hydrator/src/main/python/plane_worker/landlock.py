"""Landlock: which files a worker may open even if every other wall failed; TCP and signals too where the kernel can.

Pathname Unix sockets are not covered (by kernels up to 6.18): the seccomp filter denies ``socket`` and ``connect``.
"""

import ctypes
import os

from . import syscalls

_READ_FILE, _READ_DIR, _WRITE_FILE = 1 << 2, 1 << 3, 1 << 1
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14
#: Read files and list folders; never execute.
READ = _READ_FILE | _READ_DIR
#: What a scratch folder needs; no devices, sockets or pipes.
SCRATCH = READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
#: For /dev/null and the like.
DEVICE = _READ_FILE | _WRITE_FILE
_FILE_ONLY = _READ_FILE | _WRITE_FILE | _TRUNCATE


def abi():
    """The kernel's Landlock version, 0 where there is none."""
    try:
        return syscalls.syscall("landlock_create_ruleset", None, 0, 1)
    except OSError:
        return 0


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class _NetPort(ctypes.Structure):
    _fields_ = [("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64)]


def restrict(rules, version, connect_ports=()):
    """Allows what ``rules`` (pairs of path and rights) say and nothing else. Paths that do not exist are left out.

    ``connect_ports``: the TCP ports that may be connected to, where the kernel can tell.
    """
    handled = (1 << 13) - 1
    if version >= 2:
        handled |= _REFER
    if version >= 3:
        handled |= _TRUNCATE
    if version >= 5:
        handled |= 1 << 15  # ioctl on devices
    ruleset = _Ruleset(handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    fd = syscalls.syscall("landlock_create_ruleset", ctypes.byref(ruleset), size, 0)
    try:
        for path, rights in rules:
            try:
                at = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                allowed = rights & handled
                if not os.path.isdir(path):
                    allowed &= _FILE_ONLY
                rule = _PathBeneath(allowed, at)
                syscalls.syscall("landlock_add_rule", fd, 1, ctypes.byref(rule), 0)
            finally:
                os.close(at)
        for port in connect_ports if version >= 4 else ():
            rule = _NetPort(2, port)
            syscalls.syscall("landlock_add_rule", fd, 2, ctypes.byref(rule), 0)
        syscalls.syscall("landlock_restrict_self", fd, 0)
    finally:
        os.close(fd)
