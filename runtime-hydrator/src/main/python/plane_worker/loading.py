"""Loads a snapshot once, with the runtime's own loader, and says what is wrong with it by file and line.

The steps are those of ``aiel_runtime.loader.load_snapshot``; they are called one by one because a worker keeps what was
imported (the runner drops it), and because the scan and the hash of a snapshot that was validated before need not be repeated.
"""

import ast
import importlib.metadata
import os
import sys
import time
import traceback
from pathlib import Path
from uuid import uuid4

from aiel_runtime import loader
from aiel_runtime.security import ImportPolicy, enforce_import_policy, scan_import_roots_with_sources
from aiel_sdk import ContractViolation, get_registry, reset_registry, validate_contracts

from . import exports


class LoadFailed(Exception):
    """A snapshot that cannot serve. ``errors``: the ``errors`` member of a ``load_failed`` frame."""

    def __init__(self, errors):
        super().__init__("; ".join(e["message"] for e in errors))
        self.errors = errors


class Loaded:
    """A snapshot in memory: its id, its folder, and how long each step took."""

    def __init__(self, root, snapshot_id):
        self.root = root
        self.snapshot_id = snapshot_id
        self.module = None
        self.hash_ms = self.import_ms = self.validate_ms = self.total_ms = 0


def error(code, message, file=None, line=None):
    return {"code": code, "message": message, "file": file, "line": line}


def load(folder, verdict=None):
    """Imports ``folder``'s entry point. ``verdict`` (``{"snapshot_id": …}``): it was checked before, its id is known.

    Raises :class:`LoadFailed`.
    """
    started = time.monotonic()
    root = Path(folder).resolve()
    if not (root / "entry_point.py").is_file():
        raise LoadFailed([error("ENTRY_POINT_MISSING", "the snapshot has no entry_point.py in its top folder", "entry_point.py")])
    if verdict:
        loaded = Loaded(root, verdict["snapshot_id"])
    else:
        loaded = Loaded(root, loader.compute_snapshot_id(root))
        loaded.hash_ms = _since(started)
        problems = _check_imports(root) + _check_requirements(root)
        if problems:
            raise LoadFailed(problems)
    reset_registry()
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    name = "aiel_snapshot_%s_%s" % (loaded.snapshot_id[:8], uuid4().hex[:8])
    step = time.monotonic()
    try:
        loader._import_entrypoint(root, name)
    except MemoryError:  # not a finding in the code: a limit was hit, and is reported as one
        raise
    except BaseException as problem:  # SystemExit too: a snapshot that ends the process on import cannot serve
        raise LoadFailed([_import_error(problem, root)]) from None
    loaded.import_ms = _since(step)
    step = time.monotonic()
    problems = _check_contracts(root)
    if not verdict:
        problems += _check_routes(root) + _check_schemas(root)
    if problems:
        raise LoadFailed(problems)
    loaded.validate_ms = _since(step)
    # What ``execute`` and the snapshot's own modules import by this name is the module that was loaded.
    loaded.module = sys.modules[name]
    sys.modules.setdefault("entry_point", loaded.module)
    loaded.total_ms = _since(started)
    return loaded


def _since(moment):
    return int((time.monotonic() - moment) * 1000)


def _check_imports(root):
    policy = ImportPolicy()
    try:
        enforce_import_policy(root, policy)
    except PermissionError:
        return _denied_imports(root, policy)
    except SyntaxError as problem:
        return [_import_error(problem, root)]
    except (ValueError, RecursionError) as problem:  # null bytes, or nesting beyond the parser
        return [error("SYNTAX_ERROR", "a source file cannot be parsed: %s" % problem)]
    return []


def _denied_imports(root, policy):
    denied, found = policy.denied_roots(), []
    files = {path for name, paths in scan_import_roots_with_sources(root).items() if name in denied for path in paths}
    for path in sorted(files):
        tree = ast.parse(Path(path).read_text(encoding="utf-8", errors="replace"), filename=path)
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for name in names:
                if name.split(".")[0] in denied:
                    found.append(error("IMPORT_DENIED", "import of %s is not allowed" % name, exports.relative(path, root), node.lineno))
    return found


def _check_requirements(root):
    path = root / "requirements.txt"
    if not path.is_file():
        return []
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
    problems, number = [], 0
    installed = None
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\r\n", " ").replace("\\\n", " ")
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("-"):
            problems.append(error("REQUIREMENT_INVALID", "options are not supported in requirements: %s" % line.split()[0],
                                  "requirements.txt", number))
            continue
        try:
            wanted = Requirement(line.split(" --hash")[0].strip())
        except InvalidRequirement as problem:
            problems.append(error("REQUIREMENT_INVALID", "cannot be read: %s" % str(problem).splitlines()[0], "requirements.txt", number))
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        if wanted.url:
            problems.append(error("REQUIREMENT_INVALID", "%s: requirements by URL are not supported" % wanted.name,
                                  "requirements.txt", number))
            continue
        if installed is None:
            installed = {canonicalize_name(d.metadata["Name"]): d.version for d in importlib.metadata.distributions()
                         if d.metadata["Name"]}
        version = installed.get(canonicalize_name(wanted.name))
        if version is None:
            problems.append(error("REQUIREMENT_UNSATISFIED", "%s is not in the worker bundle" % wanted.name, "requirements.txt", number))
        elif not wanted.specifier.contains(version, prereleases=True):
            problems.append(error("REQUIREMENT_UNSATISFIED", "%s%s is wanted, the worker bundle has %s"
                                  % (wanted.name, wanted.specifier, version), "requirements.txt", number))
    return problems


def _import_error(problem, root):
    if isinstance(problem, SyntaxError):
        file = exports.relative(problem.filename, root) if problem.filename else None
        return error("SYNTAX_ERROR", problem.msg or "invalid syntax", file, problem.lineno)
    file = line = None
    for frame in reversed(traceback.extract_tb(problem.__traceback__)):
        file = exports.relative(frame.filename, root)
        if file is not None:
            line = frame.lineno
            break
    if isinstance(problem, ContractViolation):
        return error("CONTRACT_VIOLATION", str(problem), file, line)
    if isinstance(problem, ImportError):
        return error("IMPORT_ERROR", str(problem), file, line)
    return error("IMPORT_FAILED", "%s: %s" % (type(problem).__name__, _text(problem)), file, line)


def _text(problem):
    try:
        return str(problem)[:2000]
    except Exception:
        return "(its text cannot be had)"


def _check_contracts(root):
    try:
        validate_contracts()
        return []
    except ContractViolation as problem:
        kind, _, name = str(problem).split(" must ")[0].partition(":")
        export = getattr(get_registry(), kind + "s", {}).get(name)
        file, line = exports.location(export.fn, root) if export is not None else (None, None)
        return [error("CONTRACT_VIOLATION", str(problem), file, line)]
    except Exception as problem:
        return [error("CONTRACT_VIOLATION", "%s: %s" % (type(problem).__name__, _text(problem)))]


def _check_routes(root):
    seen, problems = set(), []
    for handler in get_registry().http_handlers:
        route = (handler.method.upper(), handler.path)
        if route in seen:
            file, line = exports.location(handler.fn, root)
            problems.append(error("DUPLICATE_ROUTE", "%s %s is exported more than once" % route, file, line))
        seen.add(route)
    return problems


def _check_schemas(root):
    registry, problems, validator = get_registry(), [], None
    for kind, table in (("tool", registry.tools), ("agent", registry.agents), ("mcp", registry.mcp_tools)):
        for name, export in table.items():
            schema = export.output_schema
            if not isinstance(schema, dict):
                continue
            if validator is None:
                from jsonschema import Draft202012Validator as validator
                from jsonschema.exceptions import SchemaError
            try:
                validator.check_schema(schema)
            except SchemaError as problem:
                file, line = exports.location(export.fn, root)
                label = "/".join(name) if isinstance(name, tuple) else name
                problems.append(error("SCHEMA_INVALID", "output_schema of %s %s: %s at %s"
                                      % (kind, label, problem.message, problem.json_path), file, line))
    return problems
