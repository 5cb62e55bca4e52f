"""Tier ``gvisor``: each worker in a gVisor sandbox of its own, so that it speaks to a kernel that no other worker speaks to.

The zygote of this tier forks no interpreter. It is a broker without any tenant's code: for each ``spawn`` it writes an OCI bundle that
holds the interpreter, its library, the bundle, the code and that worker's snapshot, all read-only, and runs ``runsc`` on it as process 1
of a process namespace and in the worker's cgroup. To kill that process is to end the sandbox with all in it. Inside, ``inside.py``
loads the bundle and goes on as any worker does. Read ``docs/sandbox.md`` for what that separates.
"""

import fcntl
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys

from . import jail as jails, libraries, seccomp, syscalls
from .syscalls import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS

_APP, _SOCKET, _BUNDLE, _CODE, _ZONEINFO = "/app", "/run/plane.sock", "/bundle", "/plane/plane_worker", "/usr/share/zoneinfo"
_SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# What a sandbox takes beside its guest: the sentry's and the gofer's memory and threads, of which there are some for each processor.
_MEMORY_BESIDE, _PIDS_BESIDE = 128 << 20, 512
_START_SECONDS = 60
_PIPE_BYTES = 1 << 20


class Unavailable(jails.StartFailed):
    """The tier cannot be had; the text says why and what to do."""


def find(named=None):
    """The program: the one that is named, else ``runsc`` on the usual path. None when there is none; a wrong name is an error."""
    if named:
        if not os.access(named, os.X_OK):
            raise Unavailable("plane.hydrator.runsc is %s, which is no program that this user may run" % named)
        return named
    return next((path for path in (folder + "/runsc" for folder in _SEARCHED) if os.access(path, os.X_OK)), None)


class _Groups:
    """The workers' cgroups with room for what gVisor itself takes; removes a worker's folder with its group."""

    def __init__(self, groups, folder_of):
        self._groups, self._folder_of = groups, folder_of
        self.version = groups.version if groups else None

    def add(self, worker, limits):
        if self._groups is not None:
            self._groups.add(worker, dict(limits, memory_bytes=int(limits["memory_bytes"]) + _MEMORY_BESIDE,
                                          pids=int(limits["pids"]) + _PIDS_BESIDE))

    def join(self, worker):
        if self._groups is not None:
            self._groups.join(worker)

    def weigh(self, worker, light):
        return self._groups is not None and self._groups.weigh(worker, light)

    def at_memory_limit(self, worker):
        return self._groups is not None and self._groups.at_memory_limit(worker)

    def end(self, worker):
        shutil.rmtree(self._folder_of(worker), ignore_errors=True)
        return self._groups.end(worker) if self._groups is not None else (False, False)

    def close(self):
        if self._groups is not None:
            self._groups.close()

    def remove(self):
        if self._groups is not None:
            self._groups.remove()


class Sandboxes:
    """What the zygote's loop asks of a :class:`jail.Jail`, done with a sandbox for each worker."""

    tier = "gvisor"
    uid_per_worker = True
    landlock_abi = 0

    def __init__(self, config, groups):
        self.uid_base, self.slots = int(config.get("uid_base") or 0), int(config.get("slots") or 0)
        self.store, self.socket = os.path.realpath(config["store"]), config["socket"]
        self.bundle = jails.bundle_folders(config["bundle"]) if config.get("bundle") else []
        self._library = jails.standard_library()
        self._has_cgroup = groups is not None
        self._named = config.get("runsc")
        self._runsc = self._version = self._place = self._socket_outside = self._pid_namespace = None
        self.groups = _Groups(groups, self._folder)

    # ---- the launcher

    def enter_outer(self):
        self._runsc = find(self._named)
        if self._runsc is None:
            raise Unavailable("runsc was not found in %s; install it, or name it with plane.hydrator.runsc" % ":".join(_SEARCHED))
        if os.geteuid() != 0 or not syscalls.supported() or not jails._mapped(self.uid_base, self.slots):
            raise Unavailable("tier gvisor needs root with all its capabilities and the user ids of the workers")
        if self.uid_base < 1000 or self.slots < 1:
            raise Unavailable("as root, uid_base must be at least 1000 and slots at least 1")
        syscalls.unshare(CLONE_NEWPID, "unshare(pid)")

    # ---- the zygote, which here is a broker

    def close(self):
        """Namespaces without network, in which a tmpfs that nobody else sees holds all that the sandboxes are made of."""
        syscalls.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, "unshare(mnt, net, ipc, uts)")
        syscalls.sethostname("broker")
        syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        self._socket_outside = os.path.realpath(self.socket) if self.socket else None
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV
        # Over a folder that is there on every host and holds nothing of ours; only in this mount namespace.
        self._place = next((p for p in ("/mnt", "/media", "/srv", "/opt") if os.path.isdir(p) and not self._in_use(p)), None)
        if self._place is None:
            raise Unavailable("none of /mnt, /media, /srv, /opt is free for the sandboxes")
        syscalls.mount("tmpfs", self._place, "tmpfs", flags, "size=512m,mode=0755")
        syscalls.mount("proc", "/proc", "proc", flags | syscalls.MS_NOEXEC)
        self._root = self._place + "/root"
        os.makedirs(self._root)
        self._fill_root()
        self._version = self._ask([self._runsc, "--version"]).split("\n", 1)[0].replace("runsc version ", "").strip()
        self._pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def _in_use(self, folder):
        used = [self.store, self._runsc, self._socket_outside or "/", os.path.realpath(__file__), os.path.realpath(sys.executable)]
        return any(path.startswith(folder + "/") for path in used + self.bundle + self._library)

    def _fill_root(self):
        """Copies the interpreter and the libraries it may need; everything else is mounted."""
        interpreter = os.path.realpath(sys.executable)
        wanted, done = [interpreter, _loader(interpreter)], set()
        for folder in self._library + self.bundle:
            for path in libraries._extension_modules(folder):
                wanted += _found(path, interpreter)
        wanted += _found_names(["libgcc_s.so.1", "libnss_files.so.2"], [], interpreter)
        while wanted:
            path = wanted.pop()
            if path is None or path in done:
                continue
            done.add(path)
            if any(path.startswith(folder + "/") for folder in self._library + self.bundle):
                continue
            target = self._root + path
            os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
            shutil.copyfile(path, target)
            os.chmod(target, 0o755)
            wanted += _found(path, interpreter)
        for folder in ["/proc", "/dev", "/sys", "/tmp", "/run", _APP, _CODE, _ZONEINFO] + self._library:
            os.makedirs(self._root + folder, 0o755, exist_ok=True)
        for number in range(len(self.bundle)):
            os.makedirs("%s%s/%d" % (self._root, _BUNDLE, number), 0o755, exist_ok=True)
        with open(self._root + _SOCKET, "w", encoding="ascii"):
            pass

    def preload(self):
        """Starts one sandbox that imports the bundle and ends: what cannot be had is found now. Returns the versions."""
        answer = self._ask(self._command("probe", None, {"tmp_bytes": 1 << 20, "open_files": 256}),
                           json.dumps({"bundle": self._bundle_inside()}))
        try:
            return json.loads(answer.strip().rsplit("\n", 1)[-1])
        except ValueError:
            raise Unavailable("the probing sandbox gave no answer: %s" % answer[-300:]) from None
        finally:
            shutil.rmtree(self._folder("probe"), ignore_errors=True)

    @staticmethod
    def _ask(command, text=""):
        try:
            done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_START_SECONDS, env={"PATH": ""})
        except subprocess.TimeoutExpired:
            raise Unavailable("%s did not answer within %d s" % (command[0], _START_SECONDS)) from None
        if done.returncode != 0:
            raise Unavailable("%s failed (%d): %s" % (command[0], done.returncode, (done.stderr or done.stdout).strip()[-500:]))
        return done.stdout

    def seal(self):
        """Nothing is left to close: no tenant's code runs in this process."""

    def profiles(self):
        """Neither a way out by the network nor programs: a sandbox holds neither an egress socket nor anything to run."""
        return ["default"]

    def report(self):
        return {
            "tier": self.tier,
            "user_namespace": False,
            "namespaces": ["mnt", "pid", "net", "ipc", "uts"],
            "pivot_root": True,
            "landlock_abi": 0,
            "seccomp": "default",
            "seccomp_digest": seccomp.digest(),
            "cgroup": self.groups.version,
            "uid_per_worker": True,
            "no_new_privs": True,
            "runsc": self._version,
            "sandbox_per": "worker",
            "profiles": self.profiles(),
        }

    def fork(self):
        """As ``os.fork``; the child is process 1 of a namespace of its own."""
        syscalls.unshare(CLONE_NEWPID, "unshare(pid)")
        pid = -1
        try:
            pid = os.fork()
            return pid
        finally:
            if pid != 0:
                syscalls.setns(self._pid_namespace, CLONE_NEWPID)

    # ---- one sandbox

    def run(self, spec, environment):
        """In the forked child: becomes ``runsc`` with the worker in it. Never returns."""
        try:
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self.groups.join(spec["worker"])
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("500")  # when memory runs out, a sandbox goes before the server
            syscalls.unshare(CLONE_NEWNS, "unshare(mnt)")
            syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
            message = json.dumps({"bundle": self._bundle_inside(), "spawn": spec, "environment": environment,
                                  "memory_in_cgroup": self._has_cgroup, "uid": self.uid_base + int(spec["slot"])}).encode("utf-8")
            read_end, write_end = os.pipe()
            fcntl.fcntl(write_end, getattr(fcntl, "F_SETPIPE_SZ", 1031), _PIPE_BYTES)
            os.set_blocking(write_end, False)
            if os.write(write_end, message) != len(message):
                raise OSError("the spawn frame is too large for a pipe")
            null = os.open("/dev/null", os.O_RDWR)
            os.dup2(read_end, 0)
            os.dup2(null, 1)
            os.closerange(3, 1 << 16)
            command = self._command(spec["worker"], spec["snapshot"], spec["limits"])
            os.execve(command[0], command, {"PATH": ""})
        except BaseException as problem:
            os.write(2, ("a sandbox could not be started: %s\n" % problem).encode("utf-8", "replace"))
        finally:
            os._exit(70)

    def _folder(self, worker):
        return "%s/worker-%s" % (self._place, worker)

    def _bundle_inside(self):
        return ["%s/%d" % (_BUNDLE, number) for number in range(len(self.bundle))]

    def _command(self, worker, snapshot, limits):
        folder = self._folder(worker)
        os.makedirs(folder + "/state")
        with open(folder + "/config.json", "w", encoding="utf-8") as file:
            json.dump(self._bundle(snapshot, limits), file)
        return [self._runsc, "--root", folder + "/state", "--network=none", "--ignore-cgroups",
                "--host-uds=open" if snapshot else "--host-uds=none", "--file-access-mounts=exclusive", "--overlay2=none",
                "run", "--bundle", folder, "w-" + worker]

    def _bundle(self, snapshot, limits):
        def bound(source, target):
            return {"destination": target, "type": "bind", "source": os.path.realpath(source),
                    "options": ["bind", "ro", "nosuid", "nodev"]}

        mounts = [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
                  {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs",
                   "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=%d" % int(limits["tmp_bytes"])]},
                  {"destination": "/sys", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "nosuid", "noexec", "nodev", "size=4096"]}]
        for folder in self._library:
            mounts.append(bound(folder, folder))
            for hidden in ("site-packages", "dist-packages", "test"):
                if os.path.isdir("%s/%s" % (folder, hidden)):
                    mounts.append({"destination": "%s/%s" % (folder, hidden), "type": "tmpfs", "source": "tmpfs",
                                   "options": ["ro", "nosuid", "noexec", "nodev", "size=4096"]})
        mounts += [bound(folder, "%s/%d" % (_BUNDLE, number)) for number, folder in enumerate(self.bundle)]
        mounts.append(bound(os.path.dirname(os.path.realpath(__file__)), _CODE))
        if os.path.isdir(_ZONEINFO):
            mounts.append(bound(_ZONEINFO, _ZONEINFO))
        if snapshot:
            mounts.append(bound(os.path.join(self.store, snapshot), _APP))
            mounts.append({"destination": _SOCKET, "type": "bind", "source": self._socket_outside,
                           "options": ["bind", "nosuid", "nodev", "noexec"]})
        # Only root may connect to the server's socket. The guest is root of its sandbox until it has; then these three go too.
        held = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"] if snapshot else []
        return {
            "ociVersion": "1.0.2",
            "hostname": "worker",
            "root": {"path": self._root, "readonly": True},
            "process": {
                "terminal": False,
                "user": {"uid": 0, "gid": 0} if snapshot else {"uid": 65534, "gid": 65534},
                "args": [os.path.realpath(sys.executable), "-I", "-S", "-B", _CODE + "/inside.py"],
                "env": ["LC_ALL=C.UTF-8", "LANG=C.UTF-8", "MALLOC_ARENA_MAX=2", "PYTHONDONTWRITEBYTECODE=1"],
                "cwd": "/",
                "capabilities": {"bounding": held, "effective": held, "permitted": held, "inheritable": [], "ambient": []},
                "noNewPrivileges": True,
                "rlimits": [{"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
                            {"type": "RLIMIT_NOFILE", "hard": int(limits["open_files"]), "soft": int(limits["open_files"])}],
            },
            "mounts": mounts,
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
        }


def _loader(program):
    """The dynamic loader that an ELF program names; None for one that needs none."""
    with open(program, "rb") as file:
        header = file.read(64)
        (offset,) = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        file.seek(offset)
        table = file.read(size * count)
        for i in range(count):
            kind, _, at, _, _, length = struct.unpack_from("<IIQQQQ", table, i * size)
            if kind == 3:  # PT_INTERP
                file.seek(at)
                return file.read(length).rstrip(b"\0").decode("utf-8")
    return None


def _found(path, interpreter):
    names, places = libraries.needed(path)
    return _found_names(names, places, interpreter)


def _found_names(names, places, interpreter):
    triple = "%s-linux-gnu" % os.uname().machine
    folders = list(places) + [os.path.join(os.path.dirname(os.path.dirname(interpreter)), "lib"), "/lib/" + triple, "/usr/lib/" + triple,
                              "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"]
    found = []
    for name in names:
        candidates = (os.path.join(folder, name) for folder in folders)
        found.append(next((path for path in candidates if os.path.exists(path) and stat.S_ISREG(os.stat(path).st_mode)), None))
    return found
