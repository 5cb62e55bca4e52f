"""Attempts on the kernel itself: calls, other call tables, devices' controls."""

import errno
import mmap
import os
import struct

from attempts import X86, attempt, call, ctypes

# Not made even where nothing holds us: they end this process, wait for ever or return twice. 335 and 336 are the kernel's own way
# back from a probe, past every filter: called by anyone else they are an illegal instruction.
_NEVER = {15, 34, 57, 58, 60, 219, 231, 335, 336}


@attempt("every_call")
def every_call(event):
    """Every number of the table, with arguments that no kernel takes. ``allowed``: the numbers that the filter lets through."""
    if not X86:
        return None
    allowed, found = set(event.get("allowed") or ()) | _NEVER, []
    for number in list(range(0, 475)) + list(range(512, 548)):
        if number in allowed:
            continue
        try:
            result = call(number, -1, -1, -1, -1, -1, -1)
            found.append("%d gave %d" % (number, result))
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.ENOSYS):
                found.append("%d says %s" % (number, errno.errorcode.get(problem.errno)))
    return "reachable: %d calls, such as %s" % (len(found), ", ".join(found[:8])) if found else None


@attempt("dies_other_table")
def other_table(event):
    """getpid by int 0x80: the 32-bit table, whose numbers mean other calls. The filter ends the process for it."""
    if not X86:
        return None
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return "int 0x80 gave %d" % result if result > 0 else None


@attempt("dies_x32_table")
def x32_table(event):
    """getpid by its x32 number."""
    if not X86:
        return None
    try:
        return "the x32 table gave %d" % call(0x40000000 | 39)
    except OSError as problem:
        return None if problem.errno in (errno.ENOSYS, errno.EPERM) else "x32 says %s" % problem


@attempt("own_filter")
def own_filter(event):
    """A filter of its own: one that allows all, one that hands calls to a listener, and the strict mode."""
    allow = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)
    buffer = ctypes.create_string_buffer(allow, len(allow))
    program = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", 1, ctypes.addressof(buffer)), 16)
    for name, arguments in (("seccomp", (317 if X86 else 277, 1, 0, program)), ("listener", (317 if X86 else 277, 1, 8, program)),
                            ("prctl", (157 if X86 else 167, 22, 2, program, 0, 0))):
        try:
            call(*arguments)
            return "%s took a filter" % name
        except OSError:
            pass
    return None


@attempt("segment_tables")
def segment_tables(event):
    """modify_ldt, iopl and ioperm."""
    if not X86:
        return None
    for number, arguments in ((154, (0, ctypes.create_string_buffer(64), 64)), (172, (3,)), (173, (0x70, 1, 1))):
        try:
            call(number, *arguments)
            return "call %d worked" % number
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.ENOSYS):
                return "call %d is reachable: %s" % (number, problem)
    return None


@attempt("message_queues")
def message_queues(event):
    """Queues and semaphores, POSIX and System V."""
    attributes = ctypes.create_string_buffer(struct.pack("=8q", 0, 1, 8, 0, 0, 0, 0, 0), 64)
    ways = (("mq_open", (240 if X86 else 180, b"plane", 0o102, 0o600, attributes)), ("msgget", (68 if X86 else 186, 0, 0o1600)),
            ("semget", (64 if X86 else 190, 0, 1, 0o1600)), ("shmget", (29 if X86 else 194, 0, 4096, 0o1600)))
    for name, arguments in ways:
        try:
            made = call(*arguments)
        except OSError:
            continue
        if name == "mq_open":
            os.close(made)
            call(241 if X86 else 181, b"plane")
        else:
            call({"msgget": 71 if X86 else 187, "semget": 66 if X86 else 191, "shmget": 31 if X86 else 195}[name],
                 made, *((0, 0) if name != "semget" else (0, 0, 0)))
        return "%s worked" % name
    return None


@attempt("traced_by_parent")
def traced_by_parent(event):
    """PTRACE_TRACEME: to stop the zygote's reaping with stops of our own."""
    call("ptrace", 0, 0, 0, 0)
    return "is traced by its parent"


@attempt("process_handles")
def process_handles(event):
    """pidfd calls on others and on itself."""
    for pid in (int(event.get("pid") or 2), 1, os.getppid(), os.getpid()):
        try:
            fd = call("pidfd_open", pid, 0)
            os.close(fd)
            return "a handle of process %d" % pid
        except OSError as problem:
            if problem.errno == errno.EINVAL:
                return "pidfd_open is reachable"
    for number in (424, 438, 448, 440):
        try:
            call(number, -1, 0, 0, 0, 0, 0)
            return "call %d worked" % number
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.ENOSYS):
                return "call %d is reachable: %s" % (number, problem)
    return None


@attempt("terminals")
def terminals(event):
    """Typing into a terminal, or taking one."""
    import fcntl
    for path in ("/dev/tty", "/dev/ptmx", "/dev/pts/ptmx", "/dev/pts/0", "/dev/console", "/dev/tty1"):
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            continue
        os.close(fd)
        return "could open %s" % path
    left, right = os.pipe()
    try:
        for request in (0x5412, 0x541C, 0x540E, 0x5423, 0x4B3A, 0x8901, 0x8902, 0x5460):  # TIOCSTI, LINUX, SCTTY, SETD, KDSETMODE, owners
            try:
                fcntl.ioctl(left, request, b"\0" * 16)
                return "ioctl %#x worked" % request
            except OSError as problem:
                if problem.errno not in (errno.EPERM, errno.EACCES):
                    return "ioctl %#x is reachable: %s" % (request, problem)
    finally:
        os.close(left)
        os.close(right)
    return None


@attempt("watches")
def watches(event):
    """inotify and fanotify: what others do with files that we share."""
    for number, arguments in ((294 if X86 else 26, (0,)), (300 if X86 else 262, (0, 0))):
        try:
            os.close(call(number, *arguments))
            return "made a watch by call %d" % number
        except OSError:
            pass
    return None


@attempt("every_file_control")
def every_file_control(event):
    """Every command of fcntl but those for descriptors, record locks and pipes: leases, watches, owners, signals, seals, hints.

    In both halves of the argument, of which the kernel reads the lower. Where nothing holds it: a lease on reading, which ends with the descriptor.
    """
    allowed, found = {0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032}, []
    fd = os.open("entry_point.py", os.O_RDONLY)
    try:
        for command in [c for c in list(range(64)) + list(range(1024, 1064)) if c not in allowed]:
            for number in (command, command | 1 << 32):
                try:
                    call(72 if X86 else 25, fd, number, 0)
                    found.append("%d worked" % command)
                except OSError as problem:
                    if problem.errno != errno.EPERM:
                        found.append("%d says %s" % (command, errno.errorcode.get(problem.errno)))
        try:
            call(72 if X86 else 25, fd, 4, 0x2000)
            found.append("F_SETFL took O_ASYNC")
        except OSError as problem:
            if problem.errno != errno.EPERM:
                found.append("F_SETFL with O_ASYNC says %s" % problem)
    finally:
        os.close(fd)
    return "reachable: %s" % ", ".join(found[:8]) if found else None


@attempt("lease_of_the_bundle")
def lease_of_the_bundle(event):
    """A lease on a file that all workers read: who opens it otherwise waits for us."""
    import sys
    for folder in sys.path:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if not name.endswith(".py"):
                continue
            try:
                fd = os.open(os.path.join(folder, name), os.O_RDONLY)
            except OSError:
                continue
            try:
                for kind in (1, 0):  # F_WRLCK, F_RDLCK
                    try:
                        call(72 if X86 else 25, fd, 1024, kind)
                        return "leased %s/%s" % (folder, name)
                    except OSError:
                        pass
            finally:
                os.close(fd)
            break
    return None


@attempt("folders_watched")
def folders_watched(event):
    """F_NOTIFY on the folders of bundle and standard library: which of their files others read."""
    import sys
    for folder in sys.path:
        if os.path.isdir(folder):
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                call(72 if X86 else 25, fd, 1026, 1)  # DN_ACCESS, once, as a signal
                return "watches %s" % folder
            except OSError:
                pass
            finally:
                os.close(fd)
    return None


@attempt("signal_owner")
def signal_owner(event):
    """Having the kernel send a signal to another process or group: F_SETOWN, F_SETOWN_EX and the two controls of a socket."""
    left, right = os.pipe()
    try:
        for pid in (int(event.get("pid") or 1), 1, -1):
            owner = ctypes.create_string_buffer(struct.pack("=ii", 1, abs(pid)), 8)
            for name, arguments in (("F_SETOWN", (72 if X86 else 25, left, 8, pid)), ("F_SETOWN_EX", (72 if X86 else 25, left, 15, owner)),
                                    ("FIOSETOWN", (16 if X86 else 29, left, 0x8901, owner)), ("SIOCSPGRP", (16 if X86 else 29, left, 0x8902, owner)),
                                    ("FIOASYNC", (16 if X86 else 29, left, 0x5452, owner))):
                try:
                    call(*arguments)
                    return "%s for %d worked" % (name, pid)
                except OSError as problem:
                    if problem.errno != errno.EPERM:
                        return "%s for %d is reachable: %s" % (name, pid, problem)
    finally:
        os.close(left)
        os.close(right)
    return None


@attempt("hidden_truncation")
def hidden_truncation(event):
    """Access mode 3, and O_TRUNC for who only reads, by each call that opens: neither is writing to Landlock below its third version.

    On the null device, which cannot be emptied.
    """
    ways = [("openat", (257 if X86 else 56, -100, b"/dev/null"))] + ([("open", (2, b"/dev/null"))] if X86 else [])
    for name, arguments in ways:
        for flags in (3, 3 | os.O_TRUNC, os.O_RDONLY | os.O_TRUNC, 3 | os.O_CLOEXEC):
            for more in (0, 1 << 32):
                try:
                    os.close(call(*arguments, flags | more, 0))
                    return "%s took flags %#o" % (name, flags)
                except OSError as problem:
                    if problem.errno != errno.EPERM:
                        return "%s with flags %#o says %s" % (name, flags, problem)
    how = ctypes.create_string_buffer(struct.pack("=QQQ", 3, 0, 0), 24)
    try:
        os.close(call(437, -100, b"/dev/null", how, 24))
        return "openat2 took access mode 3"
    except OSError as problem:
        return None if problem.errno in (errno.EPERM, errno.ENOSYS) else "openat2 is reachable: %s" % problem


@attempt("anonymous_files")
def anonymous_files(event):
    """memfd in each form, and secret memory: pages outside of the scratch folder's size."""
    for name, arguments in (("memfd_create", (b"x", 0)), ("memfd_create", (b"x", 3)), ("memfd_create", (b"x", 0x10)), ("memfd_secret", (0,))):
        try:
            os.close(call(name, *arguments))
            return "%s worked" % name
        except OSError:
            pass
    return None


@attempt("locked_memory")
def locked_memory(event):
    """Pages that the kernel may not take back, and huge ones."""
    block = mmap.mmap(-1, 1 << 20)
    address = ctypes.addressof(ctypes.c_char.from_buffer(block))
    for name, way in (("mlock", lambda: call(149 if X86 else 228, address, 1 << 20)), ("mlockall", lambda: call(151 if X86 else 230, 1)),
                      ("huge pages", lambda: mmap.mmap(-1, 2 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000))):
        try:
            way()
            return "%s worked" % name
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.ENOMEM, errno.ENOSYS):
                return "%s is reachable: %s" % (name, problem)
    return None


@attempt("socket_programs")
def socket_programs(event):
    """A BPF program attached to a socket of our own: the same machine in the kernel, by another door."""
    import socket
    left, right = socket.socketpair()
    with left, right:
        code = struct.pack("=HBBI", 6, 0, 0, 0xFFFF)
        buffer = ctypes.create_string_buffer(code, len(code))
        for option in (26, 50, 51, 52):  # SO_ATTACH_FILTER, SO_ATTACH_BPF, the two of SO_REUSEPORT
            try:
                left.setsockopt(socket.SOL_SOCKET, option, struct.pack("=HxxxxxxQ", 1, ctypes.addressof(buffer)))
                return "attached a program by option %d" % option
            except OSError:
                pass
    return None
