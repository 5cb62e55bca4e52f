"""Looks at what PostgreSQL's sessions do, many times a second, and at how its tables were read. Prints JSON.

Takes the plane's data folder and the seconds. A session seen running a statement counts for it; the share of looks is its share of
time. It is what pg_stat_statements would say, which the embedded server does not bring.
"""

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

from database import connect

INTERVAL = 0.02
TABLES = """select relname, seq_scan, seq_tup_read, coalesce(idx_scan, 0), coalesce(idx_tup_fetch, 0), n_tup_ins, n_tup_upd, n_tup_del,
    vacuum_count + autovacuum_count, analyze_count + autoanalyze_count, n_live_tup, n_dead_tup from pg_stat_user_tables"""
NAMES = ("seq_scans", "seq_rows", "index_scans", "index_rows", "inserted", "updated", "deleted", "vacuums", "analyzes")


def cpu_ticks() -> dict[int, int]:
    ticks = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                ticks[int(entry.name)] = int(fields[11]) + int(fields[12])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return ticks


def main() -> None:
    data, seconds = Path(sys.argv[1]), float(sys.argv[2])
    with connect(data) as db:
        before = {row[0]: row[1:] for row in db.execute(TABLES)}
        ticks = cpu_ticks()
        commits = db.execute("select sum(xact_commit) from pg_stat_database where datname = 'plane'").fetchone()[0]
        wal = db.execute("select wal_records, wal_bytes from pg_stat_wal").fetchone()
        looks, running, waiting = 0, Counter(), Counter()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for query, event, state, kind in db.execute(
                "select query, wait_event_type || ':' || wait_event, state, backend_type from pg_stat_activity "
                "where pid <> pg_backend_pid() and (state = 'active' or state like 'idle in%' or backend_type <> 'client backend')"
            ):
                if kind != "client backend":
                    if event is None:
                        running[kind] += 1
                    continue
                short = re.sub(r"\s+", " ", query)[:110]
                if state == "active" and event is None:
                    running[short] += 1
                else:
                    waiting[f"{event or state} | {short}"] += 1
            looks += 1
            time.sleep(INTERVAL)
        time.sleep(1)  # the counters of tables are told to the statistics at most once a second
        after = {row[0]: row[1:] for row in db.execute(TABLES)}
        later = db.execute("select wal_records, wal_bytes from pg_stat_wal").fetchone()
        spent = {pid: value - ticks.get(pid, 0) for pid, value in cpu_ticks().items()}
        kinds = dict(db.execute("select pid, backend_type from pg_stat_activity"))
        by_kind: Counter = Counter()
        for pid, kind in kinds.items():
            by_kind[kind] += spent.get(pid, 0)
        found = {
            "looks": looks,
            "running": [[query, count / looks] for query, count in running.most_common(20)],
            "waiting": [[query, count / looks] for query, count in waiting.most_common(20)],
            "tables": {
                table: {
                    **{name: now - then for name, now, then in zip(NAMES, row, before[table])},
                    "live": row[-2], "dead": row[-1],
                }
                for table, row in after.items() if row[:9] != before[table][:9]
            },
            "cpu_ticks_by_backend": dict(by_kind.most_common()),
            "commits": int(db.execute("select sum(xact_commit) from pg_stat_database where datname = 'plane'").fetchone()[0] - commits),
            "wal_records": int(later[0] - wal[0]),
            "wal_bytes": int(later[1] - wal[1]),
        }
    print(json.dumps(found))


main()
