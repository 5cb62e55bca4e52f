"""The walls: what the zygote closes around itself once, and what each worker adds around itself.

Three tiers, never one for another: ``namespaces``, ``restricted`` (Landlock, seccomp, no_new_privs, limits) and ``none`` (limits only).
Read ``docs/sandbox.md`` for the order of the steps and the reason of each.
"""

import os
import resource
import signal
import sys
import sysconfig

from . import egress, landlock, libraries, seccomp, syscalls
from .syscalls import (CAP_CHOWN, CAP_KILL, CAP_NET_ADMIN, CAP_SETGID, CAP_SETPCAP, CAP_SETUID, CAP_SYS_ADMIN, CLONE_NEWCGROUP, CLONE_NEWIPC,
                       CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS)

TIERS = ("namespaces", "restricted", "none")
_APP, _STORE, _SOCKET, _BUNDLE, _CODE = "/app", "/store", "/run/plane.sock", "/bundle", "/plane"
_DEVICES = ("null", "zero", "urandom", "random")
_ZONEINFO = "/usr/share/zoneinfo"
_CA_FILE, _SHARED_MEMORY = "/run/ca.pem", "/dev/shm"
_CA_PLACES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# Inside a user namespace without privileges every process has this id; it owns nothing on a host.
_NOBODY = 65534
_ZYGOTE_CAPABILITIES = (CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL, CAP_CHOWN)


class StartFailed(Exception):
    """The demanded tier cannot be had; the text says which step was refused."""


def bundle_folders(bundle):
    """The folders of a bundle that go on ``sys.path``: those of ``layers.json``, else ``site``, else the folder itself."""
    import json
    layers = os.path.join(bundle, "layers.json")
    if os.path.exists(layers):
        with open(layers, encoding="utf-8") as file:
            listed = json.load(file)
        if isinstance(listed, dict):
            listed = listed.get("layers")
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise StartFailed("%s must hold a list of folder names" % layers)
        folders = [os.path.join(bundle, item) for item in listed]
    elif os.path.isdir(os.path.join(bundle, "site")):
        folders = [os.path.join(bundle, "site")]
    else:
        folders = [bundle]
    for folder in folders:
        if not os.path.isdir(folder):
            raise StartFailed("bundle folder does not exist: %s" % folder)
    return [os.path.realpath(folder) for folder in folders]


def standard_library():
    """The folders of the standard library as this interpreter has them on its path (not the site packages)."""
    found = []
    for name in ("stdlib", "platstdlib"):
        path = sysconfig.get_path(name)
        if path and os.path.isdir(path) and path not in found:
            found.append(path)
    for path in sys.path:
        if os.path.basename(path) == "lib-dynload" and os.path.isdir(path):
            if not any(path.startswith(other + "/") for other in found):
                found.append(path)
    return found


def _others_may_read(folder):
    """True if every step of the path, and the folder, is open to everyone."""
    path = os.path.realpath(folder)
    while True:
        if os.stat(path).st_mode & 0o005 != 0o005 and (path == os.path.realpath(folder) or os.stat(path).st_mode & 0o001 == 0):
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def bundle_imports(bundle):
    """The modules of ``imports.txt``: what the bundle's fork server imports once, for all its workers."""
    try:
        with open(os.path.join(bundle, "imports.txt"), encoding="ascii") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


class Jail:
    """One tier, as the zygote and its workers go through it.

    Attributes: ``app``, ``store``, ``socket``, ``bundle``: paths as they are seen once :meth:`close` is done.
    """

    def __init__(self, config, groups):
        tier = config["tier"]
        self.tier = "namespaces" if tier == "auto" else tier
        self.groups = groups
        self.uid_base = int(config.get("uid_base") or 0)
        self.slots = int(config.get("slots") or 0)
        self.app, self.store, self.socket = None, os.path.realpath(config["store"]), config["socket"]
        self.bundle = bundle_folders(config["bundle"]) if config.get("bundle") else []
        self.imports = bundle_imports(config["bundle"]) if config.get("bundle") else []
        capabilities = syscalls.effective_capabilities() if syscalls.supported() else 0
        needed = (CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL)
        self.privileged = (os.geteuid() == 0 and all(capabilities >> c & 1 for c in needed)
                           and _mapped(self.uid_base, self.slots))
        self.landlock_abi = landlock.abi() if self.tier != "none" else 0
        self.uid_per_worker = False
        self.facts = {}
        self.ca_file = config.get("ca_file") or next(filter(os.path.isfile, _CA_PLACES), None)
        if self.ca_file is not None:
            self.ca_file = os.path.realpath(self.ca_file)
            if not os.path.isfile(self.ca_file):
                raise StartFailed("the file of certificates does not exist: %s" % self.ca_file)
        self.listeners = None
        self._scratch = ["/tmp"]
        self._capabilities = _ZYGOTE_CAPABILITIES + ((CAP_NET_ADMIN,) if capabilities >> CAP_NET_ADMIN & 1 else ())
        self._pid_namespace = None
        self._filters = {}
        self._standard_library = standard_library()

    # ---- the launcher, before the zygote exists

    def enter_outer(self):
        """Namespaces that must exist before the zygote is forked: it is to be process 1 of its own."""
        if self.tier not in TIERS:
            raise StartFailed("unknown tier %r; one of auto, %s" % (self.tier, ", ".join(TIERS + ("gvisor",))))
        if not os.path.isdir(self.store):
            raise StartFailed("store does not exist: %s" % self.store)
        if self.tier == "none":
            return
        if not syscalls.supported():
            raise StartFailed("no system call numbers for architecture %s" % syscalls.MACHINE)
        if not seccomp.available():
            raise StartFailed("the kernel has no seccomp filters")
        if self.tier == "restricted":
            if self.landlock_abi < 1:
                raise StartFailed("the kernel has no Landlock, or it is not among the enabled security modules")
            return
        if self.privileged and (self.uid_base < 1000 or self.slots < 1):
            raise StartFailed("as root, uid_base must be at least 1000 and slots at least 1")
        if self.privileged:
            syscalls.unshare(CLONE_NEWPID, "unshare(pid)")
        else:
            uid, gid = os.geteuid(), os.getegid()
            syscalls.unshare(CLONE_NEWUSER | CLONE_NEWPID, "unshare(user, pid)")
            _map_ids(uid, gid)

    # ---- the zygote

    def close(self):
        """Closes the zygote's own jail. Afterwards no host path is reachable but those bound into it."""
        if self.tier != "namespaces":
            self._close_without_namespaces()
            return
        missing = libraries.preload(self._standard_library + self.bundle)
        if missing:
            sys.stderr.write("libraries not found on this host, modules that need them will not load: %s\n" % ", ".join(missing))
        syscalls.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS, "unshare(mnt, net, ipc, uts)")
        syscalls.sethostname("zygote")
        syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        base = next((p for p in ("/tmp", "/run", "/mnt", "/var") if os.path.isdir(p)), None)
        if base is None:
            raise StartFailed("none of /tmp, /run, /mnt, /var exists to build the jail on")
        # Build on a tmpfs that becomes the root, with the host below /old: so nothing is hidden by what it is mounted on,
        # and no folder on the host is needed.
        working = syscalls.MS_NOSUID | syscalls.MS_NODEV
        syscalls.mount("tmpfs", base, "tmpfs", working, "size=64k,mode=0755")
        os.mkdir(base + "/old", 0o755)
        os.mkdir(base + "/new", 0o755)
        syscalls.pivot_root(base, base + "/old")
        os.chdir("/")
        syscalls.mount("tmpfs", "/new", "tmpfs", working, "size=1m,nr_inodes=2048,mode=0755")
        for folder in ("proc", "dev", "tmp", "run", "app", "store", "bundle", "etc"):
            os.mkdir("/new/" + folder, 0o755)
        syscalls.mount("proc", "/new/proc", "proc", working | syscalls.MS_NOEXEC)
        for device in _DEVICES:
            _bind_file("/old/dev/" + device, "/new/dev/" + device, "nosuid,noexec")
        for folder in self._standard_library:
            _bind_folder("/old" + os.path.realpath(folder), "/new" + folder, "ro,nosuid,nodev")
            for hidden in ("site-packages", "dist-packages", "test"):
                if os.path.isdir("/new%s/%s" % (folder, hidden)):
                    syscalls.mount("tmpfs", "/new%s/%s" % (folder, hidden), "tmpfs", working | syscalls.MS_RDONLY, "size=4k,mode=0555")
        if os.path.isdir("/old" + _ZONEINFO):
            _bind_folder("/old" + os.path.realpath("/old" + _ZONEINFO).removeprefix("/old"), "/new" + _ZONEINFO,
                         "ro,nosuid,nodev,noexec")
        inside = []
        for number, folder in enumerate(self.bundle):
            target = "%s/%d" % (_BUNDLE, number)
            _bind_folder("/old" + folder, "/new" + target, "ro,nosuid,nodev")
            inside.append(target)
        package = sys.modules[__package__]
        _bind_folder("/old" + os.path.dirname(os.path.realpath(__file__)), "/new" + _CODE, "ro,nosuid,nodev,noexec")
        syscalls.bind("/old" + self.store, "/new" + _STORE, "ro,nosuid,nodev,noexec")
        if self.socket:
            _bind_file("/old" + os.path.realpath(self.socket), "/new" + _SOCKET, "nosuid,nodev,noexec")
        if self.ca_file is not None:
            _bind_file("/old" + self.ca_file, "/new" + _CA_FILE, "ro,nosuid,nodev,noexec")
            self.ca_file = _CA_FILE
        os.mkdir("/new" + _SHARED_MEMORY, 0o755)
        os.chdir("/new")
        syscalls.pivot_root(".", ".")
        syscalls.umount(".")
        os.chdir("/")
        package.__path__[:] = [_CODE]
        self.app, self.store, self.bundle = _APP, _STORE, inside
        self.socket = _SOCKET if self.socket else None
        if self.privileged:
            syscalls.drop_bounding(self._capabilities)
            syscalls.set_capabilities(self._capabilities)
            self.uid_per_worker = True
        self._pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        # Made once: a worker here is process 1, always.
        self._filters = {profile: seccomp.program(1, profile) for profile in seccomp.PROFILES}
        self.facts = {"namespaces": ["mnt", "pid", "net", "ipc", "uts"] + ([] if self.privileged else ["user"]),
                      "user_namespace": not self.privileged, "pivot_root": True}

    def seal(self):
        """Makes the jail's own root read-only; the last step, after what must be written there once."""
        if self.tier == "namespaces":
            syscalls.mount_options("/", "ro,nosuid,nodev", recursive=False)

    def _close_without_namespaces(self):
        folders = self._standard_library + self.bundle + [self.store]
        if self.privileged and self.uid_base >= 1000 and self.slots > 0:
            # With a uid of its own a worker can only read what everyone may.
            closed = [folder for folder in folders if not _others_may_read(folder)]
            if closed and self.tier == "restricted":
                raise StartFailed("workers have uids of their own and cannot read %s; let everyone read it, take another Python, "
                                  "or run the server as an ordinary user" % ", ".join(closed))
            self.uid_per_worker = not closed
        elif os.geteuid() == 0 and self.tier == "restricted":
            raise StartFailed("as root, tier restricted needs the capabilities to change uids, uid_base of at least 1000, and slots")
        libraries.preload(self._standard_library + self.bundle)
        self.facts = {"namespaces": [], "user_namespace": False, "pivot_root": False}

    def profiles(self):
        """The profiles of workers that this tier can hold. What is not here is refused, never given with weaker walls."""
        if self.tier != "namespaces":
            return ["default"]
        network = not self.privileged or CAP_NET_ADMIN in self._capabilities
        subprocess = self.groups is not None  # nothing else counts a worker's processes together with what they use
        possible = {"default": True, "network": network, "subprocess": subprocess, "network+subprocess": network and subprocess}
        return [name for name in seccomp.PROFILES if possible[name]]

    def report(self):
        """What each execution's record says about the walls around it."""
        return {
            "tier": self.tier,
            "user_namespace": self.facts["user_namespace"],
            "namespaces": self.facts["namespaces"],
            "pivot_root": self.facts["pivot_root"],
            "landlock_abi": self.landlock_abi,
            "seccomp": "default" if self.tier != "none" else None,
            "profiles": self.profiles(),
            "seccomp_digest": seccomp.digest(scratch=self.tier == "namespaces") if self.tier != "none" else None,
            "seccomp_digests": {name: seccomp.digest(name) for name in self.profiles() if name != "default"},
            "cgroup": self.groups.version if self.groups else None,
            "uid_per_worker": self.uid_per_worker,
            "no_new_privs": syscalls.supported(),
        }

    def fork(self):
        """As ``os.fork``; in tier ``namespaces`` the child is process 1 of a namespace of its own."""
        if self._pid_namespace is None:
            return os.fork()
        syscalls.unshare(CLONE_NEWPID, "unshare(pid)")
        pid = -1
        try:
            pid = os.fork()
            return pid
        finally:
            if pid != 0:
                syscalls.setns(self._pid_namespace, CLONE_NEWPID)

    # ---- the worker

    def enter(self, snapshot, slot, limits, parent, profile="default"):
        """All walls of a worker, in the calling process, which has closed its descriptors and has one thread."""
        # kill(0) is for a process group, and goes past process namespaces: the zygote's group has the other workers in it. Not a session of
        # its own: the kernel shares processors out between sessions, and what a worker's threads are niced by would count within it alone.
        os.setpgid(0, 0)
        if self.tier == "namespaces":
            self._enter_namespaces(snapshot, slot, limits, profile)
        else:
            self.app = os.path.join(self.store, snapshot)
        os.chdir(self.app)
        self._limit(limits)
        uid = self.uid_base + slot
        if self.uid_per_worker:
            syscalls.drop_bounding()
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        if syscalls.supported():
            # In tier none too: it promises no walls, but nobody's code is to run with a root server's powers.
            if syscalls.effective_capabilities() >> CAP_SETPCAP & 1:
                syscalls.drop_bounding()
            syscalls.set_capabilities()
            syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
            if self.tier != "none":
                syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
            # A change of credentials clears this, so it comes after them; and the parent may be gone already.
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            if self.tier != "namespaces" and os.getppid() != parent:
                os._exit(0)
        if self.tier != "none":
            if self.landlock_abi:
                landlock.restrict(self._landlock_rules(), self.landlock_abi,
                                  (egress.PORT, egress.PLANE_PORT) if self.listeners is not None else ())
            seccomp.install(self._filters.get(profile) or seccomp.program(os.getpid(), profile, scratch=False))

    def _enter_namespaces(self, snapshot, slot, limits, profile):
        network, subprocess = ("network" in profile.split("+"), "subprocess" in profile.split("+"))
        # A network of its own even when it is empty: /proc/self/net would list the sockets of the others and the server's path.
        syscalls.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
                         "unshare(mnt, net, ipc, uts, cgroup)")
        syscalls.sethostname("worker")
        if network:
            syscalls.loopback_up()
            self.listeners = egress.listen()
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount(_STORE + "/" + snapshot, _APP, None, syscalls.MS_BIND)  # takes over the store's options
        owner = self.uid_base + slot if self.uid_per_worker else _NOBODY
        syscalls.mount("tmpfs", "/tmp", "tmpfs", flags, "size=%d,nr_inodes=16384,mode=0700,uid=%d,gid=%d"
                       % (int(limits["tmp_bytes"]), owner, owner))
        if self.privileged:
            flags |= syscalls.MS_RDONLY  # without privileges the maps of one more user namespace are still to be written
        try:
            syscalls.mount("proc", "/proc", "proc", flags, "subset=pid")
        except OSError:  # kernels before 5.8
            syscalls.mount("proc", "/proc", "proc", flags)
        if subprocess:  # for the locks and queues of multiprocessing
            self._scratch.append(_SHARED_MEMORY)
            syscalls.mount("tmpfs", _SHARED_MEMORY, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC,
                           "size=1m,nr_inodes=256,mode=0700,uid=%d,gid=%d" % (owner, owner))
        for hidden in filter(None, (_STORE, self.socket, _CODE, None if network else self.ca_file)):
            syscalls.umount(hidden)
        if not self.privileged:
            self._enter_user_namespace()

    def _enter_user_namespace(self):
        """One more user namespace, so that the limit on processes counts this worker alone. Its absence opens nothing.

        The limit is set after it: what is set before would hold for all workers of the zygote together.
        """
        try:
            uid, gid = os.geteuid(), os.getegid()
            syscalls.unshare(CLONE_NEWUSER, "unshare(user)")
        except OSError:
            return
        _map_ids(uid, gid, "/proc/self")

    def _limit(self, limits):
        def limit(kind, value):
            _, hard = resource.getrlimit(kind)
            if hard != resource.RLIM_INFINITY:
                value = min(value, hard)
            resource.setrlimit(kind, (value, value))

        limit(resource.RLIMIT_CORE, 0)
        limit(resource.RLIMIT_NOFILE, int(limits["open_files"]))
        limit(resource.RLIMIT_FSIZE, int(limits["file_bytes"]))
        limit(resource.RLIMIT_CPU, int(limits["cpu_seconds"]))
        limit(resource.RLIMIT_STACK, 8 << 20)
        limit(resource.RLIMIT_MEMLOCK, 0)
        limit(resource.RLIMIT_MSGQUEUE, 0)
        # A cgroup counts this worker alone. Without one the count is by uid or by user namespace, where it is of no more than this
        # plane's worker; elsewhere seccomp denies new processes, and a limit would count what others of this uid do. Never both: a
        # second plane on this machine has the same uids unless it was told otherwise, and its threads are none of this worker's.
        if self.groups is None and (self.uid_per_worker or (self.tier == "namespaces" and not self.privileged)):
            limit(resource.RLIMIT_NPROC, int(limits["pids"]))
        if self.groups is None:
            with open("/proc/self/statm", encoding="ascii") as statm:
                own = int(statm.read().split()[0]) * resource.getpagesize()
            limit(resource.RLIMIT_AS, own + int(limits["memory_bytes"]))

    def _landlock_rules(self):
        rules = [("/dev/" + device, landlock.DEVICE) for device in _DEVICES]
        if self.tier == "namespaces":
            return rules + [("/", landlock.READ)] + [(path, landlock.SCRATCH) for path in self._scratch]
        readable = self._standard_library + self.bundle + [self.app, _ZONEINFO]
        return rules + [(path, landlock.READ) for path in readable]


def _mapped(first, count):
    """Whether the ids exist here: root of a container's user namespace may have no other id than its own."""
    for name in ("uid_map", "gid_map"):
        with open("/proc/self/" + name, encoding="ascii") as table:
            ranges = [tuple(map(int, line.split())) for line in table]
        if not any(inside <= first and first + count <= inside + length for inside, _, length in ranges):
            return False
    return True


def _map_ids(uid, gid, proc="/proc/self"):
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (_NOBODY, uid)), ("gid_map", "%d %d 1" % (_NOBODY, gid))):
        with open("%s/%s" % (proc, name), "w", encoding="ascii") as file:
            file.write(text)


def _bind_folder(source, target, options):
    os.makedirs(target, 0o755, exist_ok=True)
    syscalls.bind(source, target, options)


def _bind_file(source, target, options):
    os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    syscalls.bind(source, target, options)
