"""The rows of the table: the plane, its peers and the null server, each started, asked and stopped in the same way."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from . import machine, tools
from .plane import Plane, bench_files, part_of

START_SECONDS_MAX = 90
ADD = '{"a":${a},"b":${b}}'
SUM = '"sum":${sum}'


class Row:
    """One line of the table. Subclasses start processes and say what to ask."""

    name = ""
    title = ""
    settings: dict[str, str] = {}

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen] = []
        self.folder = tools.WORK / "run" / self.name

    def __enter__(self) -> "Row":
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self.start()
            self.await_answer()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        raise NotImplementedError

    def request(self) -> dict:
        """For the load generator: where, with which headers and body, and what a right answer contains."""
        raise NotImplementedError

    def stop(self) -> None:
        for process in reversed(self._processes):
            if process.stdin:
                process.stdin.close()
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def spawn(self, command: list, environment: dict[str, str] | None = None, **options) -> subprocess.Popen:
        with open(self.folder / "output", "ab") as output:
            options.setdefault("stdout", output)
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("start_new_session", True)  # as the plane has
            process = subprocess.Popen(
                [str(word) for word in command], env={**os.environ, **(environment or {})}, stderr=output, **options
            )
        self._processes.append(process)
        return process

    def uvicorn(self, module: str, port: int, environment: dict[str, str] | None = None, tuned: bool = True) -> None:
        # Tuned is what the package's extra "standard" brings; otherwise what it is by itself.
        extra = ["--loop", "uvloop", "--http", "httptools"] if tuned else ["--loop", "asyncio", "--http", "h11"]
        self.spawn(
            [
                tools.python(), "-m", "uvicorn", f"{module}:app", "--host", "127.0.0.1", "--port", port, "--workers", "1",
                *extra, "--no-access-log", "--log-level", "warning",
            ],
            environment, cwd=tools.PEERS,
        )

    def await_answer(self) -> None:
        """Until the first right answer, so that every figure is one of a server that works."""
        request = self.request()
        body = request["body"].replace("${a}", "2").replace("${b}", "3")
        expect = request["expect"].replace("${sum}", "5")
        self.await_http(lambda: self._answers(request["url"], body, request.get("headers", {}), expect), "a right answer")

    @staticmethod
    def _answers(url: str, body: str, headers: dict[str, str], expect: str) -> bool:
        status, text = post(url, body, headers)
        return status == 200 and expect in text.replace(" ", "")

    def await_http(self, works, what: str) -> None:
        end = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                if works():
                    return
            except (OSError, http.client.HTTPException):
                pass
            dead = [process.args for process in self._processes if process.poll() is not None]
            if dead or time.monotonic() > end:
                output = self.folder / "output"
                printed = output.read_text(errors="replace")[-2000:] if output.exists() else ""
                raise RuntimeError(f"{self.name}: no {what}; ended: {dead}\n{printed}")
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """All processes of the server's side."""
        return machine.tree(process.pid for process in self._processes)

    def memory(self) -> dict[str, float]:
        return {"all_pss_mib": machine.memory_mib(self.processes(), "Pss")}


def post(url: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request("POST", parts.path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


class NullRow(Row):
    name = "null"
    title = "null server (Vert.x adds in place)"

    def start(self) -> None:
        self._port = tools.free_port()
        self.spawn(tools.java("Null", self._port, options=("-Xmx128m", "-XX:+UseSerialGC")))

    def request(self) -> dict:
        return {"url": f"http://127.0.0.1:{self._port}/add", "body": ADD, "expect": SUM}


class BareRow(Row):
    name = "bare"
    title = "(a) FastAPI + uvicorn, one worker"
    tuned = False

    def start(self) -> None:
        self._port = tools.free_port()
        self.uvicorn("bare", self._port, tuned=self.tuned)

    def request(self) -> dict:
        return {"url": f"http://127.0.0.1:{self._port}/add", "body": ADD, "expect": SUM}


class TunedBareRow(BareRow):
    name = "bare-tuned"
    title = "    the same with uvloop and httptools"
    tuned = True


class ByHandRow(Row):
    name = "by-hand"
    title = "(b) by hand: FastAPI + JWT + OPA + audit file"

    def start(self) -> None:
        opa_port = tools.free_port()
        self._port = tools.free_port()
        self._secret = secrets.token_hex(32)
        opa = tools.opa()
        self.spawn(
            [
                opa, "run", "--server", "--addr", f"127.0.0.1:{opa_port}", "--log-level", "error", "--disable-telemetry",
                tools.REPOSITORY / "policy-engine/src/main/rego",
            ]
        )
        self.uvicorn(
            "by_hand", self._port,
            {
                "BY_HAND_SECRET": self._secret,
                "BY_HAND_OPA": f"http://127.0.0.1:{opa_port}/v1/data/plane/authz/decision",
                "BY_HAND_QUESTION": str(tools.PEERS / "question.json"),
                "BY_HAND_AUDIT": str(self.folder / "audit.jsonl"),
            },
        )

    def token(self) -> str:
        """An HS256 token, made here: the harness itself has no packages."""

        def part(data: bytes) -> str:
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        claims = {"sub": "prn_" + "4" * 32, "aud": "adders", "roles": ["developer"], "exp": int(time.time()) + 86400}
        text = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(json.dumps(claims).encode())
        return text + "." + part(hmac.digest(self._secret.encode(), text.encode(), hashlib.sha256))

    def request(self) -> dict:
        return {
            "url": f"http://127.0.0.1:{self._port}/add", "body": ADD, "expect": SUM,
            "headers": {"Authorization": f"Bearer {self.token()}"},
        }


class RestateRow(Row):
    name = "restate"
    title = "(c) Restate, one durable step"

    def start(self) -> None:
        service, self._ingress, admin, node = (tools.free_port() for _ in range(4))
        self.spawn(
            [tools.python(), "-m", "hypercorn", "restate_app:app", "--bind", f"127.0.0.1:{service}", "--workers", "1"],
            cwd=tools.PEERS,
        )
        self.spawn(
            [tools.restate_server(), "--no-logo", "--base-dir", self.folder / "data", "--node-name", "bench"],
            {
                "RESTATE_DISABLE_TELEMETRY": "true",
                "RESTATE_LISTEN_MODE": "tcp",
                "RESTATE_BIND_IP": "127.0.0.1",
                "RESTATE_BIND_PORT": str(node),
                "RESTATE_ADVERTISED_HOST": "127.0.0.1",
                "RESTATE_INGRESS__BIND_PORT": str(self._ingress),
                "RESTATE_ADMIN__BIND_PORT": str(admin),
                "RESTATE_LOG_FILTER": "warn",
                "DO_NOT_TRACK": "1",
            },
        )

        def register() -> bool:
            body = json.dumps({"uri": f"http://127.0.0.1:{service}"})
            return post(f"http://127.0.0.1:{admin}/deployments", body, {})[0] in (200, 201)

        self.await_http(register, "registration")

    def request(self) -> dict:
        return {"url": f"http://127.0.0.1:{self._ingress}/Adder/sum_up", "body": ADD, "expect": SUM}


class DbosRow(Row):
    name = "dbos"
    title = "(d) DBOS on the embedded PostgreSQL"

    def start(self) -> None:
        # Short, and open to the numeric user under which PostgreSQL runs as root.
        self._data = Path("/tmp") / f"plane-bench-dbos-{os.getpid()}"
        self._data.mkdir(mode=0o755)
        server = self.spawn(
            tools.java("Postgres", self._data / "postgres", options=("-Xmx64m", "-XX:+UseSerialGC")),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        address = server.stdout.readline().strip().removeprefix("jdbc:postgresql://")
        if not address:
            raise RuntimeError("PostgreSQL did not start: " + (self.folder / "output").read_text()[-2000:])
        lines = (self._data / "postgres/credentials.properties").read_text().splitlines()
        passwords = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        self._port = tools.free_port()
        self.uvicorn(
            "dbos_app", self._port,
            {"DBOS_BENCH_DATABASE": f"postgresql://plane:{passwords['plane']}@{address.split('?')[0]}"},
        )

    def request(self) -> dict:
        return {"url": f"http://127.0.0.1:{self._port}/add", "body": ADD, "expect": SUM}

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self._data, ignore_errors=True)


class PlaneRow(Row):
    name = "plane"
    title = "the plane, governed warm invoke"

    def __init__(self, java_options: str = "") -> None:
        super().__init__()
        self._java_options = java_options

    def start(self) -> None:
        self.plane = Plane(java_options=self._java_options)
        try:
            self.plane.start()
            self.base = self.plane.project("bench")
            self.plane.push(self.base, bench_files())
        except BaseException:
            self.plane.__exit__()
            raise

    def request(self) -> dict:
        return self.plane.request(self.base, "add", ADD, SUM)

    def processes(self) -> list[int]:
        return self.plane.processes()

    def cpu_parts(self) -> dict[str, float]:
        return machine.cpu_by_part([self.plane.pid], part_of)

    def memory(self) -> dict[str, float]:
        found = super().memory()
        server = [pid for pid in self.processes() if part_of(machine.command_of(pid)) == "server"]
        outside = [pid for pid in self.processes() if part_of(machine.command_of(pid)) in ("server", "workers")]
        found["server_rss_mib"] = machine.memory_mib(server, "Rss")
        found["server_and_workers_pss_mib"] = machine.memory_mib(outside, "Pss")
        return found

    def stop(self) -> None:
        if hasattr(self, "plane"):
            self.plane.__exit__()


ROWS: dict[str, type[Row]] = {row.name: row for row in (NullRow, BareRow, TunedBareRow, ByHandRow, RestateRow, DbosRow, PlaneRow)}
