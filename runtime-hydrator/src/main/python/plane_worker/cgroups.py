"""Control groups: a group per worker with a limit on memory and on processes and a weight for CPU, on version 1 and 2 hosts.

The groups are made below the group the server itself runs in, as ``aiel-plane-<pid>-<start time>-<process namespace>/<worker>``. Folders are
opened before the jail closes and used through their descriptors, so the jail has no view of the hierarchy.
The name holds the maker's pid and start time: whoever comes next can tell a group whose maker is dead, and removes it.
"""

import errno
import os
import re
import time

_PROC = "/proc"
_PREFIX = "aiel-plane-"
_CONTROLLERS = ("memory", "pids")
# Not a limit but a share: a host without it is no reason to refuse.
_OPTIONAL = ("cpu",)
#: Where a version 2 host's server goes: a group that has processes of its own may have no groups with limits below it.
_SERVER = "aiel-plane-server"
# A worker that computes without pause weighs a 32nd of one that answers.
_WEIGHT = {"v1": ("cpu.shares", "1024", "32"), "v2": ("cpu.weight", "100", "3")}
# All workers together, half of the usual: what they do is to be started, heard and ended by others.
_WEIGHT_OF_ALL = {"v1": "512", "v2": "50"}
_NAME = re.compile(r"^aiel-plane-(\d+)-(\d+)(?:-(\d+))?$")


def _start_time(pid):
    """When the process started, in clock ticks since boot; None if there is no such process."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except OSError:
        return None


def _process_namespace():
    """A number that says in which process namespace the ids of processes are to be read."""
    return os.stat("/proc/self/ns/pid").st_ino


def _own_paths():
    """Folder of this process's own group: ``{"memory": …, "pids": …, "cpu": …}`` on version 1, ``{"": …}`` on version 2."""
    paths_in_hierarchy = {}
    with open(_PROC + "/self/cgroup", encoding="utf-8") as table:
        for line in table:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            for controller in controllers.split(","):
                paths_in_hierarchy[controller] = path
    found = {}
    with open(_PROC + "/self/mountinfo", encoding="utf-8") as table:
        for line in table:
            left, _, right = line.rstrip("\n").partition(" - ")
            fields, kind = left.split(), right.split()
            if kind[0] not in ("cgroup", "cgroup2"):
                continue
            root, mountpoint = fields[3], fields[4].replace("\\040", " ")
            names = [""] if kind[0] == "cgroup2" else [n for n in kind[2].split(",") if n in _CONTROLLERS + _OPTIONAL]
            for name in names:
                path = paths_in_hierarchy.get(name)
                if path is None or name in found:
                    continue
                # In a container the mount shows a part of the hierarchy; our path may lie above or outside of it.
                if root != "/" and (path == root or path.startswith(root + "/")):
                    path = path[len(root):] or "/"
                folder = os.path.normpath(mountpoint + "/" + path)
                found[name] = folder if os.path.isdir(folder) else mountpoint
    return found


def _write(path, text, dir_fd=None):
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)


def _read(path, dir_fd=None):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        return os.read(fd, 65536).decode("ascii", "replace")
    finally:
        os.close(fd)


def _remove(folder):
    """Removes a group and those in it. A group is busy for a moment after its last process ended."""
    for _ in range(100):
        try:
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    os.rmdir(entry.path)
            os.rmdir(folder)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY:
                return
            time.sleep(0.02)


def _remove_stale(parent):
    """Removes what a launcher that was killed together with its sweeper left behind."""
    try:
        entries = list(os.scandir(parent))
    except OSError:
        return
    for entry in entries:
        match = _NAME.match(entry.name)
        if match and match.group(3) not in (None, str(_process_namespace())):
            continue  # somebody's in another container, whose processes we cannot see
        if match and _start_time(int(match.group(1))) != int(match.group(2)):
            _remove(entry.path)


def _counter(text, word):
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == word:
            return int(value)
    return 0


class Groups:
    """The folder of one zygote, in each hierarchy; made by :func:`create`. Not for more than one thread."""

    def __init__(self, version, folders):
        self.version = version
        self.folders = folders
        self._fds = {name: os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for name, folder in folders.items()}

    def add(self, worker, limits):
        """Makes the group of ``worker``. ``limits``: ``memory_bytes`` and ``pids``."""
        memory, pids = str(int(limits["memory_bytes"])), str(int(limits["pids"]))
        for fd in self._fds.values():
            os.mkdir(worker, 0o755, dir_fd=fd)
        if self.version == "v1":
            fd = self._fds["memory"]
            _write(worker + "/memory.limit_in_bytes", memory, fd)
            for name, value in (("memory.swappiness", "0"), ("memory.memsw.limit_in_bytes", memory)):
                try:
                    _write(worker + "/" + name, value, fd)
                except OSError:
                    pass  # no swap accounting in this kernel
            _write(worker + "/pids.max", pids, self._fds["pids"])
        else:
            fd = self._fds[""]
            _write(worker + "/memory.max", memory, fd)
            _write(worker + "/pids.max", pids, fd)
            for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
                try:
                    _write(worker + "/" + name, value, fd)
                except OSError:
                    pass

    def join(self, worker):
        """Moves the calling process (which must have one thread) into the group of ``worker``."""
        for fd in self._fds.values():
            _write(worker + "/cgroup.procs", "0", fd)

    def weigh_all(self):
        """Gives all workers together half of the usual share of the CPU while others want it. Does nothing where there are no shares."""
        fd = self._fds.get("cpu" if self.version == "v1" else "")
        try:
            _write(_WEIGHT[self.version][0], _WEIGHT_OF_ALL[self.version], fd)
        except (OSError, TypeError):
            pass

    def weigh(self, worker, light):
        """Gives ``worker`` a small share of the CPU while others want it, or the usual one. False where there are no shares."""
        file, usual, small = _WEIGHT[self.version]
        fd = self._fds.get("cpu" if self.version == "v1" else "")
        try:
            _write("%s/%s" % (worker, file), small if light else usual, fd)
            return True
        except (OSError, TypeError):
            return False

    def at_memory_limit(self, worker):
        """Whether ``worker``, which lives, has reached its limit on memory and stands at it."""
        try:
            if self.version == "v1":
                fd, names = self._fds["memory"], ("memory.usage_in_bytes", "memory.limit_in_bytes")
                reached = int(_read(worker + "/memory.failcnt", fd)) > 0
            else:
                fd, names = self._fds[""], ("memory.current", "memory.max")
                reached = _counter(_read(worker + "/memory.events", fd), "max") > 0
            used, limit = (int(_read("%s/%s" % (worker, name), fd)) for name in names)
        except (OSError, ValueError, KeyError):
            return False
        return reached and used >= limit - limit // 50

    def end(self, worker):
        """Reads what the group counted and removes it: ``(memory_limit_hit, process_limit_hit)``."""
        memory_hit = process_hit = False
        try:
            if self.version == "v1":
                memory_hit = _counter(_read(worker + "/memory.oom_control", self._fds["memory"]), "oom_kill") > 0
                process_hit = _counter(_read(worker + "/pids.events", self._fds["pids"]), "max") > 0
            else:
                memory_hit = _counter(_read(worker + "/memory.events", self._fds[""]), "oom_kill") > 0
                process_hit = _counter(_read(worker + "/pids.events", self._fds[""]), "max") > 0
        except OSError:
            pass
        for fd in self._fds.values():
            for attempt in range(50):
                try:
                    os.rmdir(worker, dir_fd=fd)
                    break
                except FileNotFoundError:
                    break
                except OSError as error:
                    if error.errno != errno.EBUSY or attempt == 49:
                        break  # the launcher removes it at the end
                    time.sleep(0.001)
        return memory_hit, process_hit

    def close(self):
        for fd in self._fds.values():
            os.close(fd)
        self._fds = {}

    def remove(self):
        """Removes all; for the launcher, outside the jail, when every process is gone or is to go."""
        for folder in self.folders.values():
            if self.version == "v2":
                try:
                    _write(folder + "/cgroup.kill", "1")
                except OSError:
                    pass  # kernels before 5.14
            _remove(folder)


def create():
    """Makes this process's folder. Returns ``(Groups, None)``, or ``(None, why not)``; leaves nothing behind if it cannot."""
    made = {}
    try:
        own = _own_paths()
        name = "%s%d-%d-%d" % (_PREFIX, os.getpid(), _start_time(os.getpid()), _process_namespace())
        if all(controller in own for controller in _CONTROLLERS):
            version, parents = "v1", {controller: own[controller] for controller in _CONTROLLERS + _OPTIONAL if controller in own}
        elif "" in own:
            version, parents = "v2", {"": own[""].removesuffix("/" + _SERVER)}
        else:
            return None, "no cgroup hierarchy with the memory and pids controllers is mounted"
        for parent in parents.values():
            _remove_stale(parent)
        if version == "v2":
            _delegate(parents[""])
        for controller, parent in parents.items():
            folder = os.path.join(parent, name)
            try:
                os.mkdir(folder, 0o755)
            except OSError:
                if controller in _OPTIONAL:
                    continue
                raise
            made[controller] = folder
        if version == "v2":
            _delegate(made[""])
        groups = Groups(version, made)
        groups.weigh_all()
        try:
            # What a limit file refuses is found now, not at the first worker.
            groups.add("probe", {"memory_bytes": 64 << 20, "pids": 8})
            pid = os.fork()
            if pid == 0:
                try:
                    groups.join("probe")
                    os._exit(0)
                except OSError:
                    os._exit(1)
            _, status = os.waitpid(pid, 0)
            groups.end("probe")
            if status != 0:
                raise OSError(errno.EACCES, "a process could not be moved into a new group")
            return groups, None
        except OSError:
            groups.end("probe")
            groups.close()
            raise
    except (OSError, ValueError) as error:
        for folder in made.values():
            _remove(folder)
        return None, str(error)


def _delegate(folder):
    """Version 2: turns the controllers on for the groups in ``folder``."""
    on = _read(folder + "/cgroup.subtree_control").split()
    wanted = [c for c in _CONTROLLERS + _OPTIONAL if c not in on]
    if not wanted:
        return
    available = _read(folder + "/cgroup.controllers").split()
    lacking = [c for c in _CONTROLLERS if c in wanted and c not in available]
    if lacking:
        raise OSError(errno.ENOENT, "controllers not delegated to %s: %s" % (folder, " ".join(lacking)))
    switch = " ".join("+" + c for c in wanted if c in available)
    if not switch:
        return
    try:
        _write(folder + "/cgroup.subtree_control", switch)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        _make_room(folder)
        _write(folder + "/cgroup.subtree_control", switch)


def _make_room(folder):
    """Version 2: moves the processes of ``folder``, the server and what else shares its group, one group further down."""
    leaf = os.path.join(folder, _SERVER)
    try:
        os.mkdir(leaf, 0o755)
    except FileExistsError:
        pass
    for _ in range(10):  # whoever forks meanwhile leaves a child behind
        pids = _read(folder + "/cgroup.procs").split()
        if not pids:
            return
        for pid in pids:
            try:
                _write(leaf + "/cgroup.procs", pid)
            except ProcessLookupError:
                pass
