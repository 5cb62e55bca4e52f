"""What a snapshot exports, with all that the SDK's decorators know of it: for the capability registry.

Reads the SDK's registry; calls no user code but what reading a type hint may run. Import it only once the bundle is importable.
"""

import inspect
import os
import typing

from .schemas import derived, derived_result, hints_of, schema_of

_CONTEXT_NAMES = ("ctx", "_ctx", "context", "_context", "_")


def location(fn, root):
    """``(file, line)`` of a function, the file relative to the snapshot; None for what lies elsewhere."""
    code = getattr(inspect.unwrap(fn), "__code__", None)
    if code is None:
        return None, None
    file = relative(code.co_filename, root)
    return file, code.co_firstlineno if file else None


def relative(filename, root):
    """The path below ``root``, or None."""
    path = os.path.realpath(os.path.join(root, filename))
    base = os.path.realpath(root) + os.sep
    return path[len(base):] if path.startswith(base) else None


def takes_context(fn):
    """Whether the function's first parameter is the SDK's context (by its name or its type's)."""
    try:
        first = next(iter(inspect.signature(fn).parameters.values()), None)
    except (TypeError, ValueError):
        return False
    if first is None or first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        return False
    hint = first.annotation if isinstance(first.annotation, str) else getattr(first.annotation, "__name__", "")
    return first.name in _CONTEXT_NAMES or hint.rpartition(".")[2] == "Context"


def input_schema(fn):
    """The schema of the second parameter of ``fn(ctx, payload)``."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return None
    if len(parameters) < 2:
        return None
    return schema_of(hints_of(fn).get(parameters[1].name))


def arguments_schema(fn):
    """The schema of the keyword arguments of an MCP tool's function."""
    from pydantic import create_model
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return None
    if takes_context(fn):
        parameters = parameters[1:]
    hints, fields, extra = hints_of(fn), {}, "forbid"
    for parameter in parameters:
        if parameter.kind == parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind != parameter.VAR_POSITIONAL:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (hints.get(parameter.name, typing.Any), default)
    try:
        return create_model(fn.__name__, __config__={"extra": extra}, **fields).model_json_schema()
    except Exception:
        return None


def _description(export, fn):
    text = getattr(export, "description", None)
    if not text and fn is not None:
        text = inspect.getdoc(fn)
    return text or None


def _common(kind, name, export, fn, root):
    file, line = location(fn, root) if fn is not None else (None, None)
    entry = {"kind": kind, "name": name, "description": _description(export, fn), "file": file, "line": line}
    if hasattr(export, "version"):
        entry["version"] = str(export.version)
    for member in ("tags", "allowed_actions", "allowed_routes"):
        if hasattr(export, member):
            entry[member] = [str(item) for item in (getattr(export, member) or ())]
    if hasattr(export, "output_schema"):
        entry["output_schema"] = schema_of(export.output_schema)
    if entry.get("output_schema") is None and fn is not None and kind != "router":
        entry["output_schema"] = derived_result(fn)
    return entry


def exports(registry, root):
    """The ``exports`` member of a ``ready`` frame, in the order of kind and name."""
    found = []
    for kind, table in (("tool", registry.tools), ("agent", registry.agents), ("flow", registry.flows), ("router", registry.routers)):
        for name in sorted(table):
            export = table[name]
            fn = export.fn if export.fn is not None else export.graph_builder
            entry = _common(kind, name, export, fn, root)
            entry["input_schema"] = (input_schema(export.fn) or derived(export.fn, True)) if export.fn is not None else None
            if export.fn is None:
                entry["output_schema"] = None  # of the builder it would be
            found.append(entry)
    for export in registry.http_handlers:
        entry = _common("http", "%s %s" % (export.method, export.path), export, export.fn, root)
        entry.update(method=export.method, path=export.path,
                     input_schema=None if export.method.upper() == "GET" else derived(export.fn, True))
        found.append(entry)
    for server_name in sorted(registry.mcp_servers):
        for tool in registry.mcp_servers[server_name].tools:
            export = registry.mcp_tools.get((server_name, tool)) or registry.tools.get(tool)
            fn = export.fn if export is not None else None
            entry = _common("mcp", "%s/%s" % (server_name, tool), export, fn, root)
            entry["server"] = server_name
            if (server_name, tool) in registry.mcp_tools:
                entry["input_schema"] = arguments_schema(fn)
            elif fn is not None:
                entry["input_schema"] = input_schema(fn) or derived(fn, True)
            found.append(entry)
    return found
