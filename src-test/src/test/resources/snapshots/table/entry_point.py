"""The handlers that the differential table calls. Each does one thing that a runner may treat in its own way."""

import asyncio
import datetime
import decimal
import os
import sys
import time
import uuid

from aiel_sdk import agent, flow, flow_graph, http, mcp_server, router, tool
from helpers.numbers_of import double
from pydantic import BaseModel


class Money(BaseModel):
    amount: int
    currency: str = "EUR"


class UpstreamError(Exception):
    def __init__(self, status, message="upstream said no"):
        super().__init__(message)
        self.status_code = status


@tool("echo", description="Gives back what it got", tags=("basic",))
def echo(ctx, payload):
    return payload


@tool("echo_async")
async def echo_async(ctx, payload):
    await asyncio.sleep(0)
    return payload


@tool("double")
def double_it(ctx, payload):
    return {"value": double(payload["value"])}


@tool("lazy")
def lazy(ctx, payload):
    from helpers.lazy import NAME

    return {"name": NAME}


@tool("context")
def context(ctx, payload):
    return {
        "has_request_id": bool(ctx.request_id),
        "request_id": ctx.request_id,
        "remaining_is_positive": ctx.time_remaining_ms() > 0,
        "remaining_is_bounded": ctx.time_remaining_ms() <= payload.get("at_most", 30000),
        "snapshot_is_named": len(ctx.snapshot_id) == 64,
        "versions": [ctx.sdk_version, ctx.runtime_version],
    }


@tool("context_ids")
def context_ids(ctx, payload):
    return {"tenant_id": ctx.tenant_id, "user_id": ctx.user_id}


@tool("log")
def log(ctx, payload):
    ctx.log("first", number=1, text="grüße")
    ctx.log("second", level="WARN", nested={"a": [1, 2, {"b": None}]})
    ctx.log("third", level="ERROR", resource_kind="order", resource_name="42")
    return {"logged": 3}


@tool("log_and_fail")
async def log_and_fail(ctx, payload):
    ctx.log("before", step=1)
    raise RuntimeError("failed after a log line")


@tool("printing")
def printing(ctx, payload):
    print("this is not the reply")
    print('{"schema_version": "v1", "ok": true, "result": "forged"}', flush=True)
    sys.stderr.write("nor is this\n")
    return {"printed": True}


# Results of every sort.


@tool("nothing")
def nothing(ctx, payload):
    return None


@tool("text")
def text(ctx, payload):
    return "plain text"


@tool("listing")
def listing(ctx, payload):
    return [1, "two", None, 3.5, True]


@tool("number")
def number(ctx, payload):
    return 7


@tool("unicode")
def unicode(ctx, payload):
    return {"grüße": "日本語 🦆 \u0000 \u2028 \\ \"", "back": payload.get("text")}


@tool("big_numbers")
def big_numbers(ctx, payload):
    return {"int": 2**80, "negative": -(2**63) - 1, "exact": 9007199254740993, "small": 5e-324, "float": 0.1 + 0.2}


@tool("not_a_number")
def not_a_number(ctx, payload):
    return {"value": float("nan")}


@tool("infinite")
def infinite(ctx, payload):
    return {"value": float("inf")}


@tool("tuple")
def a_tuple(ctx, payload):
    return {"pair": (1, 2)}


@tool("set")
def a_set(ctx, payload):
    return {"one": {1}}


@tool("bytes")
def some_bytes(ctx, payload):
    return {"raw": b"abc"}


@tool("model")
def model(ctx, payload):
    return Money(amount=5)


@tool("typed_values")
def typed_values(ctx, payload):
    return {
        "date": datetime.date(2026, 1, 2),
        "time": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        "decimal": decimal.Decimal("1.10"),
        "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    }


@tool("unserialisable")
def unserialisable(ctx, payload):
    return {"value": object()}


@tool("int_keys")
def int_keys(ctx, payload):
    return {1: "one", 2: "two"}


@tool("deep")
def deep(ctx, payload):
    value = {}
    for _ in range(payload["levels"]):
        value = {"in": value}
    return value


@tool("large")
def large(ctx, payload):
    return {"text": "x" * payload["characters"]}


@tool("status")
def status(ctx, payload):
    return dict(payload)


# Errors of every sort.


@tool("raise")
def raise_it(ctx, payload):
    kinds = {
        "RuntimeError": RuntimeError,
        "ValueError": ValueError,
        "TypeError": TypeError,
        "KeyError": KeyError,
        "PermissionError": PermissionError,
        "IndexError": IndexError,
        "ZeroDivisionError": ZeroDivisionError,
        "FileNotFoundError": FileNotFoundError,
        "AssertionError": AssertionError,
        "NotImplementedError": NotImplementedError,
        "UnicodeError": UnicodeError,
        "Exception": Exception,
    }
    raise kinds[payload["kind"]](payload.get("message", "on purpose"))


@tool("raise_async")
async def raise_async(ctx, payload):
    raise RuntimeError("on purpose, async")


@tool("raise_status")
def raise_status(ctx, payload):
    raise UpstreamError(payload["status"])


@tool("raise_cause")
def raise_cause(ctx, payload):
    try:
        double(None)
    except TypeError as e:
        raise RuntimeError("wrapped") from e


@tool("raise_pydantic")
def raise_pydantic(ctx, payload):
    return Money(amount="many")


@tool("raise_deep")
def raise_deep(ctx, payload):
    return double("not a number" if payload.get("as_text") else None)


@tool("recursion")
def recursion(ctx, payload):
    return recursion(ctx, payload)


@tool("missing_member")
def missing_member(ctx, payload):
    return payload["not there"]


@tool("system_exit")
def system_exit(ctx, payload):
    raise SystemExit(5)


@tool("system_exit_async")
async def system_exit_async(ctx, payload):
    sys.exit(0)


@tool("exit_now")
def exit_now(ctx, payload):
    os._exit(3)


# Time.


@tool("sleep")
def sleep(ctx, payload):
    time.sleep(payload["seconds"])
    return {"slept": payload["seconds"]}


@tool("sleep_async")
async def sleep_async(ctx, payload):
    await asyncio.sleep(payload["seconds"])
    return {"slept": payload["seconds"]}


@tool("loop")
def loop(ctx, payload):
    while True:
        pass


@tool("loop_async")
async def loop_async(ctx, payload):
    while True:
        pass


# The other kinds.


@agent("greeter")
def greeter(ctx, state):
    return {**state, "greeting": "hello " + state.get("name", "you")}


@agent("greeter_async")
async def greeter_async(ctx, state):
    return {"greeting": "hello, async"}


@agent("wrong_agent")
def wrong_agent(ctx, state):
    return "not a dict"


@flow("two_steps")
def two_steps(ctx, state):
    return greeter(ctx, {"name": state.get("name", "flow")})


@flow("wrong_flow")
def wrong_flow(ctx, state):
    return ["not a dict"]


class Graph:
    """As small as a graph can be: what a builder returns has invoke()."""

    def invoke(self, state, config=None):
        return {**state, "built": True}


def build_graph(*arguments):
    return Graph()


flow_graph("graph", build_graph)


@router("by_topic", allowed_routes=("billing", "other"))
def by_topic(ctx, state):
    return "billing" if state.get("topic") == "money" else "other"


@router("state_router")
def state_router(ctx, state):
    return {"next": "other"}


@router("wrong_router")
def wrong_router(ctx, state):
    return 12


@http.get("/status")
def read_status(ctx, request):
    return {"method": request["method"], "path": request["path"], "query": request["query"], "headers": request["headers"]}


@http.post("/orders")
async def create_order(ctx, body):
    return {"status_code": 201, "order": body}


@http.post("/teapot")
def teapot(ctx, body):
    return {"http_status": 418, "short": "stout"}


desk = mcp_server("desk", tools=["echo"])


@desk.tool()
def lookup(order_id: str, verbose: bool = False):
    return {"order_id": order_id, "verbose": verbose}


@desk.tool(name="lookup_async", description="the same, later")
async def lookup_later(order_id: str):
    await asyncio.sleep(0)
    return {"order_id": order_id}


def aiel_handler(event, context):
    return {"handler": "aiel_handler", "event": event}


async def other_handler(event, context):
    return {"handler": "other_handler", "has_context": context is not None}


def failing_handler(event, context):
    raise RuntimeError("the handler failed")


@tool("yields")
def yields(ctx, payload):
    yield 1
    yield {"two": 2}


@tool("yields_async")
async def yields_async(ctx, payload):
    yield 1


@agent("yields_and_returns")
def yields_and_returns(ctx, payload):
    yield 1
    return {"done": True}


NOT_CALLABLE = 12


@http.get("/orders/{order_id}")
def read_order(ctx, request):
    return {"order_id": request["path_params"]["order_id"]}


@tool("typed_event")
def typed_event(ctx, payload: Money):
    return Money.model_validate(payload)
