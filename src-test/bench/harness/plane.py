"""The plane as the bench uses it: started by ./plane up, spoken to over HTTP as any client does."""

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

from . import machine, tools

START_SECONDS_MAX = 300
STOP_SECONDS_MAX = 60


class Plane:
    """One running plane with its own data folder, which is removed at the end unless it was named."""

    def __init__(
        self, data: Path | None = None, java_options: str = "", settings: dict[str, str] | None = None, with_bundle: bool = True
    ) -> None:
        self._own = data is None
        # Short: paths of Unix sockets are; open to all: workers have user ids of their own.
        self.home = Path(tempfile.mkdtemp(prefix="plane-b", dir="/tmp")) if data is None else data
        self.home.chmod(0o755)
        self.data = self.home / "d"
        self.port = tools.free_port()
        self.java_options = java_options
        self.settings = settings or {}
        self.ready_seconds = 0.0
        if with_bundle and not self.data.exists() and bundle_cache().exists():
            self.data.mkdir(mode=0o755)
            tools.run("cp", "-a", "--reflink=auto", bundle_cache() / "bundles", self.data)
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> "Plane":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._keep_bundle()
        if self._own:
            shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        properties = " ".join(f"-D{name}={value}" for name, value in self.settings.items())
        environment = dict(os.environ, PLANE_BUILD="never")
        # Several planes at once would want the same one.
        environment.setdefault("PLANE_GRPC_PORT", "0")
        options = f"{environment.get('PLANE_JAVA_OPTIONS', '')} {self.java_options} {properties}".strip()
        if options:
            environment["PLANE_JAVA_OPTIONS"] = options
        begin = time.monotonic()
        with open(self.home / "output", "ab") as output:
            self._process = subprocess.Popen(
                [tools.REPOSITORY / "plane", "up", "--port", str(self.port), "--data", str(self.data)],
                env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                # As a service has: with the harness and the load generator it would share its turns on the processors.
                start_new_session=True,
            )
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() - begin > START_SECONDS_MAX:
                raise RuntimeError("the plane did not become ready:\n" + (self.home / "output").read_text()[-3000:])
            time.sleep(0.02)
        self.ready_seconds = time.monotonic() - begin
        self.token = (self.data / "dev-token").read_text().strip()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            below = machine.tree([self._process.pid])
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                for pid in below:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self._process.wait()

    def _keep_bundle(self) -> None:
        """The installed worker bundle, for the next plane: it is the same, and installing it would only cost time."""
        if not bundle_cache().exists() and self.ready_seconds:
            half = tools.WORK / "bundle.half"
            tools.run("rm", "-rf", half)
            half.mkdir(parents=True)
            tools.run("cp", "-a", self.data / "bundles", half)
            half.rename(bundle_cache())

    def _ready(self) -> bool:
        # The token is written beside the start; with everything installed, readiness can be there first.
        token = self.data / "dev-token"
        try:
            return self.call("GET", "/q/health/ready", token="")[0] == 200 and token.exists() and token.read_text().endswith("\n")
        except OSError:
            return False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[int]:
        return machine.tree([self.pid])

    def workers(self) -> list[int]:
        """The worker processes: the server starts launchers, a launcher a zygote (and a sweeper), a zygote workers."""
        parents = {pid: machine.parent(pid) for pid in self.processes()}
        return [
            pid for pid in parents
            if parents.get(parents.get(parents[pid])) == self.pid and part_of(machine.command_of(pid)) == "workers"
        ]

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, body: object = None, token: str | None = None, **headers: str) -> tuple[int, dict]:
        parts = urlsplit(path)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
        try:
            all_headers = {name.replace("_", "-"): value for name, value in headers.items()}
            credential = self.token if token is None and not parts.netloc else token
            if credential:
                all_headers["Authorization"] = f"Bearer {credential}"
            data = None
            if body is not None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                all_headers.setdefault("Content-Type", "application/json")
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), data, all_headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text[:1] in b"{[" and text else {}
        finally:
            connection.close()

    def expect(self, method: str, path: str, body: object = None, **headers: str) -> dict:
        status, answer = self.call(method, path, body, **headers)
        if status // 100 != 2:
            raise RuntimeError(f"{method} {path}: {status} {json.dumps(answer)[:1500]}")
        return answer

    def project(self, slug: str) -> str:
        """A new project of the workspace demo; returns the base of its calls."""
        me = self.expect("GET", "/v1/auth/me")
        workspace = next(w["id"] for w in me["workspaces"] if w["slug"] == "demo")
        made = self.expect("POST", f"/v1/workspaces/{workspace}/projects", {"slug": slug, "name": slug})
        return f"/v1/workspaces/{workspace}/projects/{made['id']}"

    def push(self, base: str, files: dict[str, bytes]) -> None:
        """Uploads as the published command does, one file at a time."""
        present = {file["path"]: file for file in self.expect("GET", base + "/files")["files"]}
        for path, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            if present.get(path, {}).get("sha256") == digest:
                continue
            signed = self.expect(
                "POST", f"{base}/uploads:sign?path={quote(path)}",
                {
                    "content_type": "text/x-python", "size_bytes": len(content), "sha256": digest,
                    "expected_version": present.get(path, {}).get("version", 0),
                },
            )
            self.expect("PUT", signed["signed_url"], content, token="", Content_Type="text/x-python")
            self.expect("POST", f"/v1/uploads/{signed['upload_id']}:commit", {})

    def request(self, base: str, tool: str, event: str, expect: str, **more: object) -> dict:
        """A request for the load generator that invokes a tool."""
        return {
            "url": f"{self.url}{base}/executions",
            "headers": {"Authorization": f"Bearer {self.token}"},
            "body": '{"action":"invoke","kind":"tool","handler":"' + tool + '","event":' + event + "}",
            "expect": expect,
            **more,
        }

    def invoke(self, base: str, tool: str, event: dict, timeout_ms: int = 30_000) -> tuple[float, dict]:
        """One invocation; returns how long it took in seconds and the envelope. Fails when it did not succeed."""
        begin = time.monotonic()
        body = {"action": "invoke", "kind": "tool", "handler": tool, "event": event, "meta": {"timeout_ms": timeout_ms}}
        status, envelope = self.call("POST", base + "/executions", body)
        took = time.monotonic() - begin
        if status != 200:
            raise RuntimeError(f"{tool}: {status} {json.dumps(envelope)[:1500]}")
        return took, envelope


def metric(plane: Plane, name: str, *labels: str) -> float:
    """The sum of a metric's samples that have all these labels."""
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=30)
    try:
        connection.request("GET", "/q/metrics", headers={"Authorization": f"Bearer {plane.token}"})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise RuntimeError(f"metrics: {answer.status} {text[:300]}")
    finally:
        connection.close()
    samples = re.findall(rf"^{re.escape(name)}(?:\{{(.*)\}})? ([0-9.eE+-]+)$", text, re.MULTILINE)
    return sum(float(value) for found, value in samples if all(label in found for label in labels))


def server_pid(plane: Plane) -> int:
    return next(pid for pid in plane.processes() if part_of(machine.command_of(pid)) == "server")


def compiling_seconds(plane: Plane) -> float:
    """How long the compilers of the server's JVM have compiled since its start, all their threads summed."""
    counters = tools.run(tools.java_home() / "bin/jcmd", server_pid(plane), "PerfCounter.print", limit=60)
    ticks, per_second = (
        int(re.search(rf"^{name}=(\d+)$", counters, re.MULTILINE).group(1)) for name in ("java.ci.totalTime", "sun.os.hrt.frequency")
    )
    return ticks / per_second


def bundle_cache() -> Path:
    lock = tools.REPOSITORY / "runtime-hydrator/src/main/bundles/minimal/requirements.lock"
    return tools.WORK / ("bundle-" + hashlib.sha256(lock.read_bytes()).hexdigest()[:12])


def part_of(command: str) -> str:
    """Which part of the plane a process is, by its command line."""
    if "quarkus-run.jar" in command:
        return "server"
    if "kafka" in command and "java" in command:
        return "kafka"
    if command.startswith(("postgres", "cluster_name")) or "/bin/postgres" in command:
        return "postgresql"
    # Zygotes and workers are not dumpable, so the kernel keeps their command line to itself.
    if not command or "plane_worker" in command:
        return "workers"
    return "other"


def bench_files() -> dict[str, bytes]:
    """What is pushed: the function that every row serves, and its declaration as a tool."""
    return {
        "add.py": (tools.PEERS / "add.py").read_bytes(),
        "entry_point.py": (tools.PEERS / "plane/entry_point.py").read_bytes(),
    }
