"""Calls an integration again and again and says how long each call took: pushed beside its entry point, and run as it is outside. Needs no package."""

import http.client
import json
import sys
import time
from urllib.parse import urlsplit


def ask(url: str, path: str, token: str, count: int) -> list[float]:
    """Milliseconds of each call, on one connection."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    took = []
    try:
        for _ in range(count):
            begin = time.perf_counter()
            connection.request("POST", path, '{"params": {"sql": "select 1 as one"}}', headers)
            answer = connection.getresponse()
            text = answer.read()
            took.append((time.perf_counter() - begin) * 1e3)
            if answer.status != 200 or json.loads(text).get("rows") != [{"one": 1}]:
                raise RuntimeError(f"a wrong answer: {answer.status} {text[:500]!r}")
    finally:
        connection.close()
    return took


if __name__ == "__main__":
    # The token comes by the way that nobody else can read.
    print(json.dumps(ask(sys.argv[1], sys.argv[2], sys.stdin.read().strip(), int(sys.argv[3]))))
