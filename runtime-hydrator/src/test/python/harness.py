"""Drives the real launcher, zygote and workers through pipes and a Unix socket, as the server does."""

import json
import os
import queue
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
WORKER_CODE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "main", "python", "plane_worker")
BUNDLE = os.environ.get("PLANE_TEST_BUNDLE")
if not BUNDLE or not os.path.isdir(BUNDLE):
    raise RuntimeError("set PLANE_TEST_BUNDLE to a folder made by: python3 -m pip install --target <folder>/site "
                       "aiel-sdk==1.8.0 aiel-runtime==0.5.3 packaging jsonschema")
#: An interpreter to run the launcher with; the tests' own one by default.
PYTHON = os.environ.get("PLANE_TEST_PYTHON") or sys.executable
WAIT = 30.0

#: The ordinary user that tests run as when they are root; another one in each run, since the kernel counts a user's processes
#: over all containers of the machine, and a second run beside this one would use up what this one is allowed.
USER = 20001 + os.getpid() % 20000


def _open_to_others(path):
    path = os.path.realpath(path)
    while path != "/":
        if os.stat(path).st_mode & 0o005 != 0o005:
            return False
        path = os.path.dirname(path)
    return True


def identities():
    """Whom to run the plane as: ``[(label, uid or None)]``; as root also an ordinary user, if that can reach all it needs."""
    if os.geteuid() != 0:
        return [("user", None)]
    found = [("root", None)]
    if python_for(USER) and _open_to_others(BUNDLE):
        found.append(("user", USER))
    return found


def without_user():
    """What to add to a suite when :func:`identities` had to leave the ordinary user out: a test that is skipped and says so."""
    class AsUser(unittest.TestCase):
        @unittest.skip("user %d cannot read the interpreter or %s" % (USER, BUNDLE))
        def test_as_an_ordinary_user(self):
            pass
    return [AsUser("test_as_an_ordinary_user")] if os.geteuid() == 0 and len(identities()) == 1 else []


def python_for(uid):
    """An interpreter that ``uid`` may run, of the version the bundle is for."""
    if uid is None or os.geteuid() != 0:
        return PYTHON
    for candidate in (PYTHON, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            answer = subprocess.run([candidate, "-I", "-S", "-c", "import os, sys; print(sys.version_info[:2] == %r, os.__file__)"
                                     % (sys.version_info[:2],)], user=uid, group=uid, extra_groups=[], capture_output=True, text=True)
        except OSError:
            continue
        if answer.returncode == 0 and answer.stdout.startswith("True"):
            return candidate
    return None


def can_be_restricted():
    """Whether this interpreter and bundle can serve workers of the restricted tier (as root these have uids of their own)."""
    return os.geteuid() != 0 or (python_for(USER) is not None and _open_to_others(BUNDLE))


LIMITS = {"memory_bytes": 256 << 20, "pids": 64, "cpu_seconds": 60, "file_bytes": 64 << 20, "open_files": 256,
          "tmp_bytes": 16 << 20, "result_bytes": 6 << 20, "log_bytes": 64 << 10, "frame_bytes_max": 8 << 20}


def write_frame(file, message):
    body = json.dumps(message).encode()
    file.write(struct.pack(">I", len(body)) + body)
    file.flush()


def read_frame(file):
    head = file.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack(">I", head)
    return json.loads(file.read(length))


def descendants(pid):
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                for child in map(int, file.read().split()):
                    found += [child] + descendants(child)
    except OSError:
        pass
    return found


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=WAIT):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return bool(condition())


def mounts():
    with open("/proc/self/mountinfo") as file:
        return sorted(line.split(" ", 2)[2] for line in file)


def ours():
    """Ids of the processes that run a launcher of ours, by their command line or their ancestry of this process."""
    return descendants(os.getpid())


def groups(pid):
    """The cgroup folders of the launcher ``pid``; others may run planes on this machine too."""
    prefix = "aiel-plane-%d-" % pid
    found = set()
    for folder, folders, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(folder, f) for f in folders if f.startswith(prefix))
        folders[:] = [f for f in folders if not f.startswith("aiel-plane-")]
    return found


class Plane:
    """One launcher with its store and socket. ``as_uid`` runs it as an ordinary user (when the tests are root)."""

    def __init__(self, tier="auto", as_uid=None, python=None, uid_base=64000, slots=64, patch=(), runsc=None):
        """``patch``: (file, text, text) of what is to be different in this plane's copy of the workers' code; for mutants."""
        self.base = tempfile.mkdtemp(prefix="plane-test-")
        os.chmod(self.base, 0o755)
        self.store = os.path.join(self.base, "store")
        os.mkdir(self.store)
        self.socket_path = os.path.join(self.base, "w.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.socket_path)
        os.chmod(self.socket_path, 0o600 if tier == "gvisor" else 0o777)
        self._listener.listen(64)
        self._listener.settimeout(WAIT)
        config = os.path.join(self.base, "config.json")
        with open(config, "w") as file:
            json.dump({"tier": tier, "store": self.store, "bundle": BUNDLE, "socket": self.socket_path, "uid_base": uid_base,
                       "slots": slots, "state_dir": self.base, "runsc": runsc}, file)
        code = os.path.join(self.base, "plane_worker")  # as the server does: extracted to a folder of its own
        shutil.copytree(WORKER_CODE, code, ignore=shutil.ignore_patterns("__pycache__"))
        self.uid_base = uid_base
        for name, old, new in patch:
            with open(os.path.join(code, name), "r+", encoding="utf-8") as file:
                text = file.read()
                assert old in text, "the mutant's place is gone from %s: %s" % (name, old)
                file.seek(0)
                file.write(text.replace(old, new))
                file.truncate()
        # Workers of a restricted tier can read only what everyone may, the interpreter too.
        python = python or python_for(USER if tier in ("restricted", "none") else as_uid) or PYTHON
        command = [python, "-I", "-S", "-B", os.path.join(code, "launcher.py"), "--config", config]
        options = {}
        if tier == "none" and os.geteuid() == 0:
            # Nothing holds what runs in there: never with root's powers, never in this machine's own mounts and processes.
            as_uid = USER
            command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private", "setpriv",
                       "--reuid", str(USER), "--regid", str(USER), "--clear-groups"] + command
        elif as_uid is not None:
            options = {"user": as_uid, "group": as_uid, "extra_groups": []}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={"PLANE_SECRET": "of-the-server", "HOME": "/nowhere"},
                                        start_new_session=True, **options)
        self.errors = bytearray()
        self._stderr = threading.Thread(target=self._read_stderr, daemon=True)
        self._stderr.start()
        self._frames = queue.Queue()
        threading.Thread(target=self._read_frames, daemon=True).start()
        self._kept = []
        self._count = 0
        self._lock = threading.Lock()
        self.first = self._frames.get(timeout=WAIT)

    def _read_stderr(self):
        for line in self.process.stderr:
            self.errors += line

    def _read_frames(self):
        while True:
            frame = read_frame(self.process.stdout)
            self._frames.put(frame)
            if frame is None:
                return

    def send(self, message):
        write_frame(self.process.stdin, message)

    def frame(self, kind, worker=None, seconds=WAIT):
        """The next control frame of this kind (and worker); others are kept."""
        for kept in self._kept:
            if kept["type"] == kind and (worker is None or kept.get("worker") == worker):
                self._kept.remove(kept)
                return kept
        end = time.monotonic() + seconds
        while True:
            frame = self._frames.get(timeout=max(0.001, end - time.monotonic()))
            if frame is None:
                raise EOFError("the zygote is gone: %s" % self.errors.decode())
            if frame["type"] == kind and (worker is None or frame.get("worker") == worker):
                return frame
            self._kept.append(frame)

    def snapshot(self, name, files):
        """Writes a snapshot into the store; ``files`` maps paths to texts, or is the text of entry_point.py."""
        if isinstance(files, str):
            files = {"entry_point.py": files}
        for path, text in files.items():
            full = os.path.join(self.store, name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as file:
                file.write(text)
        return name

    def spawn(self, snapshot, limits=None, slot=None, **extra):
        self._count += 1
        name, nonce = "w%d" % self._count, os.urandom(8).hex()
        self.send({"type": "spawn", "worker": name, "nonce": nonce, "snapshot": snapshot,
                   "slot": self._count % 64 if slot is None else slot, "limits": dict(LIMITS, **(limits or {})),
                   "profile": "default", **extra})
        self.frame("spawned", name)
        connection, _ = self._listener.accept()
        connection.settimeout(WAIT)
        worker = Worker(self, name, connection)
        worker.slot = self._count % 64 if slot is None else slot
        hello = worker.read()
        assert hello == {"type": "hello", "worker": name, "nonce": nonce}, hello
        return worker

    def ready(self, snapshot, **options):
        worker = self.spawn(snapshot, **options)
        worker.first = worker.read()
        if worker.first is None or worker.first["type"] != "ready":
            raise AssertionError("not ready: %s" % worker.first)
        return worker

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._listener.close()
        self._stderr.join(1)
        self.process.stdout.close()
        self.process.stderr.close()
        shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Worker:
    """The server's end of one worker's socket."""

    def __init__(self, plane, name, connection):
        self.plane, self.name, self.connection = plane, name, connection
        self._file = connection.makefile("rwb")
        self._calls = 0
        self.first = None

    def read(self):
        try:
            return read_frame(self._file)
        except ConnectionResetError:
            return None

    def send(self, message):
        write_frame(self._file, message)

    def start(self, request, **extra):
        self._calls += 1
        call = "exec_%d" % self._calls
        self.send({"type": "invoke", "id": call, "request": request, "env": extra.pop("env", {}), **extra})
        return call

    def finish(self):
        """``(result frame or None if the worker ended, log entries)``"""
        logs = []
        while True:
            frame = self.read()
            if frame is None or frame["type"] == "result":
                return frame, logs
            assert frame["type"] == "log", frame
            logs.append(frame["entry"])

    def call(self, request, **extra):
        self.start(request, **extra)
        return self.finish()

    def tool(self, handler, event=None, timeout_ms=5000, **extra):
        return self.call({"action": "invoke", "kind": "tool", "handler": handler, "event": event or {},
                          "meta": {"timeout_ms": timeout_ms}}, **extra)

    def kill(self):
        self.plane.send({"type": "kill", "worker": self.name})

    def exited(self):
        frame = self.plane.frame("exited", self.name)
        self.close()
        return frame

    def close(self):
        try:
            self._file.close()
        except OSError:
            pass
        self.connection.close()
