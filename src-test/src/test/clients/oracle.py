"""Answers runner requests as ``python -m aiel_runtime.runner --files-root DIR`` does, many of them without starting Python
each time: the published runner is imported once, and each request runs its ``main()`` in a fork of that fresh process.

Standard input: one JSON document per line, {"name", "stdin", "limit_seconds"}. Standard output: one per line, in order:
{"name", "exit" (null when it had to be killed), "stdout"}.
"""

import json
import os
import select
import signal
import sys
import tempfile
import time

files_root = os.path.abspath(sys.argv[1])
os.chdir(files_root)
sys.path[0] = files_root  # what -m does

import aiel_runtime.runner as runner  # noqa: E402


def child(request):
    with tempfile.TemporaryFile() as stdin:
        stdin.write(request["stdin"].encode())
        stdin.seek(0)
        os.dup2(stdin.fileno(), 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.argv = ["runner.py", "--files-root", files_root]
    runner.main()


def answer(request):
    out = tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        os.dup2(out.fileno(), 1)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        code = 1
        try:
            child(request)
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
        finally:
            # What ends an interpreter: pending output, and threads that still run are waited for.
            import threading

            for thread in threading.enumerate():
                if thread is not threading.current_thread() and not thread.daemon:
                    thread.join()
            sys.stdout.flush()
            os._exit(code)
    pidfd = os.pidfd_open(pid)
    ended, _, _ = select.select([pidfd], [], [], request["limit_seconds"])
    if not ended:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(pidfd)
    out.seek(0)
    text = out.read().decode("utf-8", "replace")
    return {"name": request["name"], "exit": os.waitstatus_to_exitcode(status) if ended else None, "stdout": text}


# Not splitlines(): JSON text may hold U+2028, which is a line's end to Python alone.
for line in sys.stdin.buffer.read().decode().strip().split("\n"):
    print(json.dumps(answer(json.loads(line))), flush=True)
