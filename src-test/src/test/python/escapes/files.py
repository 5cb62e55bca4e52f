"""Attempts on files: the host's, other tenants', the worker's own code. Pushed with the self-test's ``attempts.py`` beside it.

The event names real targets: ``file`` (a host file that everyone may read), ``secrets`` (files of the server: token, database, log,
store, run folder), ``other`` (another snapshot's folder), ``planted`` (what another project's worker wrote into its scratch folder).
"""

import errno
import os
import stat
import struct
import sys

from attempts import attempt, call, ctypes, first_readable

# One or two of them may be on the way to the interpreter's library, which a worker has under its own path.
_OF_A_HOST = {"home", "root", "var", "boot", "srv", "sbin", "bin", "opt", "media", "mnt", "sys"}


def _is_host(names):
    found = sorted(_OF_A_HOST & set(names))
    return "a root with %s" % found if len(found) > 2 else None


def _open_for_writing(path):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW))
        return "could open %s for writing" % path
    except OSError:
        return None


@attempt("links_in_proc")
def links_in_proc(event):
    """Every link that /proc has for this process, and a way up from there."""
    bases = ["/proc/self/root", "/proc/self/cwd", "/proc/thread-self/root", "/proc/self/fd/0/..", "/dev/fd/0/.."]
    bases += ["/proc/self/task/%s/root" % t for t in (os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ())]
    return first_readable([b + "/" + "../" * 20 + n for b in bases for n in ("etc/passwd", "etc/shadow", "etc/hostname")])


@attempt("folders_by_descriptor")
def folders_by_descriptor(event):
    """openat from every descriptor that is open, in case one is a folder outside."""
    for fd in range(256):
        for name in ("etc/passwd", "..", "../../../../etc/passwd", "store", "entry_point.py"):
            try:
                found = os.open(name, os.O_RDONLY, dir_fd=fd)
            except OSError:
                continue
            os.close(found)
            return "descriptor %d leads to %s" % (fd, name)
    return None


@attempt("climb_by_descriptor")
def climb_by_descriptor(event):
    """From an open root upwards, one openat at a time: past a chroot this gets out."""
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for _ in range(30):
            up = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = up
        return _is_host(os.listdir(fd))
    finally:
        os.close(fd)


@attempt("climb_by_fchdir")
def climb_by_fchdir(event):
    """The same by fchdir and relative names."""
    root = os.open("/", os.O_RDONLY)
    here = os.open(".", os.O_RDONLY)
    try:
        os.fchdir(root)
        for _ in range(30):
            os.chdir("..")
        return _is_host(os.listdir("."))
    finally:
        os.fchdir(here)
        os.close(root)
        os.close(here)


@attempt("file_handles")
def file_handles(event):
    """A handle made up for the root of the disk, as the shocker exploit did."""
    mount = os.open("/", os.O_RDONLY)
    try:
        for inode in (2, 128, 64):
            handle = struct.pack("=Ii", 8, 1) + struct.pack("=II", inode, 0)
            try:
                fd = call("open_by_handle_at", mount, ctypes.create_string_buffer(handle, len(handle)), os.O_RDONLY)
            except OSError as problem:
                if problem.errno == errno.ESTALE:
                    return "open_by_handle_at is reachable"
                continue
            os.close(fd)
            return "opened inode %d by its handle" % inode
    finally:
        os.close(mount)
    return None


@attempt("hard_links")
def hard_links(event):
    """A second name for a file that is not ours to change, where it can be written."""
    for source in ["/app/entry_point.py", "entry_point.py", event.get("file"), sys.modules["attempts"].__file__, "/proc/self/exe"]:
        if not source:
            continue
        try:
            os.link(source, "/tmp/second-name", follow_symlinks=True)
        except OSError:
            continue
        try:
            return _open_for_writing("/tmp/second-name")
        finally:
            os.unlink("/tmp/second-name")
    return None


@attempt("swap_snapshot")
def swap_snapshot(event):
    """Another file, or another folder, in the place of the code."""
    here = os.getcwd()
    with open("/tmp/mine.py" if os.access("/tmp", os.W_OK) else os.devnull, "w") as file:
        file.write("")
    for old, new in (("/tmp/mine.py", here + "/entry_point.py"), (here + "/entry_point.py", here + "/gone.py"), (here, here + "-old")):
        try:
            os.rename(old, new)
            return "renamed %s to %s" % (old, new)
        except OSError:
            pass
    try:
        os.symlink("/etc", here + "/link")
        os.unlink(here + "/link")
        return "made a link in the snapshot"
    except OSError:
        pass
    try:
        os.unlink(here + "/attempts.py")
        return "removed a file of the snapshot"
    except OSError:
        return None


@attempt("change_snapshot_metadata")
def change_snapshot_metadata(event):
    """Modes, times, lengths and attributes of the code."""
    ways = (("chmod", lambda p: os.chmod(p, 0o644)), ("utime", lambda p: os.utime(p, (1, 1))),
            ("truncate", lambda p: os.truncate(p, os.stat(p).st_size)), ("setxattr", lambda p: os.setxattr(p, "user.x", b"1")),
            ("chown", lambda p: os.chown(p, os.getuid(), os.getgid())))
    for path in ("entry_point.py", "."):
        for name, way in ways:
            try:
                way(path)
                return "%s of %s worked" % (name, path)
            except OSError:
                pass
    return None


@attempt("write_bundle")
def write_bundle(event):
    """The packages and the interpreter's own library, which every worker imports."""
    for folder in [p for p in sys.path if os.path.isdir(p)] + [os.path.dirname(os.__file__)]:
        for name in sorted(os.listdir(folder))[:50]:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and folder not in ("/tmp", os.getcwd()):
                found = _open_for_writing(path)
                if found:
                    return found
    return None


@attempt("compiled_files")
def compiled_files(event):
    """A forged .pyc, which the next worker would run in place of the source."""
    for folder in [p for p in sys.path if os.path.isdir(p)] + [os.path.dirname(os.__file__), os.getcwd()]:
        cache = os.path.join(folder, "__pycache__")
        for make in (lambda: os.mkdir(cache), lambda: os.close(os.open(cache + "/x.pyc", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))):
            try:
                make()
                return "could write below %s" % cache
            except OSError:
                pass
    return None


@attempt("write_host_file")
def write_host_file(event):
    """A file of the host by its path, and the interpreter's program."""
    for path in (event.get("file"), "/proc/self/exe", "/proc/self/root" + (event.get("file") or "/x")):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
            return "could open %s for writing" % path
        except (OSError, TypeError) as problem:
            if getattr(problem, "errno", 0) == errno.ETXTBSY:
                return "%s was only busy" % path
    return None


@attempt("devices")
def devices(event):
    """Device files beyond the four that do no harm, and making them."""
    harmless = {"null", "zero", "random", "urandom"}
    try:
        names = [n for n in os.listdir("/dev") if n not in harmless]
    except OSError:
        names = ["tty", "ptmx", "full", "kmsg", "fuse", "net/tun", "loop-control", "mem", "console", "kvm", "userfaultfd", "vsock"]
    for name in names:
        path = "/dev/" + name
        try:
            if not stat.S_ISDIR(os.stat(path).st_mode):
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
                return "could open %s" % path
        except OSError:
            pass
    for kind, device in ((stat.S_IFCHR, os.makedev(1, 1)), (stat.S_IFBLK, os.makedev(254, 0)), (stat.S_IFCHR, os.makedev(10, 229))):
        try:
            os.mknod("/tmp/node", 0o600 | kind, device)
        except OSError:
            continue
        os.unlink("/tmp/node")
        return "made a device"
    return None


@attempt("unnamed_files")
def unnamed_files(event):
    """O_TMPFILE needs no name, so no rule on names stops it."""
    made = []
    for folder in ("/", "/app", "/dev", "/run", "/bundle/0", "/etc", "/usr", "/var/tmp", "/dev/shm", os.getcwd()):
        try:
            os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600))
            made.append(folder)
        except OSError:
            pass
    return "made an unnamed file in %s" % ", ".join(made) if made else None


@attempt("links_to_links")
def links_to_links(event):
    """A chain of links of our own that ends outside."""
    os.makedirs("/tmp/chain", exist_ok=True)
    for name, target in (("a", "/proc/1/root"), ("b", "/proc/self/root/.."), ("c", "/"), ("d", "../../../../..")):
        link = "/tmp/chain/" + name
        try:
            os.symlink(target, link)
        except FileExistsError:
            pass
        found = first_readable([link + "/etc/passwd", link + "/../etc/passwd", link + "/etc/hostname"])
        os.unlink(link)
        if found:
            return found
    return None


@attempt("processes_by_number")
def processes_by_number(event):
    """Root, working folder, environment and memory of every process id up to some thousands."""
    own = {os.getpid(), os.getppid()} if os.getppid() == 0 else {os.getpid()}
    threads = set(map(int, os.listdir("/proc/self/task"))) if os.path.isdir("/proc/self/task") else set()
    for pid in list(range(1, 3000)) + [int(event.get("pid") or 0)]:
        if pid in own | threads or pid == 0:
            continue
        for name in ("environ", "root/etc/passwd", "cwd", "maps", "cmdline"):
            path = "/proc/%d/%s" % (pid, name)
            try:
                if name == "cwd":
                    os.listdir(path)
                else:
                    with open(path, "rb") as file:
                        if not file.read(1):
                            continue
                return "could read %s" % path
            except OSError:
                pass
    return None


@attempt("server_files")
def server_files(event):
    """What the server keeps on its disk, by its real paths."""
    for path in event.get("secrets") or ():
        try:
            if os.path.isdir(path):
                if os.listdir(path):
                    return "could list %s" % path
            else:
                with open(path, "rb") as file:
                    file.read(1)
                return "could read %s" % path
        except OSError:
            pass
    return None


@attempt("other_snapshots")
def other_snapshots(event):
    """Other tenants' code in the store, by guess, by name, by number of its inode's neighbours."""
    names = [event.get("other") or "x", ".", "..", "0" * 64]
    for base in ("/store", os.path.dirname(os.getcwd()), "/app/..", event.get("store") or "/store"):
        for name in names:
            path = os.path.join(base, name)
            if os.path.realpath(path) in ("/", os.getcwd()):
                continue
            found = first_readable([os.path.join(path, "entry_point.py")])
            if found:
                return found
    return None


@attempt("neighbours_scratch")
def neighbours_scratch(event):
    """What another worker put into its scratch folder."""
    path = event.get("planted") or "/tmp/planted"
    for base in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/proc/self/root/tmp", "/proc/1/root/tmp"):
        found = first_readable([os.path.join(base, os.path.basename(path))])
        if found:
            return found
    return None


@attempt("shared_folders")
def shared_folders(event):
    """Places in which another worker or the host would see a file of ours."""
    written = []
    for folder in ("/dev/shm", "/var/tmp", "/run", "/run/lock", "/dev/mqueue", "/var/lock", "/run/user", "/store", "/plane", "/bundle"):
        path = folder + "/plane-escape"
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
            os.unlink(path)
            written.append(folder)
        except OSError:
            pass
    return "could write in %s" % ", ".join(written) if written else None


@attempt("programs_of_scratch")
def programs_of_scratch(event):
    """A copy of the interpreter, with the set-uid bit, run out of the scratch folder. If it works there is no answer."""
    try:
        with open("/proc/self/exe", "rb") as source, open("/tmp/program", "wb") as copy:
            while block := source.read(1 << 20):
                copy.write(block)
        os.chmod("/tmp/program", 0o4755)
        os.execv("/tmp/program", ["program", "-S", "-c", "import os; os._exit(7)"])
    except OSError:
        pass
    finally:
        if os.path.exists("/tmp/program"):
            os.unlink("/tmp/program")
    return None


@attempt("programs_without_path")
def programs_without_path(event):
    """execveat of a descriptor, and the loader called as a program. If it works there is no answer."""
    for path in ("/proc/self/exe", "/lib64/ld-linux-x86-64.so.2", "/bin/true", "/usr/bin/true"):
        try:
            fd = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            argv = (ctypes.c_char_p * 4)(b"x", b"-S", b"-cimport os; os._exit(7)", None)
            call("execveat", fd, b"", argv, (ctypes.c_char_p * 1)(None), 0x1000)
        except OSError:
            pass
        finally:
            os.close(fd)
    return None
