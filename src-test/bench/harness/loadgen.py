"""Drives the load generator (java/Load.java): one process for all rows, so that all meet the same warm program."""

import json
import subprocess
import threading

from . import machine, tools


class LoadGenerator:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            tools.java("Load"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.comes_first = machine.come_first(self._process.pid)

    def __enter__(self) -> "LoadGenerator":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, requests: list[dict], connections: int, seconds: float, rate: float = 0.0) -> dict:
        """One run; fails when answers were wrong, for a fast wrong answer is no figure."""
        # A generator that hangs must not hang the bench: without it the answer below is empty.
        guard = threading.Timer(seconds + 120, self._process.kill)
        guard.start()
        try:
            begin = machine.cpu_seconds([self.pid])
            order = {"requests": requests, "connections": connections, "seconds": seconds, "rate": rate}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            guard.cancel()
        if not line:
            raise RuntimeError("the load generator ended")
        answer = json.loads(line)
        answer["generator_cpu_seconds"] = machine.cpu_seconds([self.pid]) - begin
        answer["connections"] = connections
        if answer["errors"] or not answer["ended"]:
            raise RuntimeError(f"{answer['errors']} wrong answers of {answer['errors'] + answer['completed']}: {answer['problems'][:2]}")
        return answer
