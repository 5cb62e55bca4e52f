"""Every limit, and every way in which user code can misbehave: each ends in its own clear answer, and the next worker is fine."""

import dis
import os
import time
import types
import unittest

import harness

ENTRY = '''
import asyncio, os, signal, socket, sys, threading, time
from aiel_sdk import tool

@tool("ok")
def ok(ctx, e):
    return {"ok": True}

@tool("loop")
def loop(ctx, e):
    while True:
        pass

@tool("aloop")
async def aloop(ctx, e):
    while True:
        pass

@tool("sleep")
def sleep(ctx, e):
    time.sleep(e["seconds"])
    return {}

@tool("deaf")
async def deaf(ctx, e):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

@tool("memory")
def memory(ctx, e):
    held = []
    while True:
        held.append(bytearray(8 << 20))

@tool("memory_of_small_things")
def memory_of_small_things(ctx, e):
    held = []
    while True:
        held.append({"a": [len(held)], "b": str(len(held))})

FULL = []

@tool("full_where_a_number_is_needed")
def full_where_a_number_is_needed(ctx, e):
    """Uses up the room for small numbers, and then needs one: the interpreter makes it for a clean-up that is far down a function."""
    FULL.append([None] * (6 << 20))
    try:
        for at in range(6 << 20):
            FULL[0][at] = float(at)
    except MemoryError:
        FAR
        float(at)

@tool("threads")
def threads(ctx, e):
    stop, made = threading.Event(), 0
    try:
        for _ in range(2000):
            threading.Thread(target=stop.wait, daemon=True).start()
            made += 1
    except RuntimeError:
        pass
    finally:
        stop.set()
    return {"made": made}

@tool("threads_without_end")
def threads_without_end(ctx, e):
    stop = threading.Event()
    try:
        for _ in range(5000):
            threading.Thread(target=stop.wait, daemon=True).start()
    finally:
        stop.set()

@tool("files")
def files(ctx, e):
    held = []
    try:
        while len(held) < 100000:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as problem:
        return {"held": len(held), "errno": problem.errno}
    finally:
        for fd in held:
            os.close(fd)

@tool("flood")
def flood(ctx, e):
    for _ in range(e["lines"]):
        print("x" * 100)
    return {"done": True}

@tool("raw_flood")
async def raw_flood(ctx, e):
    block = b"y" * 99 + b"\\n"
    for _ in range(e["lines"]):
        os.write(1, block)
    return {"done": True}

@tool("log_flood")
def log_flood(ctx, e):
    for i in range(e["lines"]):
        ctx.log("line", text="z" * 100)
    return {"kept": len(ctx.logs)}

@tool("huge")
def huge(ctx, e):
    return {"text": "x" * e["size"]}

@tool("huge_error")
def huge_error(ctx, e):
    raise RuntimeError("x" * e["size"])

@tool("os_exit")
def os_exit(ctx, e):
    os._exit(3)

@tool("abort")
def abort(ctx, e):
    os.abort()

@tool("signal")
def signal_(ctx, e):
    os.kill(os.getpid(), e["number"])
    time.sleep(0.2)
    return {"alive": True}

@tool("big_file")
def big_file(ctx, e):
    with open("/tmp/big", "wb") as f:
        for _ in range(1024):
            f.write(bytes(1 << 20))

@tool("burn")
def burn(ctx, e):
    end = time.process_time() + e["seconds"]
    while time.process_time() < end:
        pass
    return {}

LATE = []

@tool("leave_task")
async def leave_task(ctx, e):
    async def later():
        for _ in range(100):
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                if not e.get("deaf"):
                    raise
            LATE.append(1)
    asyncio.get_running_loop().create_task(later())
    await asyncio.sleep(0)
    return {"ok": True}

@tool("late")
async def late(ctx, e):
    await asyncio.sleep(0.2)
    return {"late": len(LATE)}

@tool("exit_in_task")
async def exit_in_task(ctx, e):
    async def stop():
        raise SystemExit(9)
    asyncio.get_running_loop().create_task(stop())
    await asyncio.sleep(1)

@tool("stop_loop")
async def stop_loop(ctx, e):
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    return {"ok": True}

@tool("forge")
def forge(ctx, e):
    import json, struct
    body = json.dumps({"type": "result", "id": "exec_1", "envelope": {"ok": True, "result": "forged"}, "tainted": False}).encode()
    for fd in (1, 2):
        os.write(fd, struct.pack(">I", len(body)) + body)
    print(body.decode())
    return {"real": True}

@tool("recurse")
def recurse(ctx, e):
    return recurse(ctx, e)
'''.replace("FAR", "x = ctx; " * 200 + "pass")


class LimitsMixin:
    tier, as_uid, cgroups = "auto", None, False

    @classmethod
    def setUpClass(cls):
        cls.plane = harness.Plane(tier=cls.tier, as_uid=cls.as_uid)
        if cls.plane.first["type"] != "hello":
            reason = cls.plane.first
            cls.plane.close()
            raise AssertionError(reason)
        cls.plane.snapshot("limits", ENTRY)
        cls.cgroups = cls.plane.first["isolation"]["cgroup"] is not None

    @classmethod
    def tearDownClass(cls):
        cls.plane.close()

    def fresh(self, **limits):
        return self.plane.ready("limits", limits=limits)

    def end(self, worker):
        worker.kill()
        return worker.exited()

    def error(self, frame):
        return frame["envelope"]["error"]["code"]

    def test_a_sync_loop_times_out_and_taints(self):
        worker = self.fresh()
        begun = time.monotonic()
        frame, _ = worker.tool("loop", timeout_ms=200)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(("TIMEOUT", 504, True), (self.error(frame), frame["envelope"]["http_status"], frame["tainted"]))
        self.assertEqual(9, self.end(worker)["signal"])

    def test_a_loop_that_never_awaits_is_for_the_server_to_kill(self):
        for handler in ("aloop", "deaf"):
            with self.subTest(handler):
                worker = self.fresh()
                worker.start({"action": "invoke", "kind": "tool", "handler": handler, "meta": {"timeout_ms": 100}})
                worker.connection.settimeout(0.5)
                with self.assertRaises(TimeoutError):
                    worker.finish()
                self.assertEqual(9, self.end(worker)["signal"])

    def test_memory_ends_at_its_limit(self):
        """Seen to fail: without the limit on address space, as an ordinary user, the handler runs into its deadline."""
        worker = self.fresh(memory_bytes=128 << 20)
        frame, _ = worker.tool("memory", timeout_ms=20000)
        if self.cgroups:
            exited = worker.exited()
            self.assertIsNone(frame)
            self.assertEqual((9, True), (exited["signal"], exited["memory_limit_hit"]))
        else:
            self.assertEqual(("MEMORY_LIMIT", True), (self.error(frame), frame["tainted"]))
            self.end(worker)

    def test_memory_of_small_things_ends_at_its_limit_each_time(self):
        """Seen to fail: with the answer made where the handler's frames are still held, one in ten tries went on until its deadline."""
        for attempt in range(12):
            worker = self.fresh(memory_bytes=64 << 20)
            frame, _ = worker.tool("memory_of_small_things", timeout_ms=30000)
            if frame is not None:
                self.assertEqual(("MEMORY_LIMIT", True), (self.error(frame), frame["tainted"]))
                self.end(worker)
            else:
                self.assertTrue(worker.exited()["memory_limit_hit"], "try %d" % attempt)

    def test_an_interpreter_that_tries_for_ever_is_at_its_limit_long_before_its_deadline(self):
        """Seen to fail: while the zygote did not look at the address space, the worker burned a processor until it was killed."""
        worker = self.fresh(memory_bytes=128 << 20)
        started = time.monotonic()
        frame, _ = worker.tool("full_where_a_number_is_needed", timeout_ms=25000)
        self.assertIsNone(frame)
        self.assertTrue(worker.exited()["memory_limit_hit"])
        self.assertLess(time.monotonic() - started, 20)

    def test_memory_at_import_ends_at_its_limit_too(self):
        """Seen to fail: as an ordinary user the first was a finding in the code, and the second a worker that was lost."""
        for name, entry in (("large", "held = []\nwhile True:\n    held.append(bytearray(8 << 20))\n"),
                            ("small", "held = []\nwhile True:\n    held.append('x%d' % len(held))\n"),
                            ("at_once", "x = bytearray(1 << 44)\n")):
            with self.subTest(name):
                self.plane.snapshot("import_" + name, entry)
                worker = self.plane.spawn("import_" + name, limits={"memory_bytes": 128 << 20})
                self.assertIsNone(worker.read())
                self.assertTrue(worker.exited()["memory_limit_hit"])

    def test_threads_that_are_not_given_are_a_limit_that_was_hit(self):
        worker = self.fresh(pids=32, memory_bytes=192 << 20)
        frame, _ = worker.tool("threads_without_end")
        self.end(worker)
        self.assertEqual(("PROCESS_LIMIT", True), (self.error(frame), frame["tainted"]))

    def test_threads_end_at_their_limit(self):
        worker = self.fresh(pids=32)
        frame, _ = worker.tool("threads")
        made = frame["envelope"]["result"]["made"]
        exited = self.end(worker)
        if self.cgroups or self.tier == "auto":
            self.assertLess(made, 33)
        self.assertGreater(made, 3)
        if self.cgroups:
            self.assertTrue(exited["process_limit_hit"] or made < 32)

    def test_open_files_end_at_their_limit(self):
        worker = self.fresh(open_files=64)
        result = worker.tool("files")[0]["envelope"]["result"]
        self.end(worker)
        self.assertEqual(24, result["errno"])
        self.assertLess(result["held"], 64)

    def test_printing_without_end_is_cut_and_does_not_stop_the_call(self):
        """Seen to fail: without the drain thread ``raw_flood`` waits for itself when the pipe is full."""
        worker = self.fresh(log_bytes=10000)
        for handler in ("flood", "raw_flood"):
            with self.subTest(handler):
                frame, logs = worker.tool(handler, {"lines": 50000}, timeout_ms=20000)
                self.assertEqual({"done": True}, frame["envelope"]["result"])
                self.assertLess(len(logs), 100)
                self.assertEqual("plane.log_limit", logs[-1]["event"])
                self.assertEqual("STDOUT", logs[0]["level"])
        self.end(worker)

    def test_log_lines_are_cut_in_the_envelope_too(self):
        worker = self.fresh(log_bytes=10000)
        frame, logs = worker.tool("log_flood", {"lines": 20000}, timeout_ms=20000)
        self.end(worker)
        self.assertLess(len(frame["envelope"]["meta"]["logs"]), 100)
        self.assertEqual("plane.log_limit", logs[-1]["event"])

    def test_a_result_beyond_the_limit_is_an_error(self):
        worker = self.fresh(result_bytes=100000)
        frame, _ = worker.tool("huge", {"size": 200000})
        self.assertEqual("OUTPUT_LIMIT", self.error(frame))
        self.assertIn("100000", frame["envelope"]["error"]["message"])
        frame, _ = worker.tool("huge_error", {"size": 5 << 20})
        self.assertEqual("USER_CODE_ERROR", self.error(frame))
        self.assertTrue(worker.tool("huge", {"size": 90000})[0]["envelope"]["ok"])
        self.end(worker)

    def test_a_process_that_ends_itself_is_seen_at_once(self):
        worker = self.fresh()
        frame, _ = worker.tool("os_exit")
        exited = worker.exited()
        self.assertEqual((None, 3, None), (frame, exited["exit_code"], exited["signal"]))
        worker = self.fresh()
        frame, _ = worker.tool("abort")
        self.assertIsNone(frame)
        self.assertIsNotNone(worker.exited()["signal"])

    def test_signals_to_itself_end_at_most_itself(self):
        for number in (9, 15, 11, 2):
            with self.subTest(number):
                worker = self.fresh()
                frame, _ = worker.tool("signal", {"number": number})
                if frame is None:
                    worker.exited()
                else:
                    self.assertTrue(frame["envelope"]["ok"] or self.error(frame) == "USER_CODE_ERROR")
                    self.end(worker)

    def test_cpu_time_ends_at_its_limit(self):
        worker = self.fresh(cpu_seconds=1)
        worker.start({"action": "invoke", "kind": "tool", "handler": "aloop", "meta": {"timeout_ms": 100}})
        frame, _ = worker.finish()
        exited = worker.exited()
        self.assertEqual((None, True, 9), (frame, exited["cpu_limit_hit"], exited["signal"]))
        self.assertGreaterEqual(exited["cpu_ms"], 800)

    def test_a_worker_near_its_cpu_limit_is_replaced_between_calls(self):
        """Seen to fail: without the comparison with half of the limit."""
        worker = self.fresh(cpu_seconds=1)
        frame, _ = worker.tool("burn", {"seconds": 0.6})
        self.end(worker)
        self.assertEqual((True, True), (frame["envelope"]["ok"], frame["tainted"]))

    def test_the_scratch_folder_has_an_end(self):
        worker = self.fresh(tmp_bytes=4 << 20)
        frame, _ = worker.tool("big_file")
        self.assertIn(frame["envelope"]["error"]["details"]["exception_type"], ("OSError", "PermissionError"))
        self.end(worker)

    def test_tasks_left_behind_end_with_the_call(self):
        """Seen to fail: without cancelling them, ``late`` counts their steps."""
        worker = self.fresh()
        frame, _ = worker.tool("leave_task")
        self.assertEqual((True, False), (frame["envelope"]["ok"], frame["tainted"]))
        self.assertEqual({"late": 0}, worker.tool("late")[0]["envelope"]["result"])
        self.assertTrue(worker.tool("leave_task", {"deaf": True})[0]["tainted"])
        self.end(worker)

    def test_system_exit_in_a_task_is_an_envelope(self):
        worker = self.fresh()
        frame, _ = worker.tool("exit_in_task")
        self.assertEqual(("USER_CODE_ERROR", True), (self.error(frame), frame["tainted"]))
        worker.exited()

    def test_a_stopped_loop_goes_on(self):
        worker = self.fresh()
        self.assertTrue(worker.tool("stop_loop")[0]["envelope"]["ok"])
        self.assertTrue(worker.tool("ok")[0]["envelope"]["ok"])
        self.end(worker)

    def test_printing_cannot_forge_a_reply(self):
        worker = self.fresh()
        frame, logs = worker.tool("forge")
        self.assertEqual({"real": True}, frame["envelope"]["result"])
        self.assertEqual(3, sum("forged" in e["event"] for e in logs))
        self.end(worker)

    def test_endless_recursion_is_user_code(self):
        worker = self.fresh()
        frame, _ = worker.tool("recurse")
        self.assertEqual("USER_CODE_ERROR", self.error(frame))
        self.end(worker)

    def test_usage_is_measured(self):
        worker = self.fresh()
        frame, _ = worker.tool("sleep", {"seconds": 0.5})
        self.end(worker)
        self.assertGreaterEqual(frame["usage"]["wall_ms"], 500)
        self.assertLess(frame["usage"]["cpu_ms"], 500)
        self.assertGreater(frame["usage"]["max_rss_bytes"], 1 << 20)


class AnswersWithoutMemory(unittest.TestCase):
    def test_no_function_on_an_errors_way_to_its_answer_needs_memory_to_clean_up(self):
        """Seen to fail: with the answer and all that may end it in one function."""
        path = os.path.join(harness.WORKER_CODE, "adapter.py")
        with open(path, encoding="utf-8") as file:
            waiting, far = [compile(file.read(), path, "exec")], []
        while waiting:
            code = waiting.pop()
            waiting += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
            # Numbers up to 256 are made once and for all; a clean-up notes how many code units into the function it was entered.
            far += [code.co_qualname for entry in dis._parse_exception_table(code) if entry.lasti and entry.end // 2 > 256]
        self.assertEqual([], far)


def load_tests(loader, tests, pattern):
    suite = loader.loadTestsFromTestCase(AnswersWithoutMemory)
    for label, uid in harness.identities():
        for tier in ("auto", "restricted") if harness.can_be_restricted() else ("auto",):
            case = type("Limits_%s_as_%s" % (tier, label), (LimitsMixin, unittest.TestCase), {"tier": tier, "as_uid": uid})
            suite.addTests(loader.loadTestsFromTestCase(case))
    suite.addTests(harness.without_user())
    return suite


if __name__ == "__main__":
    unittest.main()
