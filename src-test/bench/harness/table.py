"""The table: every row started, warmed up and asked in the same way, one after another, in one run."""

import datetime
import os
import platform

from . import machine, tools
from .loadgen import LoadGenerator
from .rows import ROWS, Row

LEVELS = (1, 16, 64)


class Form:
    """How long and how often: the full form is what is kept, the quick one is for looking."""

    def __init__(self, quick: bool) -> None:
        self.name = "quick" if quick else "full"
        self.rounds = 1 if quick else 3
        self.seconds = 4.0 if quick else 10.0
        # The plane's server and Restate's are compiled or fill caches while they run; Python is as fast at once.
        self.warm = {"null": 4.0, "plane": 25.0} if quick else {"null": 10.0, "bare": 10.0, "bare-tuned": 10.0, "by-hand": 10.0, "plane": 90.0}
        self.warm_otherwise = 5.0 if quick else 20.0

    def warm_seconds(self, name: str) -> float:
        return self.warm.get(name, self.warm_otherwise)


def measure(row: Row, load: LoadGenerator, form: Form) -> dict:
    request = row.request()
    load.run([request], 16, form.warm_seconds(row.name))
    levels: dict[str, dict] = {}
    for round_number in range(form.rounds):
        for level in LEVELS:
            before = machine.cpu_seconds(row.processes())
            busy = machine.busy_seconds()
            found = load.run([request], level, form.seconds)
            server = machine.cpu_seconds(row.processes()) - before
            others = machine.busy_seconds() - busy - server - found["generator_cpu_seconds"]
            found.update(
                cpu_us_per_call=server / found["completed"] * 1e6,
                generator_cpu_us_per_call=found["generator_cpu_seconds"] / found["completed"] * 1e6,
                # How many processors everybody else used meanwhile: a figure taken beside other work says so.
                processors_used_by_others=max(0.0, others / form.seconds),
                load=machine.load(),
                round=round_number,
            )
            best = levels.get(str(level))
            if best is None or better(found, best, level):
                levels[str(level)] = found
    return {"title": row.title, "levels": levels, "memory": row.memory()}


def better(found: dict, best: dict, level: int) -> bool:
    """The best round as a whole, so that a p99 belongs to the throughput beside it."""
    return found["p50_ms"] < best["p50_ms"] if level == 1 else found["per_second"] > best["per_second"]


def run(names: list[str], quick: bool) -> dict:
    form = Form(quick)
    document = {
        "form": form.name,
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "revision": tools.revision(),
        "machine": {"processors": os.cpu_count(), "model": model(), "kernel": platform.release(), "load_at_begin": machine.load()},
        "seconds": form.seconds,
        "rounds": form.rounds,
        "rows": {},
        "not_measured": {},
    }
    with LoadGenerator() as load:
        document["machine"]["generator_comes_first"] = load.comes_first
        for name in names:
            tools.say(f"{name} …")
            try:
                with ROWS[name]() as row:
                    document["rows"][name] = measure(row, load, form)
            except (tools.Missing, RuntimeError, OSError) as e:
                # One that fails says so in the table; the others are still worth having.
                document["not_measured"][name] = str(e)
                tools.say(f"  not measured: {e}")
    document["machine"]["load_at_end"] = machine.load()
    return document


def model() -> str:
    with open("/proc/cpuinfo") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


# --- What is promised -------------------------------------------------------------------------------------------------


def verdicts(document: dict) -> list[dict]:
    """The targets, each with what was measured; a target whose rows were not measured is left out."""
    rows = document["rows"]
    found: list[dict] = []

    def value(name: str, level: int, key: str) -> float | None:
        return rows.get(name, {}).get("levels", {}).get(str(level), {}).get(key)

    def ratio(text: str, level: int, key: str, peer: str, limit: float, at_most: bool) -> None:
        ours, theirs = value("plane", level, key), value(peer, level, key)
        if ours is not None and theirs:
            found.append(verdict(text, ours / theirs, limit, at_most, "×"))

    ratio("p50, one connection, against (b)", 1, "p50_ms", "by-hand", 1.5, True)
    ratio("throughput at 16 against (b)", 16, "per_second", "by-hand", 1.5, False)
    ratio("throughput at 16 against (a)", 16, "per_second", "bare", 0.4, False)
    ratio("throughput at 16 against (c)", 16, "per_second", "restate", 4.0, False)
    ratio("throughput at 16 against (d)", 16, "per_second", "dbos", 8.0, False)
    ratio("p99 at 16 against (b)", 16, "p99_ms", "by-hand", 1.0, True)
    memory = rows.get("plane", {}).get("memory", {})
    if "server_rss_mib" in memory:
        found.append(verdict("server's RSS after the load", memory["server_rss_mib"], 400, True, "MiB"))
    for figures in document.get("further", {}).values():
        found.extend(figures.get("verdicts", []))
    return found


def verdict(text: str, value: float, limit: float, at_most: bool, unit: str) -> dict:
    met = value <= limit if at_most else value >= limit
    return {"target": text, "wanted": f"{'≤' if at_most else '≥'} {limit:g} {unit}", "value": value, "unit": unit, "met": met}


# --- How it is shown --------------------------------------------------------------------------------------------------


def show(document: dict) -> str:
    where = document["machine"]
    lines = [
        f"{document['at']}  {document['revision']}  {document['form']} form"
        + (f", best of {document['rounds']} × {document['seconds']:g} s" if "rounds" in document else ""),
        f"{where['processors']} processors ({where['model']}), load {where['load_at_begin']:.1f} at the begin, "
        f"{where['load_at_end']:.1f} at the end",
        "",
    ]
    if document["rows"] or document["not_measured"]:
        lines += rows_of(document)
    for name, figures in document.get("further", {}).items():
        lines += ["", f"{name}: {figures['title']}"]
        lines += [f"  {line}" for line in figures["lines"]]
    found = verdicts(document)
    if found:
        lines += ["", "Targets:"]
        for one in found:
            text = f"{one['value']:.2f}" if one["value"] < 100 else f"{one['value']:.0f}"
            lines.append(f"  {'met   ' if one['met'] else 'MISSED'}  {one['target']:44} {text:>8} {one['unit']:4} wanted {one['wanted']}")
    return "\n".join(lines) + "\n"


def rows_of(document: dict) -> list[str]:
    lines = [
        f"{'':44} {'one connection':>17}   {'16 connections':>26}   {'64 connections':>26}   {'':>6}",
        f"{'':44} {'p50 ms':>8} {'p99 ms':>8}   {'/s':>8} {'p99 ms':>8} {'cpu us':>8}   {'/s':>8} {'p99 ms':>8} {'cpu us':>8}   "
        f"{'MiB':>6} {'others':>6}",
    ]
    for row in document["rows"].values():
        one, some, many = (row["levels"][str(level)] for level in LEVELS)
        others = max(level["processors_used_by_others"] for level in row["levels"].values())
        lines.append(
            f"{row['title']:44} {one['p50_ms']:8.2f} {one['p99_ms']:8.2f}   {some['per_second']:8.0f} {some['p99_ms']:8.1f} "
            f"{some['cpu_us_per_call']:8.0f}   {many['per_second']:8.0f} {many['p99_ms']:8.1f} {many['cpu_us_per_call']:8.0f}   "
            f"{row['memory']['all_pss_mib']:6.0f} {others:6.2f}"
        )
    for name, why in document["not_measured"].items():
        lines.append(f"{ROWS[name].title:44} not measured: {why}")
    return [
        *lines,
        "",
        "cpu us: processor time per call of all processes on the server's side. MiB: their memory after the load, shared pages",
        "once (PSS). others: the most processors that anything else on the machine used while a figure was taken.",
    ]
