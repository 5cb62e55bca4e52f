"""Runs requests on a loaded snapshot through ``aiel-runtime``'s own invoke functions and envelope, once per call.

The handlers in the SDK's registry are replaced by wrappers, so that an error out of user code can be told from one of the
runtime's own (a missing export), and so that the shapes which the SDK documents and 0.5.3 does not serve work: routers that return
a string, MCP tools with keyword arguments, flows made by a graph builder.
"""

import asyncio
import dataclasses
import errno
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

from . import streams
from .exports import takes_context

CANCELLED, MEMORY_LIMIT, OUTPUT_LIMIT, PROCESS_LIMIT = "CANCELLED", "MEMORY_LIMIT", "OUTPUT_LIMIT", "PROCESS_LIMIT"
# All that Python says when the kernel gives it no further thread.
_NO_THREAD = "can't start new thread"
RUNTIME_VERSION = runner.RUNTIME_VERSION


# Sync handlers that are in a thread now. One that is still here after its deadline cannot be stopped.
_IN_THREADS = set()


class HandlerRaised(Exception):
    """Carries whatever user code raised past the runtime, which would read it as its own."""

    def __init__(self, original):
        super().__init__()
        self.original = original


class _Expired(Exception):
    """A handler that ran in the calling thread raised ``TimeoutError``, which the runtime takes for the end of the time allowed."""


class _PlaneContext(Context):
    """The runtime's context; each line of ``log`` is also handed on as it happens, until the limit."""

    def __init__(self, base, sink):
        self.__dict__.update(base.__dict__)
        self._sink = sink
        self._at_once = False

    def log(self, event, *, level="INFO", resource_kind=None, resource_name=None, **fields):
        super().log(event, level=level, resource_kind=resource_kind, resource_name=resource_name, **fields)
        entry = self.logs[-1]
        if not self._sink(entry):
            self.logs.pop()

    def note(self, event, **fields):
        """A line of the runner itself: in the envelope, as the runner has it, and not among the user's."""
        super().log(event, **fields)


def wrap(fn):
    """``fn`` with its errors told apart from the runtime's, and what it yields taken; a coroutine function stays one."""
    if inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn):
        @functools.wraps(fn)
        async def call(*args, **kwargs):
            try:
                out = fn(*args, **kwargs)
                if inspect.isawaitable(out):
                    out = await out
                if inspect.isasyncgen(out) or inspect.isgenerator(out):
                    out = await streams.current.get().of_async(out)
                return out
            except (asyncio.CancelledError, asyncio.TimeoutError, streams.Stopped, streams.TooMuch, MemoryError):
                raise  # as it is; of the last there is not even room for another exception
            except BaseException as raised:
                raise HandlerRaised(raised) from None
    else:
        @functools.wraps(fn)
        def call(*args, **kwargs):
            token = object()
            _IN_THREADS.add(token)
            try:
                out = fn(*args, **kwargs)
                return streams.current.get().of(out) if inspect.isgenerator(out) else out
            except (asyncio.TimeoutError, streams.Stopped, streams.TooMuch, MemoryError):
                raise
            except BaseException as raised:
                raise HandlerRaised(raised) from None
            finally:
                _IN_THREADS.discard(token)
        call.at_once = True
    return call


_runtime_call_fn = runtime_invoke._call_fn


async def _call_fn(ctx, fn, arg, *, timeout_ms):
    """The runtime's way to call a handler; of a call that runs at once, the handler runs in the calling thread instead of another."""
    if not ctx._at_once:
        return await _runtime_call_fn(ctx, fn, arg, timeout_ms=timeout_ms)
    try:
        return fn(ctx, arg)
    except asyncio.TimeoutError:
        raise _Expired from None


runtime_invoke._call_fn = _call_fn


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


def _http_of(ctx):
    """What the plane says of an HTTP call's route: it resolved the path, and decided on that handler."""
    http = ctx.get("http") if isinstance(ctx, dict) else None
    return http if isinstance(http, dict) else {}


def _request_of(http):
    """The request as the runtime gives it to the handlers of GET."""
    return {"method": http.method, "path": http.path, "query": dict(http.query), "headers": dict(http.headers),
            "body": dict(http.body)}


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

    def __init__(self, loaded, limits):
        self.loaded = loaded
        self.limits = limits
        self.result_bytes = limits.result
        self.served = 0
        self._execute = {}
        _wrap_registry()

    def describe(self):
        return describe(snapshot_id=self.loaded.snapshot_id)

    def call(self, request, sink, send=None, room=None):
        """One runner request (a dict) as a :class:`Call`. ``sink(entry) -> bool`` takes each log entry, False once the limit is reached.

        ``send`` and ``room``: see :class:`streams.Chunks`.
        """
        return Call(self, request, sink, streams.Chunks(self.limits, send, room))

    def runs_at_once(self, request):
        """Whether the request is for a sync handler, which needs no event loop: see :meth:`Call.run_at_once`."""
        if not isinstance(request, dict) or request.get("action") != "invoke":
            return False
        meta = request.get("meta")
        timeout_ms = meta.get("timeout_ms") if isinstance(meta, dict) else None
        if type(timeout_ms) is not int or timeout_ms <= 0:
            return False
        registry, kind = get_registry(), request.get("kind")
        if kind == "http":
            http = request.get("http")
            ctx = _http_of(request.get("ctx"))
            route = (http.get("method"), ctx.get("route", http.get("path"))) if isinstance(http, dict) else (None, None)
            export = runtime_invoke._find_http_handler(*route) if all(isinstance(part, str) for part in route) else None
        else:
            table = {"tool": registry.tools, "agent": registry.agents, "flow": registry.flows, "router": registry.routers}.get(kind, {})
            name = request.get("name") if request.get("handler") is None else request["handler"]
            export = table.get(name) if isinstance(name, str) else None
        return getattr(getattr(export, "fn", None), "at_once", False)

    def _context(self, parsed, meta, cold, sink):
        base = Context.from_dict(parsed.ctx if isinstance(parsed.ctx, dict) else {})
        base.request_id = meta.request_id
        base.trace_id = meta.trace_id
        base.deadline_ms = runner._now_ms() + meta.timeout_ms if meta.timeout_ms else None
        base.snapshot_id = self.loaded.snapshot_id
        base.runtime_version = RUNTIME_VERSION
        base.sdk_version = SDK_VERSION
        ctx = _PlaneContext(base, sink)
        if parsed.http is not None:
            ctx.http = {**_request_of(parsed.http), "path_params": _http_of(parsed.ctx).get("path_params", {})}
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
        route = _http_of(parsed.ctx).get("route")
        if parsed.kind == "http" and route is not None and route != parsed.http.path:
            return await self._invoke_route(parsed.http, route, ctx, timeout_ms)
        if parsed.kind == "mcp":
            export = registry.mcp_tools.get((parsed.mcp.server, parsed.mcp.tool))
            if export is not None:
                return await self._invoke_mcp_tool(export.fn, ctx, parsed.mcp.args, timeout_ms)
        return await runtime_invoke.invoke(kind=parsed.kind, handler=parsed.handler, event=parsed.event, http=parsed.http,
                                           mcp=parsed.mcp, ctx=ctx, timeout_ms=timeout_ms)

    @staticmethod
    async def _invoke_route(http, route, ctx, timeout_ms):
        """A handler whose path has parameters, which the runtime does not know; the handler gets what it would get from the runtime."""
        export = runtime_invoke._find_http_handler(http.method, route)
        if export is None:
            raise KeyError("HTTP handler not found for %s %s" % (http.method, route))
        if http.method == "GET":
            argument = {**_request_of(http), "path_params": dict(ctx.http["path_params"])}
        else:
            argument = dict(http.body)
        return await runtime_invoke._call_fn(ctx, export.fn, argument, timeout_ms=timeout_ms)

    @staticmethod
    async def _invoke_mcp_tool(fn, ctx, arguments, timeout_ms):
        given = (ctx,) if takes_context(fn) else ()
        inspect.signature(fn).bind(*given, **arguments)  # TypeError names the argument: VALIDATION_ERROR
        wrapped = wrap(fn)
        if inspect.iscoroutinefunction(wrapped):
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


class Call:
    """One request on its way. It is answered by :meth:`run` or :meth:`run_at_once`, by another method only if that does not end.

    Attributes: ``refused``: the reply to a request that cannot be read, to which nothing else applies. ``chunks``: what it yields.
    """

    def __init__(self, adapter, request, sink, chunks):
        started = runner._now_ms()
        self.chunks = chunks
        self.cancelled = False
        self.timeout_ms = 0
        self._adapter = adapter
        self.refused = None
        try:
            # As JSON: what the runtime reads is not a dict, and pydantic is stricter with those.
            self._parsed = parsed = RunnerRequest.model_validate_json(json.dumps(request))
        except Exception as problem:
            self.refused = Reply(encoded(runner._error_response(
                request_id="unknown", trace_id=None, start_ms=started, cold_start=True, snapshot_id=None,
                code=runner.ERROR_VALIDATION, message=str(problem), legacy_code="BAD_REQUEST",
                details=runner._error_details(problem, files_root=None, include_traceback=False))))
            return
        meta = parsed.meta or InvokeMeta()
        self.timeout_ms = meta.timeout_ms
        cold = adapter.served == 0
        adapter.served += 1
        self._ctx = adapter._context(parsed, meta, cold, sink)
        self._common = {"request_id": meta.request_id, "trace_id": meta.trace_id, "start_ms": started, "cold_start": cold,
                        "snapshot_id": adapter.loaded.snapshot_id}
        self._failure = _Failure(adapter, parsed, self._ctx, self._common)

    def run_at_once(self):
        """The reply of a call that :meth:`Adapter.runs_at_once`: its handler runs in this thread, in which no event loop may run.

        None if the answer is that of :meth:`timed_out`. Nobody keeps the time meanwhile.
        """
        if self.refused is not None:
            return self.refused
        self._ctx._at_once = True
        coroutine = self.run()
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value
        coroutine.close()
        raise RuntimeError("a call that runs at once waited for something")

    async def run(self):
        """The reply.

        Short, as is each function here: past a function's 256th code unit CPython (seen with 3.11) makes a number when it enters a
        handler's clean-up, and while there is no memory for one it tries again for ever.
        """
        if self.refused is not None:
            return self.refused
        streams.current.set(self.chunks)
        try:
            return await self._reply()
        except BaseException as raised:
            problem = raised
        if isinstance(problem, MemoryError):
            # With the handler's frames goes what they hold: the answer needs memory too.
            problem.__traceback__ = problem.__context__ = problem.__cause__ = None
        return await self._reply_to(problem)

    async def _reply(self):
        adapter, parsed, ctx = self._adapter, self._parsed, self._ctx
        if parsed.action == "describe":
            result = adapter.describe()
            ctx.note("runner.describe.ok")
            status = 200
        elif parsed.action == "invoke":
            ctx.note("runner.invoke", resource_kind=parsed.kind, resource_name=parsed.handler, kind=parsed.kind,
                     handler=parsed.handler)
            step = time.time()
            result = _unkept(await adapter._invoke(parsed, ctx, self.timeout_ms))
            ctx.note("runner.invoke.ok", duration_ms=int((time.time() - step) * 1000), resource_kind=parsed.kind,
                     resource_name=parsed.handler)
            status = runner._extract_http_status_from_result(result) or 200
        else:
            ctx.note("runner.execute", resource_kind="handler", resource_name=parsed.handler, handler=parsed.handler)
            step = time.time()
            result = _unkept(await adapter._run_execute(parsed, ctx, self.timeout_ms))
            ctx.note("runner.execute.ok", duration_ms=int((time.time() - step) * 1000), resource_kind="handler",
                     resource_name=parsed.handler)
            status = 200
        reply = Reply(encoded(runner._ok_response(result=result, logs=ctx.logs, http_status=status, **self._common)))
        if len(reply.envelope) > adapter.result_bytes:
            return self._failure.plain(OUTPUT_LIMIT, "The result takes %d bytes, at most %d are allowed; return less, or write it "
                                       "elsewhere" % (len(reply.envelope), adapter.result_bytes), 500)
        return reply

    async def _reply_to(self, problem):
        """The reply to what was raised; None if it is that of :meth:`timed_out`."""
        if isinstance(problem, _Expired):
            return None
        if isinstance(problem, streams.Stopped):
            return await self.was_cancelled()
        if isinstance(problem, streams.TooMuch):
            return self._failure.plain(OUTPUT_LIMIT, str(problem), 500)
        if isinstance(problem, asyncio.CancelledError):
            if self.cancelled:
                return await self.was_cancelled()
            return self._failure.plain(runner.ERROR_USER_CODE, "The handler ended with CancelledError", 500)
        return self._failure.of(problem)

    async def was_cancelled(self):
        """The reply to a call that was cancelled."""
        return self._failure.plain(CANCELLED, "The execution was cancelled", 499)

    async def timed_out(self):
        """The reply to a call whose time is over."""
        async def late():
            raise asyncio.TimeoutError
        try:
            await runtime_invoke._run_with_timeout(late(), self.timeout_ms)
        except runtime_invoke.InvokeTimeout as problem:
            return self._failure.of(problem)


def _unkept(result):
    return result.chunks if isinstance(result, streams.Kept) else result


_NOT_KNOWN_YET = b'"serialize_ms":null}}'


def encoded(response):
    """The bytes of an envelope, as the runner's own ``_dump_response`` makes them but for encoding everything twice.

    The runner encodes, notes how long that took in the envelope's last member, and encodes again.
    """
    started = time.time()
    data = response.model_dump_json().encode("utf-8")
    if not data.endswith(_NOT_KNOWN_YET):
        return runner._dump_response(response).encode("utf-8")
    return b"%s%d}}" % (data[:-len("null}}")], int((time.time() - started) * 1000))


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
        # What mmap says for want of memory is an OSError.
        if isinstance(problem, MemoryError) or (type(problem) is OSError and problem.errno == errno.ENOMEM):
            return self._make(problem, MEMORY_LIMIT, "The memory limit was reached", "memory_limit", "ERROR", None, True)
        if type(problem) is RuntimeError and problem.args == (_NO_THREAD,):
            return self._make(problem, PROCESS_LIMIT, "The limit on processes and threads was reached", "process_limit", "ERROR",
                              None, True)
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
        reply = Reply(encoded(response))
        if len(reply.envelope) > self._adapter.result_bytes:
            response.meta.logs = []
            reply = Reply(encoded(response))
        reply.tainted = code == CANCELLED and bool(_IN_THREADS)
        return reply

    def _details(self, problem):
        try:
            status = runner._extract_http_status_from_exception(problem)
            return status, runner._details_with_status(
                runner._error_details(problem, files_root=self._adapter.loaded.root, include_traceback=False), status)
        except Exception:  # an exception class whose own attributes raise
            return None, {"exception_type": type(problem).__name__}

    @staticmethod
    def _encoded(response):
        try:
            return Reply(encoded(response))
        except Exception:  # a log field that has no JSON form
            response.meta.logs = []
            response.error.details = None
            return Reply(encoded(response))

    def _make(self, problem, code, message, event, level, legacy, tainted):
        limit = max(1024, self._adapter.result_bytes // 8)
        if len(message) > limit:
            message = message[:limit] + " … (cut)"
        status, details = self._details(problem)
        self._ctx.note("runner.invoke." + event, message=message, level=level, resource_kind=self._parsed.kind,
                       resource_name=self._parsed.handler)
        response = runner._error_response(code=code, message=message, legacy_code=legacy, details=details, logs=self._ctx.logs,
                                          http_status=status, **self._common)
        reply = self._encoded(response)
        if len(reply.envelope) > self._adapter.result_bytes:
            response.meta.logs = []
            reply = Reply(encoded(response))
        reply.tainted = tainted
        return reply
