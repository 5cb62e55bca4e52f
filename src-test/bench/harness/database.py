"""How the bench looks into a plane's embedded PostgreSQL. Needs the peers' Python, which has a client."""

from pathlib import Path

import psycopg


def connect(data: Path) -> psycopg.Connection:
    lines = (data / "postgres/credentials.properties").read_text().splitlines()
    passwords = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    port = int((data / "postgres/data/postmaster.pid").read_text().splitlines()[3])
    return psycopg.connect(
        host="127.0.0.1", port=port, user="postgres", password=passwords["postgres"], dbname="plane", autocommit=True
    )
