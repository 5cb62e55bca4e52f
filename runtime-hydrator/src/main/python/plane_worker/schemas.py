"""JSON Schemas of Python types, and what a function's signature says where its author gave no schema.

A derived schema has the member ``derived: true``. It tells a caller what to send and is checked by nobody: the runtime hands a handler
whatever object came, and what the handler makes of it (``"5"`` for an ``int``) is the handler's affair. Calls no user code but
what reading a type hint may run; nothing here raises. Import it only once the bundle is importable.
"""

import dataclasses
import inspect
import json
import typing

DERIVED = "derived"
# Longer ones are no help to a reader, and the registry would not take the snapshot.
_CHARACTERS_MAX = 65_536


def schema_of(hint):
    """The JSON Schema of a type, or None where the type says nothing (``dict``, ``Any``) or has none."""
    from pydantic import BaseModel, TypeAdapter
    if hint is None or hint is inspect.Parameter.empty or hint in (dict, list, object, typing.Any):
        return None
    if isinstance(hint, dict):
        return hint
    if typing.get_origin(hint) is dict and any(a is typing.Any for a in typing.get_args(hint)):
        return None
    try:
        if inspect.isclass(hint) and issubclass(hint, BaseModel):
            return hint.model_json_schema()
        if inspect.isclass(hint) and (dataclasses.is_dataclass(hint) or typing.is_typeddict(hint)):
            return TypeAdapter(hint).json_schema()
        if hint in (str, int, float, bool) or typing.get_origin(hint) is not None:
            return TypeAdapter(hint).json_schema()
    except Exception:  # a hint that pydantic cannot read is a hint for people, not an error
        return None
    return None


def hints_of(function):
    """The type hints of a function by name; empty where they cannot be read."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:
        return {}


def parameters_of(function):
    """The parameters of a function in their order; empty where they cannot be read."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def derived(function, skip_context):
    """What the one argument of ``function`` is, from its hint; None where nothing can be said.

    ``skip_context``: the argument is the second, after the SDK's context. A handler's argument is always an object.
    """
    parameters = parameters_of(function)[1 if skip_context else 0:]
    if not parameters:
        return None
    hint = hints_of(function).get(parameters[0].name, inspect.Parameter.empty)
    return _marked(_objects(schema_of_value(hint, "validation")))


def derived_result(function):
    """What ``function`` gives back, from its hint; None where nothing can be said."""
    hint = hints_of(function).get("return", inspect.Parameter.empty)
    return _marked(schema_of_value(hint, "serialization"))


def schema_of_value(hint, mode):
    """As :func:`schema_of`, also for types that say little; None for no hint, ``None`` and ``Any``."""
    if hint in (inspect.Parameter.empty, None, type(None), typing.Any, object):
        return None
    if isinstance(hint, dict) or hint in (dict, list):
        return {"type": "array"} if hint is list else dict(hint) if isinstance(hint, dict) else {"type": "object"}
    try:
        from pydantic import TypeAdapter
        return TypeAdapter(hint).json_schema(mode=mode)
    except Exception:
        return None


def _objects(schema):
    """The schema if objects can fit it; else the little that is always true."""
    if isinstance(schema, dict) and (schema.get("type") == "object" or any(k in schema for k in ("$ref", "anyOf", "oneOf", "allOf"))):
        return schema
    return {"type": "object"}


def _marked(schema):
    if not isinstance(schema, dict) or not schema:
        return None
    try:
        marked = {**schema, DERIVED: True}
        return marked if len(json.dumps(marked, allow_nan=False)) <= _CHARACTERS_MAX else None
    except (TypeError, ValueError, RecursionError):  # a default that is no JSON
        return None
