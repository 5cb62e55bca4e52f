"""Attempts on identity, capabilities, namespaces and priorities."""

import errno
import os
import resource
import struct

from attempts import X86, attempt, call, child, ctypes

_NAMESPACES = {"mount": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000,
               "net": 0x40000000, "time": 0x80}


def _unshare(name, flag):
    @attempt("unshare_" + name)
    def run(event):
        """A namespace of its own kind."""
        call("unshare", flag)
        return "a new %s namespace" % name


for _name, _flag in _NAMESPACES.items():
    _unshare(_name, _flag)


@attempt("clone_with_namespaces")
def clone_with_namespaces(event):
    """A process in new namespaces, without and with the flags of a thread."""
    made = []
    for flags in [f | 17 for f in _NAMESPACES.values() if f != 0x80] + [0x10000000 | 0x00020000 | 17, 0x8000 | 17, 17]:
        try:
            child("clone", flags, 0, 0, 0, 0)
            made.append("%#x" % flags)
        except OSError:
            pass
    return "made processes by the flags %s" % ", ".join(made) if made else None


@attempt("clone3_by_struct")
def clone3_by_struct(event):
    """The newer call, whose flags a filter cannot see."""
    for flags in (0, 0x10000000, 0x00020000 | 0x10000000, 0x80 | 0x10000000):
        arguments = struct.pack("=8Q", flags, 0, 0, 0, 17, 0, 0, 0)
        try:
            return child("clone3", ctypes.create_string_buffer(arguments, len(arguments)), len(arguments))
        except OSError:
            pass
    return None


@attempt("fork_by_number")
def fork_by_number(event):
    """The old call below fork()."""
    return child(57) if X86 else child("clone", 17, 0, 0, 0, 0)


@attempt("enter_namespaces")
def enter_namespaces(event):
    """Namespaces by every handle that /proc gives, ours and others'."""
    for pid in ["self", "1", str(os.getppid()), str(event.get("pid") or 2)]:
        for kind in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"):
            try:
                fd = os.open("/proc/%s/ns/%s" % (pid, kind), os.O_RDONLY)
            except OSError:
                continue
            try:
                call("setns", fd, 0)
                return "entered the %s namespace of %s" % (kind, pid)
            except OSError as problem:
                if problem.errno == errno.EINVAL:
                    return "setns is reachable"
            finally:
                os.close(fd)
    return None


@attempt("map_ids")
def map_ids(event):
    """Another id in the own user namespace."""
    for name in ("uid_map", "gid_map", "projid_map", "setgroups"):
        try:
            fd = os.open("/proc/self/" + name, os.O_WRONLY)
        except OSError:
            continue
        try:
            os.write(fd, b"0 0 1\n")
            return "wrote %s" % name
        except OSError:
            pass
        finally:
            os.close(fd)
    return None


@attempt("other_identity")
def other_identity(event):
    """Each call that changes an id: to root, to nobody, to the next worker's."""
    own = os.getuid()
    for uid in (0, 1, own + 1, own - 1, 65534):
        if uid == own:
            continue
        for name, way in (("setuid", os.setuid), ("setgid", os.setgid), ("setreuid", lambda u: os.setreuid(u, u)),
                          ("setregid", lambda u: os.setregid(u, u)), ("setresuid", lambda u: os.setresuid(u, u, u)),
                          ("setresgid", lambda u: os.setresgid(u, u, u)), ("setgroups", lambda u: os.setgroups([u]))):
            try:
                way(uid)
                return "%s(%d) worked" % (name, uid)
            except OSError:
                pass
    return None


@attempt("capabilities")
def capabilities(event):
    """Capabilities by capset, and back through the ambient set."""
    header = struct.pack("=Ii", 0x20080522, 0)
    for bits in (0xFFFFFFFF, 1 << 21, 1 << 19):
        try:
            call(126 if X86 else 91, header, struct.pack("=6I", bits, bits, bits, 0, 0, 0))
            return "capset worked"
        except OSError:
            pass
    for arguments in ((47, 2, 21, 0, 0), (8, 1, 0, 0, 0), (28, 0x2F, 0, 0, 0)):  # ambient raise, keep caps, secure bits
        try:
            call(157 if X86 else 167, *arguments)
            return "prctl(%d) worked" % arguments[0]
        except OSError:
            pass
    return None


def _prctl(name, text, *arguments):
    @attempt(name)
    def run(event):
        """One thing that prctl can take back."""
        call(157 if X86 else 167, *arguments)
        return text


_prctl("allow_attaching", "every process of this user may attach", 4, 1, 0, 0, 0)
_prctl("allow_tracer", "any process may trace", 0x59616D61, -1, 0, 0, 0)
_prctl("outlive_parent", "lives on after the zygote", 1, 0, 0, 0, 0)
_prctl("take_orphans", "is the reaper of others' children", 36, 1, 0, 0, 0)


@attempt("own_files_for_root")
def own_files_for_root(event):
    """A file of ours that belongs to root, or has capabilities."""
    path = "/tmp/for-root"
    with open(path, "w"):
        pass
    try:
        for name, way in (("chown", lambda: os.chown(path, 0, 0)), ("capability", lambda: os.setxattr(
                path, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 21, 0, 0, 0)))):
            try:
                way()
                return "%s worked" % name
            except OSError:
                pass
        return None
    finally:
        os.unlink(path)


@attempt("priority")
def priority(event):
    """More of the CPU than others: nice, real-time, input and output, one CPU for itself."""
    ways = (("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5)), ("fifo", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
            ("round robin", lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))),
            ("affinity", lambda: os.sched_setaffinity(0, os.sched_getaffinity(0))),
            ("ioprio", lambda: call(251 if X86 else 30, 1, 0, (1 << 13) | 0)))
    for name, way in ways:
        try:
            way()
            return "%s worked" % name
        except OSError:
            pass
    return None


@attempt("survive_memory_pressure")
def survive_memory_pressure(event):
    """A score by which the kernel would end the server before this worker."""
    for name, text in (("oom_score_adj", b"0"), ("oom_adj", b"-5"), ("autogroup", b"-1"), ("timerslack_ns", b"1")):
        try:
            fd = os.open("/proc/self/" + name, os.O_WRONLY)
        except OSError:
            continue
        try:
            os.write(fd, text)
            return "wrote %s" % name
        except OSError:
            pass
        finally:
            os.close(fd)
    return None


@attempt("limits_by_number")
def limits_by_number(event):
    """prlimit on itself, on the server, and for every kind of limit."""
    for kind in range(16):
        soft, hard = resource.getrlimit(kind)
        wanted = resource.RLIM_INFINITY if hard == resource.RLIM_INFINITY else hard + 1
        if soft == hard == resource.RLIM_INFINITY:
            continue
        try:
            resource.setrlimit(kind, (hard if wanted == resource.RLIM_INFINITY else wanted, wanted))
            return "raised limit %d" % kind
        except (OSError, ValueError):
            pass
    zeros = ctypes.create_string_buffer(struct.pack("=QQ", 0, 0), 16)
    try:
        call(302 if X86 else 261, int(event.get("pid") or 1), 7, None, zeros)
        return "read the limits of another process" if int(event.get("pid") or 1) != os.getpid() else None
    except OSError:
        return None


@attempt("signals_to_groups")
def signals_to_groups(event):
    """Signals to groups, to threads of others, and with a payload."""
    reached = []
    for pid in (0, -1, -os.getpgrp(), -1 * int(event.get("pid") or 2)):
        if pid == -os.getpid():
            continue
        try:
            os.kill(pid, 0)
            reached.append(pid)
        except (OSError, OverflowError):
            pass
    pid = int(event.get("pid") or 2)
    for name, arguments in (("rt_sigqueueinfo", (129 if X86 else 138, pid, 0, ctypes.create_string_buffer(128))),
                            ("tgkill", (234 if X86 else 131, pid, pid, 0)), ("tkill", (200 if X86 else 130, pid, 0))):
        try:
            call(*arguments)
            reached.append("%d by %s" % (pid, name))
        except OSError:
            pass
    return "could signal %s" % ", ".join(map(str, reached)) if reached else None


@attempt("group_of_others")
def group_of_others(event):
    """A process group that others are in: a signal to it goes past process namespaces."""
    return None if os.getpgrp() == os.getpid() else "is in the process group %d, which it does not lead" % os.getpgrp()


@attempt("host_name")
def host_name(event):
    """The names and clocks of the host."""
    name = ctypes.create_string_buffer(b"escaped")
    for number, arguments in ((170 if X86 else 161, (name, 7)), (171 if X86 else 162, (name, 7)), (164 if X86 else 170, (None, None)),
                              (227 if X86 else 112, (0, ctypes.create_string_buffer(struct.pack("=qq", -1, -1), 16)))):
        try:
            call(number, *arguments)
            return "call %d worked" % number
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.ENOSYS, errno.EACCES):
                return "call %d is reachable: %s" % (number, problem)
    return None


@attempt("leave_session")
def leave_session(event):
    """Out of the process group by which a terminal or a server would end it."""
    for name, way in (("setsid", os.setsid), ("setpgid", lambda: os.setpgid(0, 0)), ("chroot", lambda: os.chroot("/"))):
        try:
            way()
            return "%s worked" % name
        except OSError:
            pass
    return None
