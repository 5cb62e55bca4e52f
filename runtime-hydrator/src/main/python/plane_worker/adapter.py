"""Runs requests on a loaded snapshot through ``aiel-runtime``'s own invoke functions and envelope, once per call.

The handlers in the SDK's registry are replaced by wrappers, so that an error out of user code can be told from one of the
runtime's own (a missing export), and so that the shapes which the SDK documents and 0.5.3 does not serve work: routers that return
a string, MCP tools with keyword arguments, flows made by a graph builder.
"""

import asyncio
import dataclasses
import functools
import importlib
import inspect
import json
import sys
import time

from aiel_runtime import invoke as runtime_invoke
from aiel_runtime import runner
from aiel_runtime.describe import describe
from aiel_runtime.protocol import Context, InvokeMeta, RunnerRequest
from aiel_sdk import SDK_VERSION, get_registry

from .exports import takes_context

CANCELLED, MEMORY_LIMIT, OUTPUT_LIMIT = "CANCELLED", "MEMORY_LIMIT", "OUTPUT_LIMIT"
RUNTIME_VERSION = runner.RUNTIME_VERSION


# Sync handlers that are in a thread now. One that is still here after its deadline cannot be stopped.
_IN_THREADS = set()


class HandlerRaised(Exception):
    """Carries whatever user code raised past the runtime, which would read it as its own."""

    def __init__(self, original):
        super().__init__()
        self.original = original


class _PlaneContext(Context):
    """The runtime's context; each line of ``log`` is also handed on as it happens, until the limit."""

    def __init__(self, base, sink):
        super().__init__(**{f.name: getattr(base, f.name) for f in dataclasses.fields(base)})
        self._sink = sink

    def log(self, event, *, level="INFO", resource_kind=None, resource_name=None, **fields):
        super().log(event, level=level, resource_kind=resource_kind, resource_name=resource_name, **fields)
        entry = self.logs[-1]
        if not self._sink(entry):
            self.logs.pop()

    def note(self, event, **fields):
        """A line of the runner itself: in the envelope, as the runner has it, and not among the user's."""
        super().log(event, **fields)


def wrap(fn):
    """``fn`` with its errors told apart from the runtime's; a coroutine function stays one."""
    if inspect.iscoroutinefunction(fn):
        @functools.wraps(fn)
        async def call(*args, **kwargs):
            try:
                return await fn(*args, **kwargs)
            except (asyncio.CancelledError, asyncio.TimeoutError):
                raise
            except BaseException as raised:
                raise HandlerRaised(raised) from None
    else:
        @functools.wraps(fn)
        def call(*args, **kwargs):
            token = object()
            _IN_THREADS.add(token)
            try:
                return fn(*args, **kwargs)
            except asyncio.TimeoutError:
                raise
            except BaseException as raised:
                raise HandlerRaised(raised) from None
            finally:
                _IN_THREADS.discard(token)
    return call


def _graph_flow(builder):
    """A handler for a flow that is a graph builder: builds once, compiles if it must, and invokes."""
    built = []

    async def run(ctx, state):
        if not built:
            made = builder(ctx) if takes_context(builder) else builder()
            if inspect.isawaitable(made):
                made = await made
            if not hasattr(made, "invoke") and not hasattr(made, "ainvoke") and hasattr(made, "compile"):
                made = made.compile()
            built.append(made)
        graph = built[0]
        if hasattr(graph, "ainvoke"):
            out = await graph.ainvoke(state)
        elif hasattr(graph, "invoke"):
            out = await asyncio.to_thread(graph.invoke, state)
        elif callable(graph):
            out = graph(ctx, state)
            if inspect.isawaitable(out):
                out = await out
        else:
            raise TypeError("The builder of a flow must return a graph with invoke() or a callable, not %s" % type(graph).__name__)
        return out
    return run


def _wrap_registry():
    registry = get_registry()
    for table in (registry.tools, registry.agents, registry.routers):
        for name, export in table.items():
            table[name] = dataclasses.replace(export, fn=wrap(export.fn))
    for name, export in registry.flows.items():
        fn = export.fn if export.fn is not None else _graph_flow(export.graph_builder)
        registry.flows[name] = dataclasses.replace(export, fn=wrap(fn))
    registry.http_handlers[:] = [dataclasses.replace(e, fn=wrap(e.fn)) for e in registry.http_handlers]


def _message(problem):
    try:
        return str(problem)
    except Exception:
        return type(problem).__name__


class Reply:
    """An encoded envelope, and whether the worker may take another call after it."""

    __slots__ = ("envelope", "tainted")

    def __init__(self, envelope, tainted=False):
        self.envelope = envelope
        self.tainted = tainted


class Adapter:
    """One loaded snapshot. Calls come one at a time, on the event loop that stays the worker's for life."""

    def __init__(self, loaded, result_bytes):
        self.loaded = loaded
        self.result_bytes = result_bytes
        self.served = 0
        self.cancelled = False
        self._execute = {}
        _wrap_registry()

    def describe(self):
        return describe(snapshot_id=self.loaded.snapshot_id)

    async def handle(self, request, sink):
        """Runs one runner request (a dict). ``sink(entry) -> bool`` takes each log entry, False once the limit is reached."""
        started = runner._now_ms()
        self.cancelled = False
        try:
            parsed = RunnerRequest.model_validate_json(json.dumps(request))
        except Exception as problem:
            return self._encode(runner._error_response(
                request_id="unknown", trace_id=None, start_ms=started, cold_start=True, snapshot_id=None,
                code=runner.ERROR_VALIDATION, message=str(problem), legacy_code="BAD_REQUEST",
                details=runner._error_details(problem, files_root=None, include_traceback=False)))
        meta = parsed.meta or InvokeMeta()
        cold = self.served == 0
        self.served += 1
        ctx = self._context(parsed, meta, cold, sink)
        common = {"request_id": meta.request_id, "trace_id": meta.trace_id, "start_ms": started, "cold_start": cold,
                  "snapshot_id": self.loaded.snapshot_id}
        failure = _Failure(self, parsed, ctx, common)
        try:
            if parsed.action == "describe":
                result = self.describe()
                ctx.note("runner.describe.ok")
                status = 200
            elif parsed.action == "invoke":
                ctx.note("runner.invoke", resource_kind=parsed.kind, resource_name=parsed.handler, kind=parsed.kind,
                         handler=parsed.handler)
                step = time.time()
                result = await self._invoke(parsed, ctx, meta.timeout_ms)
                ctx.note("runner.invoke.ok", duration_ms=int((time.time() - step) * 1000), resource_kind=parsed.kind,
                         resource_name=parsed.handler)
                status = runner._extract_http_status_from_result(result) or 200
            else:
                ctx.note("runner.execute", resource_kind="handler", resource_name=parsed.handler, handler=parsed.handler)
                step = time.time()
                result = await self._run_execute(parsed, ctx, meta.timeout_ms)
                ctx.note("runner.execute.ok", duration_ms=int((time.time() - step) * 1000), resource_kind="handler",
                         resource_name=parsed.handler)
                status = 200
            reply = self._encode(runner._ok_response(result=result, logs=ctx.logs, http_status=status, **common))
        except asyncio.CancelledError:
            if self.cancelled:
                return failure.plain(CANCELLED, "The execution was cancelled", 499)
            return failure.plain(runner.ERROR_USER_CODE, "The handler ended with CancelledError", 500)
        except BaseException as problem:
            return failure.of(problem)
        if len(reply.envelope) > self.result_bytes:
            return failure.plain(OUTPUT_LIMIT, "The result takes %d bytes, at most %d are allowed; return less, or write it elsewhere"
                                 % (len(reply.envelope), self.result_bytes), 500)
        return reply

    def _context(self, parsed, meta, cold, sink):
        base = Context.from_dict(parsed.ctx if isinstance(parsed.ctx, dict) else {})
        base.request_id = meta.request_id
        base.trace_id = meta.trace_id
        base.deadline_ms = runner._now_ms() + meta.timeout_ms if meta.timeout_ms else None
        base.snapshot_id = self.loaded.snapshot_id
        base.runtime_version = RUNTIME_VERSION
        base.sdk_version = SDK_VERSION
        ctx = _PlaneContext(base, sink)
        ctx.note("runner.start", action=parsed.action, snapshot_id=self.loaded.snapshot_id, cold_start=cold)
        loaded = self.loaded
        ctx.note("runner.init", **({
            "hash_ms": loaded.hash_ms, "import_ms": loaded.import_ms, "validate_ms": loaded.validate_ms,
            "registry_ms": loaded.validate_ms, "cleanup_ms": 0, "total_ms": loaded.total_ms} if cold else {
            "hash_ms": 0, "import_ms": 0, "validate_ms": 0, "registry_ms": 0, "cleanup_ms": 0, "total_ms": 0}))
        return ctx

    async def _invoke(self, parsed, ctx, timeout_ms):
        registry = get_registry()
        if parsed.kind == "router" and parsed.handler in registry.routers:
            export = registry.routers[parsed.handler]
            out = await runtime_invoke._call_fn(ctx, export.fn, parsed.event, timeout_ms=timeout_ms)
            if not isinstance(out, (dict, str)):
                raise TypeError("Router must return a dict state or the next route as a string.")
            return out
        if parsed.kind == "mcp":
            export = registry.mcp_tools.get((parsed.mcp.server, parsed.mcp.tool))
            if export is not None:
                return await self._invoke_mcp_tool(export.fn, ctx, parsed.mcp.args, timeout_ms)
        return await runtime_invoke.invoke(kind=parsed.kind, handler=parsed.handler, event=parsed.event, http=parsed.http,
                                           mcp=parsed.mcp, ctx=ctx, timeout_ms=timeout_ms)

    @staticmethod
    async def _invoke_mcp_tool(fn, ctx, arguments, timeout_ms):
        given = (ctx,) if takes_context(fn) else ()
        inspect.signature(fn).bind(*given, **arguments)  # TypeError names the argument: VALIDATION_ERROR
        wrapped = wrap(fn)
        if inspect.iscoroutinefunction(fn):
            return await runtime_invoke._run_with_timeout(wrapped(*given, **arguments), timeout_ms)
        return await runtime_invoke._run_with_timeout(asyncio.to_thread(wrapped, *given, **arguments), timeout_ms)

    async def _run_execute(self, parsed, ctx, timeout_ms):
        fn = self._execute.get(parsed.handler)
        if fn is None:
            module_name, function_name = runtime_invoke._resolve_handler(parsed.handler)
            try:
                module = sys.modules.get(module_name) or importlib.import_module(module_name)
            except KeyError as problem:
                raise HandlerRaised(problem) from None
            found = getattr(module, function_name, None)
            if not callable(found):
                raise KeyError("Handler not found: %s" % parsed.handler)
            fn = self._execute[parsed.handler] = wrap(found)
        return await runtime_invoke._call_fn_aws(ctx, fn, parsed.event, timeout_ms=timeout_ms)

    def _encode(self, response):
        return Reply(runner._dump_response(response).encode("utf-8"))


class _Failure:
    """Makes the error envelope of one call."""

    def __init__(self, adapter, parsed, ctx, common):
        self._adapter, self._parsed, self._ctx, self._common = adapter, parsed, ctx, common

    def of(self, problem):
        tainted = False
        if isinstance(problem, HandlerRaised):
            from_handler, problem = True, problem.original
        else:
            from_handler = False
        legacy = None
        if isinstance(problem, MemoryError):
            return self._make(problem, MEMORY_LIMIT, "The memory limit was reached", "memory_limit", "ERROR", None, True)
        if isinstance(problem, runtime_invoke.InvokeTimeout) and not from_handler:
            # A thread cannot be stopped: whoever runs in it may still be at work.
            return self._make(problem, runner.ERROR_TIMEOUT, _message(problem), "timeout", "WARN", None, bool(_IN_THREADS))
        message = _message(problem)
        if not isinstance(problem, Exception):
            code, event, level, tainted = runner.ERROR_USER_CODE, "user_code_error", "ERROR", True
            message = "%s: %s" % (type(problem).__name__, message)
        elif isinstance(problem, KeyError) and not from_handler:
            code, event, level, legacy = runner.ERROR_NOT_FOUND, "not_found", "WARN", "HANDLER_NOT_FOUND"
            message = message.strip("'")
        elif isinstance(problem, (TypeError, ValueError)):
            code, event, level = runner.ERROR_VALIDATION, "validation_error", "WARN"
        elif isinstance(problem, PermissionError):
            code, event, level, legacy = runner.ERROR_SECURITY, "security_violation", "ERROR", "SECURITY_VIOLATION"
        else:
            code, event, level = runner.ERROR_USER_CODE, "user_code_error", "ERROR"
        return self._make(problem, code, message, event, level, legacy, tainted)

    def plain(self, code, message, status):
        """An error that no exception stands for."""
        response = runner._error_response(code=code, message=message, http_status=status, logs=self._ctx.logs, **self._common)
        reply = self._adapter._encode(response)
        if len(reply.envelope) > self._adapter.result_bytes:
            response.meta.logs = []
            reply = self._adapter._encode(response)
        reply.tainted = code == CANCELLED and bool(_IN_THREADS)
        return reply

    def _make(self, problem, code, message, event, level, legacy, tainted):
        limit = max(1024, self._adapter.result_bytes // 8)
        if len(message) > limit:
            message = message[:limit] + " … (cut)"
        try:
            status = runner._extract_http_status_from_exception(problem)
            details = runner._details_with_status(
                runner._error_details(problem, files_root=self._adapter.loaded.root, include_traceback=False), status)
        except Exception:  # an exception class whose own attributes raise
            status, details = None, {"exception_type": type(problem).__name__}
        self._ctx.note("runner.invoke." + event, message=message, level=level, resource_kind=self._parsed.kind,
                       resource_name=self._parsed.handler)
        response = runner._error_response(code=code, message=message, legacy_code=legacy, details=details, logs=self._ctx.logs,
                                          http_status=status, **self._common)
        try:
            reply = self._adapter._encode(response)
        except Exception:  # a log field that has no JSON form
            response.meta.logs = []
            response.error.details = None
            reply = self._adapter._encode(response)
        if len(reply.envelope) > self._adapter.result_bytes:
            response.meta.logs = []
            reply = self._adapter._encode(response)
        reply.tainted = tainted
        return reply
