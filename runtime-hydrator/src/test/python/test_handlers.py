"""What a worker answers, compared with ``python -m aiel_runtime.runner`` on the same snapshot and request."""

import json
import os
import subprocess
import sys
import unittest

import harness

SNAPSHOT = {"helper.py": "VALUE = 7\n\ndef twice(n):\n    return n * 2\n", "entry_point.py": '''
import asyncio
from pydantic import BaseModel
from aiel_sdk import tool, agent, router, flow, flow_graph, http, mcp_server
import helper

@tool("echo", description="Says it again", version="2.1", tags=("a", "b"), output_schema={"type": "object"},
      allowed_actions=("slack.post",), allowed_routes=("/x",))
def echo(ctx, payload: dict) -> dict:
    ctx.log("echoed", size=len(payload), level="DEBUG")
    return payload

@tool("aecho")
async def aecho(ctx, payload):
    await asyncio.sleep(0)
    return {"got": payload, "remaining": ctx.time_remaining_ms() is not None, "snapshot": ctx.snapshot_id, "tenant": ctx.tenant_id}

@tool("lazy")
def lazy(ctx, payload):
    import helper as again
    return {"value": again.VALUE, "twice": helper.twice(2)}

@tool("status")
def status(ctx, payload):
    return {"status": payload.get("status", 404)}

@tool("value_error")
def value_error(ctx, payload):
    raise ValueError("bad value")

@tool("type_error")
def type_error(ctx, payload):
    return 1 + "x"

@tool("permission")
def permission(ctx, payload):
    raise PermissionError("not yours")

@tool("boom")
def boom(ctx, payload):
    raise RuntimeError("HTTP 418 from upstream")

@tool("aboom")
async def aboom(ctx, payload):
    raise RuntimeError("plain")

class Model(BaseModel):
    n: int

@tool("model")
def model(ctx, payload: Model):
    return Model(**payload)

@tool("not_json")
def not_json(ctx, payload):
    return object()

@tool("odd_json")
def odd_json(ctx, payload):
    return {"nan": float("nan"), "set": {1}, "bytes": b"x", 1: 2, "tuple": (1, 2)}

@tool("none")
def none(ctx, payload):
    return None

@tool("slow")
async def slow(ctx, payload):
    await asyncio.sleep(30)

@tool("key_error")
def key_error(ctx, payload):
    return payload["missing"]

@tool("exit")
def exit_(ctx, payload):
    raise SystemExit(5)

@tool("interrupt")
async def interrupt(ctx, payload):
    raise KeyboardInterrupt()

@tool("stop_iteration")
def stop_iteration(ctx, payload):
    return next(iter(()))

@agent("state")
def state(ctx, payload):
    return {**payload, "seen": True}

@agent("bad_agent")
def bad_agent(ctx, payload):
    return "text"

@router("dict_route")
def dict_route(ctx, payload):
    return {"next": "a"}

@router("route")
def route(ctx, payload):
    return "next_step"

@router("bad_route")
def bad_route(ctx, payload):
    return 7

@flow("steps")
async def steps(ctx, payload):
    return {"done": True, **payload}

class Graph:
    def compile(self):
        return Compiled()

class Compiled:
    def invoke(self, state):
        return {"graph": state}

flow_graph("graph", Graph)

@http.get("/items")
def items(ctx, req):
    return {"q": req["query"], "m": req["method"]}

@http.post("/items")
def add_item(ctx, body):
    return {"added": body, "status_code": 201}

mcp_server("listed", tools=["echo", "absent"])
server = mcp_server("own")

@server.tool("add", description="Adds")
async def add(ctx, a: int, b: int = 1):
    return {"sum": a + b}

@server.tool()
def plain(name: str):
    return {"hello": name}

def aiel_handler(event, context):
    return {"event": event, "rid": context.request_id}

def other(event, context):
    return "other"

not_callable = 3

@tool("time_out")
def time_out(ctx, payload):
    raise TimeoutError("from elsewhere")

@tool("own_loop")
def own_loop(ctx, payload):
    async def answer():
        await asyncio.sleep(0)
        return {"own": payload}
    return asyncio.run(answer())

from dataclasses import dataclass
from typing import Any, Optional
from typing_extensions import TypedDict

@dataclass
class Point:
    x: int
    y: Optional[float] = None

class Named(TypedDict):
    name: str

@tool("derived")
def derived(ctx, payload: dict[str, Any]) -> Point:
    return Point(1)

@tool("derived_twice")
def derived_twice(ctx, payload) -> list[Named]:
    return []

@tool("underivable")
def underivable(ctx, payload: "Nowhere") -> "Nowhere":
    return None

@http.get("/users/{id}")
def user(ctx, req):
    return {"params": req["path_params"], "keys": sorted(req), "ctx": ctx.http["path_params"]}

@http.post("/users/{id}")
async def change_user(ctx, body: Model) -> Named:
    return {"name": ctx.http["path_params"]["id"], "body": body, "query": ctx.http["query"]}
'''}


def invoke(kind, handler=None, event=None, **more):
    request = {"action": "invoke", "kind": kind, "meta": {"request_id": "r1", "trace_id": "t1", "timeout_ms": 5000}}
    if handler:
        request["handler"] = handler
    if event is not None:
        request["event"] = event
    request.update(more)
    return request


def http(method, path, **more):
    return invoke("http", http={"method": method, "path": path, **more})


#: Requests whose envelopes must be those of the runner.
SAME = {
    "describe": {"action": "describe", "meta": {"request_id": "r1"}},
    "tool": invoke("tool", "echo", {"a": [1, "ü", None]}, ctx={"tenant_id": "t"}),
    "async tool": invoke("tool", "aecho", {"a": 1}, ctx={"tenant_id": "t", "unknown": 1}),
    "legacy names": {"action": "invoke", "kind": "tool", "name": "echo", "payload": {"x": 1}, "meta": {"request_id": "r1"}},
    "lazy import": invoke("tool", "lazy"),
    "status of the result": invoke("tool", "status"),
    "status out of range": invoke("tool", "status", {"status": 1000}),
    "ValueError": invoke("tool", "value_error"),
    "TypeError": invoke("tool", "type_error"),
    "pydantic error": invoke("tool", "model", {"n": "x"}),
    "pydantic result": invoke("tool", "model", {"n": 1}),
    "PermissionError": invoke("tool", "permission"),
    "RuntimeError with a status": invoke("tool", "boom"),
    "async RuntimeError": invoke("tool", "aboom"),
    "result that has no JSON form": invoke("tool", "not_json"),
    "result with odd JSON": invoke("tool", "odd_json"),
    "no result": invoke("tool", "none"),
    "async timeout": invoke("tool", "slow", meta={"request_id": "r1", "timeout_ms": 50}),
    "TimeoutError": invoke("tool", "time_out"),
    "event loop of a sync tool": invoke("tool", "own_loop", {"a": 1}),
    "missing tool": invoke("tool", "absent"),
    "missing agent": invoke("agent", "absent"),
    "missing flow": invoke("flow", "absent"),
    "missing router": invoke("router", "absent"),
    "missing route": http("GET", "/absent"),
    "agent": invoke("agent", "state", {"a": 1}),
    "agent that returns no dict": invoke("agent", "bad_agent"),
    "router with a dict": invoke("router", "dict_route"),
    "flow": invoke("flow", "steps", {"a": 1}),
    "http get": http("GET", "/items", query={"a": "1"}),
    "http post": http("POST", "/items", body={"a": 1}),
    "http bad method": http("DELETE", "/items"),
    "mcp listed tool": invoke("mcp", mcp={"server": "listed", "tool": "echo", "args": {"a": 1}}),
    "mcp listed but absent tool": invoke("mcp", mcp={"server": "listed", "tool": "absent"}),
    "mcp unlisted tool": invoke("mcp", mcp={"server": "listed", "tool": "aecho"}),
    "mcp missing server": invoke("mcp", mcp={"server": "nope", "tool": "x"}),
    "execute": {"action": "execute", "event": {"a": 1}, "meta": {"request_id": "r1"}},
    "execute by name": {"action": "execute", "handler": "entry_point.other", "meta": {"request_id": "r1"}},
    "execute missing": {"action": "execute", "handler": "entry_point.absent", "meta": {"request_id": "r1"}},
    "execute what is no function": {"action": "execute", "handler": "entry_point.not_callable", "meta": {"request_id": "r1"}},
    "no kind": {"action": "invoke", "meta": {"request_id": "r1"}},
    "unknown action": {"action": "fly"},
    "unknown meta": {"action": "describe", "meta": {"nope": 1}},
    "event that is no object": invoke("tool", "echo", [1]),
    "http without http": invoke("http"),
    "wrong schema version": {"action": "describe", "schema_version": "v2"},
}


def normal(envelope):
    """The envelope without what differs from run to run."""
    def clean(value, key=None):
        if isinstance(value, dict):
            return {k: clean(v, k) for k, v in value.items() if k != "ts_ms"}
        if isinstance(value, list):
            return [clean(v) for v in value]
        if isinstance(key, str) and key.endswith("_ms"):
            return None if value is None else 0
        if key == "file" and isinstance(value, str):
            return os.path.basename(value)
        return value
    result = clean(envelope)
    location = ((result.get("error") or {}).get("details") or {}).get("location")
    if location and location["file"] != "entry_point.py":
        # Out of the runtime or a library: where exactly is no part of the contract.
        del result["error"]["details"]["location"]
    return result


class HandlersTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.plane = harness.Plane()
        if cls.plane.first["type"] != "hello":
            reason = cls.plane.first
            cls.plane.close()
            raise AssertionError(reason)
        cls.plane.snapshot("kinds", SNAPSHOT)

    @classmethod
    def tearDownClass(cls):
        cls.plane.close()

    def fresh(self):
        worker = self.plane.ready("kinds")
        self.addCleanup(lambda: (worker.kill(), worker.exited()))
        return worker

    def answer(self, request):
        frame, logs = self.fresh().call(request)
        self.assertIsNotNone(frame, "the worker ended")
        return frame["envelope"], frame["tainted"], logs

    def runner(self, request):
        site = os.path.join(harness.BUNDLE, "site")
        path = site if os.path.isdir(site) else harness.BUNDLE
        done = subprocess.run([sys.executable, "-B", "-m", "aiel_runtime.runner", "--files-root", os.path.join(self.plane.store, "kinds")],
                              input=json.dumps(request), capture_output=True, text=True, timeout=60,
                              cwd=os.path.join(self.plane.store, "kinds"),
                              env={"PYTHONPATH": path, "LC_ALL": "C.UTF-8", "HOME": self.plane.base})
        return json.loads(done.stdout.splitlines()[-1])

    def test_answers_as_the_runner_does(self):
        """Seen to fail: without the runner's own log line ``runner.start``."""
        for name, request in SAME.items():
            with self.subTest(name):
                wanted = normal(self.runner(request))
                got, tainted, _ = self.answer(request)
                self.assertEqual(wanted, normal(got))
                self.assertFalse(tainted)

    def test_a_router_may_return_the_next_route(self):
        self.assertEqual("next_step", self.answer(invoke("router", "route"))[0]["result"])
        self.assertEqual("VALIDATION_ERROR", self.answer(invoke("router", "bad_route"))[0]["error"]["code"])

    def test_a_servers_own_tools_take_keyword_arguments(self):
        worker = self.fresh()

        def mcp(tool, **args):
            return worker.call(invoke("mcp", mcp={"server": "own", "tool": tool, "args": args}))[0]["envelope"]
        self.assertEqual({"sum": 5}, mcp("add", a=2, b=3)["result"])
        self.assertEqual({"sum": 3}, mcp("add", a=2)["result"])
        self.assertEqual({"hello": "x"}, mcp("plain", name="x")["result"])
        wrong = mcp("add", c=1)["error"]
        self.assertEqual("VALIDATION_ERROR", wrong["code"])
        self.assertIn("'a'", wrong["message"])

    def test_a_flow_graph_is_built_and_invoked(self):
        self.assertEqual({"graph": {"a": 1}}, self.answer(invoke("flow", "graph", {"a": 1}))[0]["result"])

    def test_a_key_error_of_a_handler_is_user_code(self):
        """Seen to fail: without the wrapper the runtime calls it NOT_FOUND."""
        error = self.answer(invoke("tool", "key_error"))[0]["error"]
        self.assertEqual(("USER_CODE_ERROR", "KeyError"), (error["code"], error["details"]["exception_type"]))
        self.assertEqual("entry_point.py", error["details"]["location"]["relpath"])

    def test_what_ends_a_process_is_an_envelope_and_taints(self):
        for handler in ("exit", "interrupt"):
            with self.subTest(handler):
                envelope, tainted, _ = self.answer(invoke("tool", handler))
                self.assertEqual(("USER_CODE_ERROR", 500), (envelope["error"]["code"], envelope["http_status"]))
                self.assertTrue(tainted)
        self.assertEqual("USER_CODE_ERROR", self.answer(invoke("tool", "stop_iteration"))[0]["error"]["code"])

    def test_only_the_first_call_is_a_cold_start(self):
        worker = self.fresh()
        self.assertEqual([True, False, False], [worker.tool("echo")[0]["envelope"]["meta"]["cold_start"] for _ in range(3)])

    def test_a_call_finds_nothing_of_an_earlier_ones_environment(self):
        """Seen to fail: if the environment is not put back before the next call."""
        self.plane.snapshot("environment", '''
import os
from aiel_sdk import tool
@tool("env")
def env(ctx, e):
    home = os.path.join(os.environ["HOME"], ".config/aiel/credentials.json")
    file = open(home).read() if os.path.exists(home) else None
    found = {"token": os.environ.get("AIEL_TOKEN"), "file": file, "mark": os.environ.get("MARK")}
    os.environ["MARK"] = "left behind"
    return found
''')
        worker = self.plane.ready("environment")
        first = worker.tool("env", env={"AIEL_TOKEN": "one"}, credentials={"token": "one"})[0]["envelope"]["result"]
        again = worker.tool("env", env={"AIEL_TOKEN": "one"})[0]["envelope"]["result"]
        other = worker.tool("env")[0]["envelope"]["result"]
        worker.kill()
        worker.exited()
        self.assertEqual({"token": "one", "file": '{"token": "one"}', "mark": None}, first)
        self.assertEqual({"token": "one", "file": None, "mark": None}, again)
        self.assertEqual({"token": None, "file": None, "mark": None}, other)

    def test_lines_are_sent_as_they_happen(self):
        worker = self.fresh()
        _, logs = worker.tool("echo", {"a": 1})
        self.assertEqual([("DEBUG", "echoed", {"size": 1})], [(e["level"], e["event"], e["fields"]) for e in logs])

    def test_ready_says_all_that_the_exports_say(self):
        exports = {(e["kind"], e["name"]): e for e in self.fresh().first["exports"]}
        echo = exports["tool", "echo"]
        self.assertEqual(("Says it again", "2.1", ["a", "b"], {"type": "object"}, ["slack.post"], ["/x"], "entry_point.py", 7),
                         (echo["description"], echo["version"], echo["tags"], echo["output_schema"], echo["allowed_actions"],
                          echo["allowed_routes"], echo["file"], echo["line"]))
        self.assertEqual(["n"], exports["tool", "model"]["input_schema"]["required"])
        self.assertEqual(["a"], exports["mcp", "own/add"]["input_schema"]["required"])
        self.assertEqual("own", exports["mcp", "own/add"]["server"])
        self.assertEqual(("GET", "/items"), (exports["http", "GET /items"]["method"], exports["http", "GET /items"]["path"]))
        self.assertEqual({"tool", "agent", "flow", "router", "http", "mcp"}, {kind for kind, _ in exports})

    def test_what_no_author_gave_is_derived_and_says_so(self):
        exports = {(e["kind"], e["name"]): e for e in self.fresh().first["exports"]}
        derived = exports["tool", "derived"]
        self.assertEqual({"type": "object", "additionalProperties": True, "derived": True}, derived["input_schema"])
        self.assertEqual((["x"], True), (derived["output_schema"]["required"], derived["output_schema"]["derived"]))
        self.assertEqual({"type": "object", "derived": True}, exports["tool", "derived_twice"]["input_schema"])
        self.assertEqual("array", exports["tool", "derived_twice"]["output_schema"]["type"])
        self.assertEqual(({"type": "object", "derived": True}, None),
                         (exports["tool", "underivable"]["input_schema"], exports["tool", "underivable"]["output_schema"]))
        change = exports["http", "POST /users/{id}"]
        self.assertEqual((["n"], True), (change["input_schema"]["required"], change["input_schema"]["derived"]))
        self.assertIsNone(exports["http", "GET /users/{id}"]["input_schema"])
        for given in (exports["tool", "echo"]["output_schema"], exports["tool", "model"]["input_schema"],
                      exports["mcp", "own/add"]["input_schema"]):
            self.assertNotIn("derived", given)

    def test_a_path_with_parameters_leads_to_the_handler_that_was_resolved(self):
        worker = self.fresh()
        ctx = {"http": {"route": "/users/{id}", "path_params": {"id": "7"}}}
        request = {"method": "GET", "path": "/users/7", "query": {"a": "1"}}
        got = worker.call(invoke("http", http=request, ctx=ctx))[0]["envelope"]["result"]
        self.assertEqual({"params": {"id": "7"}, "keys": ["body", "headers", "method", "path", "path_params", "query"],
                          "ctx": {"id": "7"}}, got)
        made = worker.call(invoke("http", http={**request, "method": "POST", "body": {"n": 1}}, ctx=ctx))[0]["envelope"]["result"]
        self.assertEqual({"name": "7", "body": {"n": 1}, "query": {"a": "1"}}, made)

    def test_a_path_that_was_not_resolved_leads_nowhere(self):
        worker = self.fresh()
        for ctx in (None, {}, {"http": None}, {"http": {"route": "/nowhere"}}):
            frame = worker.call(invoke("http", http={"method": "GET", "path": "/users/7"}, ctx=ctx))[0]
            self.assertEqual("NOT_FOUND", frame["envelope"]["error"]["code"])

    def test_a_cancelled_call_says_so(self):
        worker = self.fresh()
        call = worker.start(invoke("tool", "slow"))
        worker.send({"type": "cancel", "id": call})
        frame, _ = worker.finish()
        self.assertEqual(("CANCELLED", False), (frame["envelope"]["error"]["code"], frame["tainted"]))
        self.assertTrue(worker.tool("echo")[0]["envelope"]["ok"])

    def test_a_verdict_spares_the_scan_and_keeps_the_id(self):
        self.plane.snapshot("scanned", "import subprocess\nfrom aiel_sdk import tool\n")
        worker = self.plane.ready("scanned", verdict={"snapshot_id": "f" * 64})
        worker.kill()
        worker.exited()
        self.assertEqual("f" * 64, worker.first["snapshot_id"])
        self.assertEqual("load_failed", self.plane.spawn("scanned").read()["type"])


if __name__ == "__main__":
    unittest.main()
