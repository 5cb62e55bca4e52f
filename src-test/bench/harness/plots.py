"""Draws the kept figures as SVG. Takes the JSON of a run and the folder to write to."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# Text stays text, and the same figures give the same bytes.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "plane", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})

from matplotlib import pyplot  # noqa: E402  (after the back end is chosen)

OURS, THEIRS = "#1b6ca8", "#b0b7bf"
SHORT = {"null": "null", "bare": "(a) FastAPI", "bare-tuned": "(a) tuned", "by-hand": "(b) by hand", "restate": "(c) Restate", "dbos": "(d) DBOS", "plane": "plane"}


def save(figure: pyplot.Figure, target: Path) -> None:
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})
    # The library ends lines with blanks; version control frowns at them.
    target.write_text("\n".join(line.rstrip() for line in target.read_text().splitlines()) + "\n")
    pyplot.close(figure)
    print(target)


def bars(axes, rows: dict, value, title: str, unit: str, log: bool = False) -> None:
    names = [name for name in rows if name != "null"]
    values = [value(rows[name]) for name in names]
    drawn = axes.barh([SHORT[name] for name in names], values, color=[OURS if name == "plane" else THEIRS for name in names])
    axes.bar_label(drawn, [f"{v:,.0f}" if v >= 100 else f"{v:.2g}" for v in values], padding=3)
    axes.set_title(title, loc="left")
    axes.set_xlabel(unit)
    axes.invert_yaxis()
    if log:
        axes.set_xscale("log")
    axes.margins(x=0.18)


def table(document: dict, folder: Path) -> None:
    rows = document["rows"]
    if not rows:
        return
    figure, ((one, two), (three, four)) = pyplot.subplots(2, 2, figsize=(9, 5.2))
    bars(one, rows, lambda row: row["levels"]["16"]["per_second"], "Throughput at 16 connections", "calls per second")
    bars(two, rows, lambda row: row["levels"]["1"]["p50_ms"], "Latency, one connection, p50", "ms, logarithmic", log=True)
    bars(three, rows, lambda row: row["levels"]["16"]["p99_ms"], "Latency at 16 connections, p99", "ms, logarithmic", log=True)
    bars(four, rows, lambda row: row["levels"]["16"]["cpu_us_per_call"], "Processor time per call at 16 connections", "us, all processes of the server's side")
    save(figure, folder / "peers.svg")


def lines(folder: Path, name: str, title: str, xlabel: str, ylabel: str, series: dict[str, tuple[list, list]], log: bool) -> None:
    figure, axes = pyplot.subplots(figsize=(5.6, 3.2))
    for label, (x, y) in series.items():
        axes.plot(x, y, marker="o", markersize=3, label=label)
    if log:
        axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_title(title, loc="left")
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if len(series) > 1:
        axes.legend(frameon=False)
    save(figure, folder / f"{name}.svg")


def further(document: dict, folder: Path) -> None:
    all_figures = {name: one["figures"] for name, one in document.get("further", {}).items() if "figures" in one}
    if growth := all_figures.get("growth"):
        x = [int(count) for count in growth]
        lines(folder, "growth", "Cost as tables grow", "rows in each table", "p50, ms", {
            "invoke": (x, [one["invoke"]["p50_ms"] for one in growth.values()]),
            "audit query": (x, [one["audit_query"]["p50_ms"] for one in growth.values()]),
        }, True)
    if warm := all_figures.get("warm-workers"):
        x = [one["workers"] for one in warm.values()]
        lines(folder, "warm-workers", "Memory of warm workers", "workers", "MiB in all (PSS)", {"": (x, [one["pss_mib"] for one in warm.values()])}, True)
    if rotation := all_figures.get("rotation"):
        x = [int(count) for count in rotation]
        lines(folder, "rotation", "Projects in rotation", "projects", "p50, ms", {"": (x, [one["p50_ms"] for one in rotation.values()])}, True)
    if soak := all_figures.get("soak"):
        samples = soak["memory_mib"]
        parts = sorted({part for sample in samples for part in sample if part != "at"})
        lines(folder, "soak", "Memory while 70 % of peak is served", "seconds", "MiB (PSS)", {
            part: ([sample["at"] for sample in samples], [sample.get(part, 0) for sample in samples]) for part in parts
        }, False)


def main() -> None:
    document, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    table(document, folder)
    further(document, folder)


main()
