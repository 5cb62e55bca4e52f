"""When, after an execution was asked for, each of its audit records was made: the median over the newest executions. Prints JSON.

Takes the plane's data folder and how many executions.
"""

import json
import sys
from pathlib import Path

from database import connect

QUERY = """
    with newest as (select id, requested_at, finished_at from executions where status = 'succeeded' order by id desc limit %s)
    select e.type, percentile_cont(0.5) within group (order by extract(epoch from e.time - n.requested_at) * 1000)
    from newest n join audit_events e on e.execution = n.id group by e.type, e.sequence order by e.sequence
"""


def main() -> None:
    with connect(Path(sys.argv[1])) as db:
        print(json.dumps([[kind, float(ms)] for kind, ms in db.execute(QUERY, (int(sys.argv[2]),))]))


main()
