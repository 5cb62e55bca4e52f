"""Generators: what they yield goes out as it comes or into the result, and they are closed when they are stopped."""

import time
import unittest

import harness

ENTRY = '''
import asyncio, time
from aiel_sdk import agent, flow, mcp_server, router, tool

closed = []

def numbers(n):
    for i in range(n):
        yield {"i": i}

@tool("sync")
def sync(ctx, e):
    ctx.log("before")
    for i in range(e["n"]):
        yield {"i": i}
    if e.get("returns"):
        return {"sum": e["n"]}

@tool("asynchronous")
async def asynchronous(ctx, e):
    for i in range(e["n"]):
        await asyncio.sleep(0)
        yield i

@tool("gives_one")
def gives_one(ctx, e):
    return numbers(2)

@tool("gives_one_later")
async def gives_one_later(ctx, e):
    await asyncio.sleep(0)
    return numbers(2)

@agent("state")
def state(ctx, e):
    yield "thinking"
    return {"done": True}

@agent("stateless")
async def stateless(ctx, e):
    yield "thinking"

@router("choose")
def choose(ctx, e):
    yield "looking"
    return "left"

@tool("same_again")
def same_again(ctx, e):
    seen = {"n": 0}
    for _ in range(3):
        seen["n"] += 1
        yield seen

@tool("no_json")
def no_json(ctx, e):
    yield 1
    yield object()

@tool("fails")
def fails(ctx, e):
    yield 1
    raise RuntimeError("no more")

@tool("key")
async def key(ctx, e):
    yield 1
    {}["missing"]

@tool("large")
def large(ctx, e):
    try:
        while True:
            yield "x" * e["chars"]
    finally:
        closed.append("large")

@tool("slow")
def slow(ctx, e):
    ctx.log("begun")
    try:
        while True:
            yield 1
            time.sleep(0.01)
    finally:
        closed.append("slow")

@tool("slow_async")
async def slow_async(ctx, e):
    ctx.log("begun")
    try:
        while True:
            yield "x" * e.get("chars", 1)
            await asyncio.sleep(e.get("seconds", 0.01))
    finally:
        closed.append("slow_async")

@tool("ticks")
async def ticks(ctx, e):
    counted = [0]
    async def tick():
        while True:
            await asyncio.sleep(0.01)
            counted[0] += 1
    ticking = asyncio.ensure_future(tick())
    try:
        while True:
            yield "x" * 60000
    finally:
        ticking.cancel()
        closed.append(counted[0])

@tool("deaf")
def deaf(ctx, e):
    yield 1
    ctx.log("deaf")
    time.sleep(60)

@tool("closed")
def was_closed(ctx, e):
    return closed

mcp = mcp_server("letters")

@mcp.tool()
async def spell(word: str):
    for letter in word:
        yield letter

def aiel_handler(event, context):
    for i in range(2):
        yield i
'''


def request(handler, event=None, kind="tool", timeout_ms=30000):
    return {"action": "invoke", "kind": kind, "handler": handler, "event": event or {}, "meta": {"timeout_ms": timeout_ms}}


class StreamsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.plane = harness.Plane()
        cls.plane.snapshot("streams", ENTRY)

    @classmethod
    def tearDownClass(cls):
        cls.plane.close()

    def fresh(self, **limits):
        worker = self.plane.ready("streams", limits=limits)
        self.addCleanup(lambda: (worker.kill(), worker.exited()))
        return worker

    def finish(self, worker):
        """``(result frame, chunks, log entries)``"""
        chunks, logs = [], []
        while True:
            frame = worker.read()
            self.assertIsNotNone(frame, "the worker ended")
            if frame["type"] == "result":
                return frame, chunks, logs
            if frame["type"] == "chunk":
                chunks.append(frame["data"])
            else:
                logs.append(frame["entry"]["event"])

    def stream(self, worker, asked):
        worker.start(asked, stream=True)
        return self.finish(worker)

    def plain(self, worker, asked):
        frame, _ = worker.call(asked)
        return frame["envelope"]

    def test_what_is_yielded_goes_out_as_it_comes(self):
        worker = self.fresh()
        frame, chunks, logs = self.stream(worker, request("sync", {"n": 3}))
        self.assertEqual([{"i": 0}, {"i": 1}, {"i": 2}], chunks)
        self.assertEqual(["before"], logs)
        self.assertTrue(frame["envelope"]["ok"], frame)
        self.assertIsNone(frame["envelope"]["result"])
        self.assertFalse(frame["tainted"])
        _, chunks, _ = self.stream(worker, request("asynchronous", {"n": 3}))
        self.assertEqual([0, 1, 2], chunks)

    def test_who_does_not_stream_gets_the_list(self):
        worker = self.fresh()
        self.assertEqual([{"i": 0}, {"i": 1}], self.plain(worker, request("sync", {"n": 2}))["result"])
        self.assertEqual([0, 1], self.plain(worker, request("asynchronous", {"n": 2}))["result"])
        self.assertEqual([], self.plain(worker, request("sync", {"n": 0}))["result"])
        self.assertEqual([{"i": 0}, {"i": 1}], self.plain(worker, request("gives_one"))["result"])
        self.assertEqual([{"i": 0}, {"i": 1}], self.plain(worker, request("gives_one_later"))["result"])
        self.assertEqual(["thinking"], self.plain(worker, request("stateless", kind="agent"))["result"])
        self.assertEqual([0, 1], self.plain(worker, {"action": "execute", "event": {}, "handler": "entry_point.aiel_handler"})["result"])

    def test_what_a_generator_returns_is_its_result(self):
        worker = self.fresh()
        for kind, handler, event, chunk, result in (
                ("tool", "sync", {"n": 1, "returns": True}, {"i": 0}, {"sum": 1}),
                ("agent", "state", {}, "thinking", {"done": True}),
                ("router", "choose", {}, "looking", "left")):
            with self.subTest(kind):
                frame, chunks, _ = self.stream(worker, request(handler, event, kind))
                self.assertEqual([chunk], chunks)
                self.assertEqual(result, frame["envelope"]["result"])
                self.assertEqual(result, self.plain(worker, request(handler, event, kind))["result"])

    def test_tools_of_mcp_servers_and_lambda_style_handlers_stream_too(self):
        worker = self.fresh()
        asked = {"action": "invoke", "kind": "mcp", "mcp": {"server": "letters", "tool": "spell", "args": {"word": "ab"}}}
        self.assertEqual(["a", "b"], self.stream(worker, asked)[1])
        self.assertEqual(["a", "b"], self.plain(worker, asked)["result"])
        self.assertEqual([0, 1], self.stream(worker, {"action": "execute", "event": {}, "handler": "entry_point.aiel_handler"})[1])

    def test_a_chunk_is_what_it_was_when_it_was_yielded(self):
        worker = self.fresh()
        wanted = [{"n": 1}, {"n": 2}, {"n": 3}]
        self.assertEqual(wanted, self.plain(worker, request("same_again"))["result"])
        self.assertEqual(wanted, self.stream(worker, request("same_again"))[1])

    def test_failures_come_after_what_was_yielded(self):
        worker = self.fresh()
        for handler, code in (("fails", "USER_CODE_ERROR"), ("key", "USER_CODE_ERROR"), ("no_json", "VALIDATION_ERROR")):
            with self.subTest(handler):
                frame, chunks, _ = self.stream(worker, request(handler))
                self.assertEqual([1], chunks)
                self.assertEqual(code, frame["envelope"]["error"]["code"], frame)
                self.assertEqual(code, self.plain(worker, request(handler))["error"]["code"])

    def test_limits_end_a_generator_and_close_it(self):
        worker = self.fresh(chunk_bytes=10000, stream_bytes=50000, result_bytes=100000)
        frame, chunks, _ = self.stream(worker, request("large", {"chars": 20000}))
        self.assertEqual(([], "OUTPUT_LIMIT"), (chunks, frame["envelope"]["error"]["code"]))
        self.assertIn("10000", frame["envelope"]["error"]["message"])
        frame, chunks, _ = self.stream(worker, request("large", {"chars": 9000}))
        self.assertEqual((5, "OUTPUT_LIMIT"), (len(chunks), frame["envelope"]["error"]["code"]))
        self.assertIn("50000", frame["envelope"]["error"]["message"])
        plain = self.plain(worker, request("large", {"chars": 20000}))
        self.assertEqual("OUTPUT_LIMIT", plain["error"]["code"])
        self.assertEqual(["large"] * 3, self.plain(worker, request("closed"))["result"])

    def test_a_cancelled_generator_is_closed(self):
        for handler in ("slow", "slow_async"):
            for stream in (True, False):
                with self.subTest(handler, stream=stream):
                    worker = self.fresh()
                    call = worker.start(request(handler), stream=stream)
                    self.assertEqual("begun", worker.read()["entry"]["event"])
                    if stream:
                        self.assertEqual("chunk", worker.read()["type"])
                    else:
                        time.sleep(0.1)  # into its loop; too short a time is a cancellation at the first chunk, closed just so
                    worker.send({"type": "cancel", "id": call})
                    frame, _, _ = self.finish(worker)
                    self.assertEqual("CANCELLED", frame["envelope"]["error"]["code"])
                    self.assertFalse(frame["tainted"])
                    self.assertEqual([handler], self.plain(worker, request("closed"))["result"])

    def test_the_loop_goes_on_while_a_chunk_waits_to_be_read(self):
        """Seen failing when a chunk is sent without waiting for room: it did not hear that it was cancelled."""
        worker = self.fresh()
        call = worker.start(request("ticks"), stream=True)
        time.sleep(1)  # nobody reads: it has filled the socket
        worker.send({"type": "cancel", "id": call})
        time.sleep(0.3)
        frame, chunks, _ = self.finish(worker)
        self.assertEqual("CANCELLED", frame["envelope"]["error"]["code"])
        self.assertLess(len(chunks), 20)
        (counted,) = self.plain(worker, request("closed"))["result"]
        self.assertGreater(counted, 20)

    def test_a_generator_that_does_not_come_back_is_left_to_the_server(self):
        worker = self.fresh()
        call = worker.start(request("deaf"), stream=True)
        frame = worker.read()
        while frame["type"] != "log" or frame["entry"]["event"] != "deaf":  # before it, a cancelled one ends at its chunk
            self.assertIn(frame["type"], ("chunk", "log"))
            frame = worker.read()
        worker.send({"type": "cancel", "id": call})
        worker.connection.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            worker.connection.recv(1)

    def test_generators_end_at_their_deadline(self):
        for handler in ("slow", "slow_async"):
            with self.subTest(handler):
                worker = self.fresh()
                frame, chunks, _ = self.stream(worker, request(handler, timeout_ms=1000))
                self.assertEqual("TIMEOUT", frame["envelope"]["error"]["code"])
                self.assertGreater(len(chunks), 3)


if __name__ == "__main__":
    unittest.main()
