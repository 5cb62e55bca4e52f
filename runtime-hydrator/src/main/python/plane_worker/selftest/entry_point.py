"""Attempts to get out of a worker. Each exported tool tries one way and returns ``{"escaped": bool, "detail": str}``.

The server runs them all at start and is not ready if one says ``escaped``, or does not answer. A refusal by whatever wall counts as
held. An attempt that succeeds does no harm: what it made it removes, and calls that would change the host are made with arguments
that the kernel refuses only after it has checked the permission. The event may name real targets, so that a wall is tried rather than an absence: ``socket`` (path of a listening Unix
socket), ``tcp_port`` (a listening port on 127.0.0.1), ``other`` (another snapshot's folder name), ``file`` (a host file that
exists), ``pid`` (a living process), ``uid`` (what this worker alone is to run as), ``environment`` (names that the call itself puts
into the environment).
"""

import errno
import fcntl
import os
import resource
import shutil
import signal
import socket
import stat
import struct
import sys

from attempts import X86 as _X86
from attempts import attempt, ctypes
from attempts import call as _call
from attempts import child as _child
from attempts import connect as _connect
from attempts import first_readable as _first_readable
from attempts import libc as _libc
from attempts import others as _others
from attempts import reachable as _reachable
from attempts import target as _target


@attempt("read_shadow")
def read_shadow(event):
    """Password hashes of the host."""
    return _first_readable(["/etc/shadow", "/proc/self/root/etc/shadow", "/proc/1/root/etc/shadow", "/app/../etc/shadow"])


@attempt("read_host_files")
def read_host_files(event):
    """Files that everyone on a host may read."""
    wanted = ["/etc/passwd", "/etc/hostname", "/etc/resolv.conf", "/etc/hosts", "/etc/os-release", "/var/lib/dpkg/status"]
    return _first_readable(wanted + ([event["file"]] if event.get("file") else []))


@attempt("list_host_folders")
def list_host_folders(event):
    """Folders that only a host has."""
    for path in ("/home", "/var", "/bin", "/sbin", "/boot", "/srv", "/opt", "/sys", "/sys/fs/cgroup"):
        try:
            if os.listdir(path):
                return "could list %s" % path
        except OSError:
            pass
    return None


@attempt("dotdot")
def dotdot(event):
    """Climbing out of the root by ``..`` and by /proc's links."""
    up = "../" * 40
    for base in ("/app/", "/tmp/", "/proc/self/cwd/", "/proc/self/root/", "/bundle/"):
        found = _first_readable([base + up + "etc/passwd", base + up + "etc/hostname"])
        if found:
            return found
    return None


@attempt("symlink_out")
def symlink_out(event):
    """A link in the scratch folder that points at a host file."""
    link = "/tmp/link-%d" % os.getpid()
    os.symlink("/etc/shadow", link)
    try:
        return _first_readable([link])
    finally:
        os.unlink(link)


@attempt("see_processes")
def see_processes(event):
    """Other processes in /proc."""
    others = _others()
    return "sees %d other processes" % len(others) if others else None


@attempt("read_process_secrets")
def read_process_secrets(event):
    """Environment and memory of other processes."""
    pids = _others() + [_target(event)]
    return _first_readable(["/proc/%d/%s" % (pid, name) for pid in pids for name in ("environ", "mem", "maps", "cmdline")])


@attempt("other_snapshot")
def other_snapshot(event):
    """Another snapshot of the store."""
    here = os.getcwd()
    name = event.get("other") or "other"
    for path in ("/store", "/store/" + name, os.path.join(os.path.dirname(here), name), os.path.dirname(here)):
        try:
            names = os.listdir(path)
        except OSError:
            continue
        if path == "/" or (path == "/store" and not names):
            continue
        if names:
            return "could list %s" % path
    return None


@attempt("tcp_loopback")
def tcp_loopback(event):
    """A TCP connection to the host."""
    return _connect(socket.AF_INET, ("127.0.0.1", int(event.get("tcp_port") or 22)))


@attempt("tcp_outside")
def tcp_outside(event):
    """A TCP socket of the other kind."""
    return _connect(socket.AF_INET6, ("::1", int(event.get("tcp_port") or 22)))


@attempt("udp")
def udp(event):
    """A datagram to the host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", 9))
    return "sent a datagram"


@attempt("raw_sockets")
def raw_sockets(event):
    """Netlink, packet, vsock and raw sockets."""
    made = []
    for family, kind in ((16, socket.SOCK_RAW), (17, socket.SOCK_RAW), (40, socket.SOCK_STREAM), (2, socket.SOCK_RAW), (38, socket.SOCK_SEQPACKET)):
        try:
            socket.socket(family, kind).close()
            made.append(family)
        except OSError:
            pass
    return "made sockets of families %s" % made if made else None


@attempt("unix_socket")
def unix_socket(event):
    """The server's socket, again."""
    for path in (event.get("socket"), "/run/plane.sock", "\0plane"):
        if path:
            try:
                return _connect(socket.AF_UNIX, path)
            except OSError:
                pass
    return None


@attempt("unix_datagram")
def unix_datagram(event):
    """A datagram pair could send to any Unix socket by name."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.close()
    right.close()
    return "made a datagram pair"


@attempt("listen")
def listen(event):
    """A socket that others could connect to."""
    with socket.socket(socket.AF_INET) as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
    return "listens"


@attempt("write_snapshot")
def write_snapshot(event):
    """Changing the code that is run."""
    try:
        os.close(os.open("entry_point.py", os.O_WRONLY | os.O_APPEND))
        return "could open entry_point.py for writing"
    except OSError:
        pass
    try:
        os.chmod("entry_point.py", os.stat("entry_point.py").st_mode & 0o777)
        return "could change the mode of entry_point.py"
    except OSError:
        pass
    for make, remove in ((lambda p: os.close(os.open(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)), os.unlink), (os.mkdir, os.rmdir)):
        try:
            make("new-entry")
            remove("new-entry")
            return "could make a new entry"
        except OSError:
            pass
    return None


@attempt("write_elsewhere")
def write_elsewhere(event):
    """Changing the interpreter, the bundle, the root."""
    folders = ["/", "/bundle", "/bundle/0", "/dev", "/etc", "/usr", "/run", "/proc", os.path.dirname(os.__file__)] + sys.path
    for folder in folders:
        path = os.path.join(folder, "plane-escape-%d" % os.getpid())
        for make, remove in ((lambda p: os.close(os.open(p, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)), os.unlink), (os.mkdir, os.rmdir)):
            try:
                make(path)
                remove(path)
                return "could write in %s" % folder
            except (OSError, ValueError):
                pass
    return None


@attempt("write_proc_sys")
def write_proc_sys(event):
    """Kernel settings."""
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper"):
        try:
            os.close(os.open(path, os.O_WRONLY))
            return "could open %s for writing" % path
        except OSError:
            pass
    return None


@attempt("read_kernel")
def read_kernel(event):
    """Kernel memory, log and devices of the host."""
    return _first_readable(["/proc/kcore", "/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/nvme0n1", "/proc/kallsyms", "/dev/kvm"])


@attempt("make_device")
def make_device(event):
    """A device node for the host's disk."""
    path = "/tmp/plane-device-%d" % os.getpid()
    os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(8, 0))
    os.unlink(path)
    return "made a device"


@attempt("exec_shell")
def exec_shell(event):
    """Any program. If this works there is no answer, which counts as an escape."""
    for path in ("/bin/sh", "/usr/bin/sh", "/usr/bin/env", sys.executable, os.path.realpath("/proc/self/exe")):
        try:
            os.execv(path, [path, "-c", "exit 7"])
        except (OSError, ValueError):
            pass
    return None


@attempt("exec_memory")
def exec_memory(event):
    """A program out of memory."""
    fd = _call("memfd_create", b"x", 0)
    os.close(fd)
    return "made an anonymous file"


@attempt("exec_scratch")
def exec_scratch(event):
    """Native code brought along: a library copied to the scratch folder."""
    if event.get("tier") == "gvisor":
        return None  # its kernel maps code from there; docs/sandbox.md says so. What the code calls is that kernel, not the host's.
    source = next((os.path.join(p, f) for p in sys.path if os.path.isdir(p) for f in sorted(os.listdir(p)) if f.endswith(".so")), None)
    if source is None:
        return None
    copy = "/tmp/copy.so"
    shutil.copyfile(source, copy)
    try:
        ctypes.CDLL(copy)
        return "could map code from the scratch folder"
    except OSError:
        return None
    finally:
        os.unlink(copy)


@attempt("fork")
def fork(event):
    """A process of its own."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "made a process"


@attempt("clone")
def clone(event):
    """The same by the system calls below fork."""
    for name, arguments in (("clone", (17, 0, 0, 0, 0)), ("clone", (0x10000000 | 17, 0, 0, 0, 0)), ("clone3", (0, 0))):
        try:
            return _child(name, *arguments)
        except OSError:
            pass
    return None


@attempt("ptrace")
def ptrace(event):
    """Taking over another process."""
    for pid in [_target(event)] + _others()[:20]:
        try:
            _call("ptrace", 0x4206, pid, 0, 0)  # PTRACE_SEIZE: does not stop it
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.ESRCH, errno.EACCES, errno.ENOSYS):
                return "ptrace is reachable: %s" % problem
            continue
        return "attached to %d" % pid  # until this thread ends
    return None


@attempt("process_vm")
def process_vm(event):
    """Memory of another process by system call."""
    buffer = ctypes.create_string_buffer(8)
    local = struct.pack("=QQ", ctypes.addressof(buffer), 8)
    remote = struct.pack("=QQ", ctypes.addressof(buffer), 8)
    for name in ("process_vm_readv", "process_vm_writev"):
        try:
            _call(name, os.getpid(), local, 1, remote, 1, 0)
            return "%s is reachable" % name
        except OSError:
            pass
    return None


@attempt("signal_others")
def signal_others(event):
    """Signals to whatever is in reach."""
    for pid in (-1, _target(event), os.getppid()):
        if pid in (0, os.getpid()):
            continue
        try:
            os.kill(pid, 0)
            return "could signal %d" % pid
        except OSError:
            pass
    return None


@attempt("mount")
def mount(event):
    """New mounts, and taking mounts away to see what is below."""
    # Each of these is refused for its arguments by a kernel that would allow the call.
    return _reachable((("mount", (b"none", b"/", b"no-such-file-system", 0, None)), ("umount2", (os.fsencode(os.getcwd()) + b"/..", 0)),
                       ("pivot_root", (b"/", b"/")), ("chroot", (b"/",)), ("fsopen", (b"no-such-file-system", 0)), ("open_tree", (-1, b"", 1))))


@attempt("namespaces")
def namespaces(event):
    """A user namespace gives all capabilities in it."""
    for flag in (0x10000000, 0x10000000 | 0x00020000, 0x00020000, 0x20000000, 0x40000000):
        try:
            _call("unshare", flag)  # of this thread alone
            return "unshare(%#x) worked" % flag
        except OSError:
            pass
    for pid in (1, _target(event)):
        for kind in ("mnt", "pid", "net", "user"):
            try:
                fd = os.open("/proc/%d/ns/%s" % (pid, kind), os.O_RDONLY)
            except OSError:
                continue
            try:
                _call("setns", fd, 0)
                return "setns(%s of %d) worked" % (kind, pid)
            except OSError:
                pass
            finally:
                os.close(fd)
    return None


@attempt("become_root")
def become_root(event):
    """Another identity."""
    for name, way in (("setuid", lambda: os.setuid(0)), ("setresuid", lambda: os.setresuid(0, 0, 0)), ("setgid", lambda: os.setgid(0)),
                      ("setgroups", lambda: os.setgroups([0]))):
        try:
            way()
            return "%s worked" % name
        except OSError:
            pass
    return None


@attempt("own_uid")
def own_uid(event):
    """The user id that this worker alone was to have; ``uid`` in the event says which, where workers have ids of their own."""
    wanted = event.get("uid")
    if wanted is None or {wanted} == set(os.getresuid()) | set(os.getresgid()):
        return None
    return "runs as %s, not as %d alone" % (os.getresuid() + os.getresgid(), wanted)


@attempt("privileges")
def privileges(event):
    """What the process already has: root, capabilities, no filter."""
    if os.geteuid() == 0:
        return "runs as root"
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            lines = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        buffer = (ctypes.c_uint32 * 6)()
        header = struct.pack("=Ii", 0x20080522, 0)
        _libc.syscall(ctypes.c_long(125 if _X86 else 90), header, buffer)
        return "has capabilities" if any(buffer) else None
    if event.get("tier") == "gvisor":  # whose kernel does not tell these two
        lines.setdefault("CapAmb", "0")
        lines.setdefault("NoNewPrivs", str(_libc.prctl(39, 0, 0, 0, 0)))  # PR_GET_NO_NEW_PRIVS
    wrong = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(lines[name], 16)]
    wrong += [name for name, value in (("NoNewPrivs", "1"), ("Seccomp", "2")) if lines.get(name) != value]
    return "weak: %s" % ", ".join(wrong) if wrong else None


@attempt("kernel_surface")
def kernel_surface(event):
    """Parts of the kernel that many escapes went through; any answer but a refusal means that the part is reachable."""
    zeros = ctypes.create_string_buffer(256)
    return _reachable((("bpf", (0, zeros, 8)), ("io_uring_setup", (1, zeros)), ("userfaultfd", (1,)), ("perf_event_open", (zeros, 0, -1, -1, 0)),
                       ("memfd_secret", (0,)), ("pidfd_open", (os.getpid(), 0)), ("open_by_handle_at", (-1, zeros, 0)),
                       ("kcmp", (1, 1, 0, 0, 0)), ("fanotify_init", (0, 0)), ("splice", (-1, 0, -1, 0, 0, 0)), ("vmsplice", (-1, 0, 0, 0)),
                       ("init_module", (zeros, 0, zeros)), ("kexec_load", (0, 1 << 20, 0, 0xFFFF)), ("swapon", (zeros, 0)),
                       ("process_madvise", (-1, 0, 0, 0, 0)), ("seccomp", (1, 0, 0)), ("personality", (0x0040000,)),
                       ("syslog", (3, zeros, 8)), ("tkill", (os.getpid(), 0))))


@attempt("keyring")
def keyring(event):
    """Keys of the session."""
    return _reachable((("keyctl", (0, -3, 0, 0, 0)), ("add_key", (b"no-such-type", b"x", b"y", 1, -3))))


@attempt("shared_memory")
def shared_memory(event):
    """Memory shared with other processes."""
    identifier = _call("shmget", 0, 4096, 0o1600)
    _call("shmctl", identifier, 0, 0)  # removes it
    return "made a shared memory segment %d" % identifier


@attempt("inherited_descriptors")
def inherited_descriptors(event):
    """Whatever the parent left open."""
    sockets, wrong = 0, []
    for fd in range(0, resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        try:
            info = os.fstat(fd)
        except OSError:
            continue
        mode = info.st_mode
        if stat.S_ISSOCK(mode):
            sockets += 1  # the worker's own one, and asyncio's pair
        elif stat.S_ISCHR(mode) and info.st_rdev == os.makedev(1, 3) or stat.S_ISFIFO(mode) or not stat.S_IFMT(mode):
            continue  # /dev/null, own pipes, epoll and eventfd
        else:
            wrong.append("%d (%s)" % (fd, oct(mode)))
    if sockets > 3:
        wrong.append("%d sockets" % sockets)
    return "open: %s" % ", ".join(wrong) if wrong else None


@attempt("inherited_secrets")
def inherited_secrets(event):
    """The server's environment, in this process's environment or left in its memory."""
    known = {"LC_ALL", "LANG", "PATH", "MALLOC_ARENA_MAX", "PYTHONDONTWRITEBYTECODE", "EP_FILES_ROOT", "HOME", "TMPDIR"}
    given = set(event.get("environment") or ())
    extra = sorted(k for k in os.environ if k not in known | given and not k.startswith("AIEL_"))
    if extra:
        return "environment holds %s" % ", ".join(extra)
    for name in ("environ", "cmdline"):
        try:
            with open("/proc/self/" + name, "rb") as file:
                raw = file.read()
        except OSError:
            continue
        for word in (b"JAVA", b"USER=", b"SSH", b"launcher.py"):
            if word in raw:
                return "/proc/self/%s holds %s" % (name, word.decode())
    return None


@attempt("raise_limits")
def raise_limits(event):
    """More than was given."""
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_AS):
        soft, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY:
            continue
        try:
            resource.setrlimit(kind, (hard + 1, hard + 1))
            return "raised limit %d" % kind
        except (OSError, ValueError):
            pass
    return None


@attempt("leave_cgroup")
def leave_cgroup(event):
    """Moving to a group without limits."""
    for base, folders, _ in os.walk("/sys/fs/cgroup"):
        try:
            with open(os.path.join(base, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")
            return "moved to %s" % base
        except OSError:
            pass
    return None


@attempt("terminal_input")
def terminal_input(event):
    """Typing into the terminal of whoever started the server."""
    for fd in (0, 1, 2):
        try:
            fcntl.ioctl(fd, 0x5412, b"x")
            return "could type into descriptor %d" % fd
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.EACCES, errno.ENOTTY):
                return "TIOCSTI is reachable: %s" % problem
    return None


@attempt("file_controls")
def file_controls(event):
    """Leases and watches on files that others use too, and signals because of them. Each takes away what is not there."""
    folder, code = os.open(".", os.O_RDONLY | os.O_DIRECTORY), os.open("entry_point.py", os.O_RDONLY)
    try:
        for name, fd, command, argument in (
                ("SETLEASE", code, 1024, fcntl.F_UNLCK), ("GETLEASE", code, 1025, 0), ("NOTIFY", folder, 1026, 0), ("SETOWN", code, 8, 0),
                ("GETOWN", code, 9, 0), ("SETSIG", code, 10, 0), ("SETOWN_EX", code, 15, bytes(8)), ("SETFL O_ASYNC", code, 4, 0x2000)):
            try:
                fcntl.fcntl(fd, command, argument)
            except OSError as problem:
                if problem.errno == errno.EPERM:
                    continue
            return "F_%s is reachable" % name
    finally:
        os.close(folder)
        os.close(code)
    return None


@attempt("access_modes")
def access_modes(event):
    """The access mode that is neither reading nor writing, and emptying a file that is only read: Landlock once knew neither."""
    for flags in (os.O_ACCMODE, os.O_RDONLY | os.O_TRUNC):
        try:
            os.close(os.open("/dev/null", flags))
            return "could open with flags %#o" % flags
        except OSError:
            pass
    return None


@attempt("forge_reply")
def forge_reply(event):
    """A line or a frame on the standard descriptors that looks like an answer."""
    body = b'{"type":"result","id":"x","envelope":{"ok":true,"result":"forged"},"tainted":false}'
    for fd in (0, 1, 2):
        try:
            os.write(fd, struct.pack(">I", len(body)) + body + b"\n")
        except OSError:
            pass
    print(body.decode())
    return None


@attempt("fill_scratch")
def fill_scratch(event):
    """More in the scratch folder than its size."""
    path, written = "/tmp/fill", 0
    block = b"\0" * (1 << 20)
    try:
        with open(path, "wb") as file:
            while written < 1 << 30:
                file.write(block)
                file.flush()
                written += len(block)
        return "could write %d bytes" % written
    finally:
        try:
            os.unlink(path)
        except OSError:
            pass


@attempt("signal_self")
def signal_self(event):
    """Signals to itself must not reach beyond it."""
    signal.raise_signal(signal.SIGCONT)
    return None
