"""What the machine says about processes: processor time, memory, who descends from whom. Linux's /proc, nothing else."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name may hold blanks and brackets; fields count from behind the last one.
    return text.rpartition(")")[2].split()


def tree(roots: Iterable[int]) -> list[int]:
    """The processes and all that descend from them, now."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    waiting = [root for root in roots if _stat(root)]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, []))
    return found


def parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of the processes and of their children that ended and were waited for."""
    ticks = 0
    for pid in pids:
        if fields := _stat(pid):
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS_PER_SECOND


def cpu_by_part(roots: Iterable[int], part_of: Callable[[str], str]) -> dict[str, float]:
    parts: dict[str, float] = {}
    for pid in tree(roots):
        part = part_of(command_of(pid))
        parts[part] = parts.get(part, 0.0) + cpu_seconds([pid])
    return parts


def rollup(pid: int) -> dict[str, int]:
    """smaps_rollup in KiB, with private memory summed; empty when the process is gone or a kernel thread."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return {}
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    values["Private"] = values.get("Private_Clean", 0) + values.get("Private_Dirty", 0)
    return values


def memory_mib(pids: Iterable[int], what: str) -> float:
    """Sum of a smaps_rollup value; Pss counts shared pages once over all that share them."""
    return sum(rollup(pid).get(what, 0) for pid in pids) / 1024


def come_first(pid: int) -> bool:
    """Has the session of ``pid`` come before others where the kernel shares processors out by session (sched(7), autogroup). False where it does not."""
    try:
        Path(f"/proc/{pid}/autogroup").write_text("-15")
        return True
    except OSError:
        return False


def load() -> float:
    return os.getloadavg()[0]


def other_cpu_share(seconds: float, ours: Callable[[], float]) -> float:
    """How many processors all others used during an interval; ours() is the processor time of our own processes."""
    begin_all, begin_ours, begin = busy_seconds(), ours(), time.monotonic()
    time.sleep(seconds)
    return (busy_seconds() - begin_all - (ours() - begin_ours)) / (time.monotonic() - begin)


def busy_seconds() -> float:
    """Processor time that the whole machine was not idle, all processors summed."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle = fields[3] + fields[4]
    # guest time is contained in user time already
    return (sum(fields[:8]) - idle) / TICKS_PER_SECOND
