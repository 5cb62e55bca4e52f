#!/usr/bin/env python3
"""The benchmark beside real peers. Started as ./plane bench, which finds a JDK and a Python; README.md says what is measured.

    ./plane bench                          the whole table and the further measurements, in the full form (about half an hour)
    ./plane bench table [--quick] [rows…]  some of them
    ./plane bench ways [--quick] [names…]  the ways in beside the plain call: queued, streamed, followed, gRPC
    ./plane bench profile [--quick] [--queued]  where the processor time and the allocations of a warm invoke go
    ./plane bench install                  only install what the peers need
    ./plane bench plots                    draw the plots again from the kept figures
"""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

from harness import further, integrations, machine, profile, table, tools, ways  # noqa: F401 (integrations register themselves)
from harness.loadgen import LoadGenerator
from harness.rows import ROWS


def measure(names: list[str], quick: bool, keep: bool = False) -> None:
    known = [*ROWS, *further.ALL]
    if unknown := [name for name in names if name not in known]:
        raise tools.Missing(f"there is no row {', '.join(unknown)}; there are: {' '.join(known)}")
    chosen = names or [*ROWS, *(name for name, one in further.ALL.items() if one.by_default)]
    document = table.run([name for name in ROWS if name in chosen], quick)
    more = [name for name in further.ALL if name in chosen]
    if more:
        with LoadGenerator() as load:
            document["further"] = further.run(more, quick, load)
    document["machine"]["load_at_end"] = machine.load()
    document["verdicts"] = table.verdicts(document)
    # Whole runs are kept beside the documentation, parts of one only when that is said: ratios are of one run.
    keep = keep or not names
    show(document, tools.RESULTS if keep else tools.WORK, f"{'table' if keep else 'some'}-{document['form']}")
    if keep:
        plots(document["form"])


def compare_ways(names: list[str], quick: bool, keep: bool) -> None:
    if unknown := [name for name in names if name not in ways.NAMES]:
        raise tools.Missing(f"there is no way {', '.join(unknown)}; there are: {' '.join(ways.NAMES)}")
    document = table.run([], quick)
    # Each says how long and how often by itself.
    del document["seconds"], document["rounds"]
    with LoadGenerator() as load:
        document["further"] = further.run([name for name in ways.NAMES if not names or name in names], quick, load)
    document["machine"]["load_at_end"] = machine.load()
    document["verdicts"] = table.verdicts(document)
    keep = keep or not (names or quick)
    show(document, tools.RESULTS.parent / "ways" if keep else tools.WORK, f"ways-{document['form']}")


def show(document: dict, folder: Path, name: str) -> None:
    text = table.show(document)
    tools.keep(f"{name}.json", document, folder)
    (folder / f"{name}.txt").write_text(text)
    print(text)


def profiled(quick: bool, connections: int, queued: bool) -> None:
    warm, seconds = (40, 15) if quick else (90, 30)
    found = profile.profile(warm, seconds, connections, queued)
    name = "profile-queued" if queued else "profile"
    tools.keep(f"{name}.json", found)
    text = profile.show(found)
    (tools.RESULTS / f"{name}.txt").write_text(text)
    print(text)


def plots(form: str) -> None:
    """Drawn by the peers' Python, which has matplotlib."""
    source = tools.RESULTS / f"table-{form}.json"
    if not source.exists():
        raise tools.Missing(f"{source} is not there: run ./plane bench first")
    print(tools.run(tools.python(), tools.BENCH / "harness/plots.py", source, tools.RESULTS), end="")


def install() -> None:
    for program in (tools.python, tools.restate_server, tools.opa):
        print(program())


def main() -> int:
    parser = argparse.ArgumentParser(prog="plane bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    one = commands.add_parser("table")
    one.add_argument("rows", nargs="*", metavar="row", help=" ".join([*ROWS, *further.ALL]))
    one.add_argument("--quick", action="store_true")
    one.add_argument("--keep", action="store_true", help="keep the figures of some rows as those of a whole run are kept")
    one = commands.add_parser("ways")
    one.add_argument("names", nargs="*", metavar="name", help=" ".join(ways.NAMES))
    one.add_argument("--quick", action="store_true")
    one.add_argument("--keep", action="store_true", help="keep the figures as those of a whole run in the full form are kept")
    one = commands.add_parser("profile")
    one.add_argument("--quick", action="store_true")
    one.add_argument("--connections", type=int, default=profile.CONNECTIONS)
    one.add_argument("--queued", action="store_true", help="of executions that are queued")
    commands.add_parser("install")
    commands.add_parser("plots").add_argument("form", nargs="?", default="full")
    arguments = parser.parse_args()
    # As Ctrl-C does it: what was started is ended, and its folders are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        match arguments.command:
            case "profile":
                profiled(arguments.quick, arguments.connections, arguments.queued)
            case "install":
                install()
            case "plots":
                plots(arguments.form)
            case "ways":
                compare_ways(arguments.names, arguments.quick, arguments.keep)
            case "table":
                measure(arguments.rows, arguments.quick, arguments.keep)
            case _:
                measure([], quick=False)
    except tools.Missing as e:
        tools.say(f"plane bench: {e}")
        return 1
    except subprocess.TimeoutExpired as e:
        tools.say(f"plane bench: {e}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
