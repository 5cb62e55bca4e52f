"""Fills a plane's tables: copies executions and audit records that were really made, under ids of their own, up to a count.

Run by the peers' Python, which has a PostgreSQL client. Takes the plane's data folder and the count.
"""

import json
import re
import sys
import time
from pathlib import Path

import psycopg
from database import connect


def main() -> None:
    data, count = Path(sys.argv[1]), int(sys.argv[2])
    with connect(data) as db:
        settle(db)
        copied = {
            "executions": copy(
                db, "executions", count,
                {"id": "'exec_' || md5(id || n::text)"},
                "status = 'succeeded'",
            ),
            "audit_events": copy(
                db, "audit_events", count,
                {
                    "stream": "'execution/exec_' || md5(execution || n::text)",
                    "id": "md5(id || n::text)",
                    "execution": "'exec_' || md5(execution || n::text)",
                    "time": "time - make_interval(secs => (n - {first} + 1) * 60)",
                },
                "stream like 'execution/%'",
            ),
        }
        db.execute("vacuum analyze executions")
        db.execute("vacuum analyze audit_events")
        db.execute("checkpoint")
    print(json.dumps(copied))


def settle(db: psycopg.Connection) -> None:
    """Until the outbox is empty: what is still on its way would be copied half."""
    for _ in range(300):
        if db.execute("select count(*) from audit_outbox").fetchone()[0] == 0:
            return
        time.sleep(0.1)
    raise SystemExit("the outbox is not empty after half a minute")


def copy(db: psycopg.Connection, table: str, count: int, changed: dict[str, str], which: str) -> int:
    """Repeats the rows that fit until the table has the count; the copies are older, so pages of the newest stay what they are."""
    columns = [name for (name,) in db.execute(
        "select column_name from information_schema.columns where table_name = %s and is_generated = 'NEVER' order by ordinal_position",
        (table,),
    )]
    assert all(re.fullmatch("[a-z_]+", name) for name in columns)
    present = db.execute(f"select count(*) from {table}").fetchone()[0]
    source = db.execute(f"select count(*) from {table} where {which}").fetchone()[0]
    if source == 0:
        raise SystemExit(f"nothing to copy in {table}")
    base = min(source, 5000)
    missing = count - present
    if missing > 0:
        repeats = missing // base + 1
        first = int(time.time() * 10) % 1_000_000_000
        values = ", ".join(changed.get(name, name).replace("{first}", str(first)) for name in columns)
        db.execute(
            f"insert into {table} ({', '.join(columns)}) select {values} "
            f"from (select * from {table} where {which} limit {base}) as made, generate_series({first}, {first + repeats - 1}) as n "
            f"limit {missing}"
        )
    return db.execute(f"select count(*) from {table}").fetchone()[0]


main()
