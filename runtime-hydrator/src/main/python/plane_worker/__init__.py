"""The Python side of a worker: launcher, zygote, jail, and the adapter to ``aiel-runtime``.

Read ``docs/sandbox.md`` for the steps in order and ``docs/reference/worker-protocol.md`` for what the server sees of them.
Only the standard library is used up to the moment a jail is closed; the bundle is imported inside it.
"""

PROTOCOL = 1
