"""Entry of the Python side: ``python3 -I -S -B launcher.py --config <fd or path>`` or ``--probe``.

Three processes come of it. The *launcher* (the server's child) makes the cgroups, forks the zygote and removes the cgroups when it
ended. The *sweeper* waits for the launcher's end and removes the cgroups if the launcher was killed. The *zygote* is process 1 of a
process namespace in tier ``namespaces``: when it ends, for whatever reason, the kernel ends all workers.
"""

import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from plane_worker import cgroups, frames, gvisor, jail as jails, syscalls  # noqa: E402

sys.path.pop(0)

# All that a process here has for an environment. Nothing of the server's.
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "PATH": "", "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}


def main():
    if sys.version_info < (3, 10):
        sys.exit("Python 3.10 or later is needed, this is %s" % sys.version.split()[0])
    if dict(os.environ) != _ENVIRONMENT:
        # Not only cleared: started anew, so that no copy of the old one is left in the memory that workers inherit.
        os.execve(sys.executable, [sys.executable, "-I", "-S", "-B", os.path.abspath(__file__)] + sys.argv[1:], _ENVIRONMENT)
    arguments = sys.argv[1:]
    if arguments and arguments[0] == "--probe":
        from plane_worker import probe
        print(json.dumps(probe.probe(arguments[1:]) if arguments[1:] else probe.probe(), indent=2))
        return 0
    if len(arguments) != 2 or arguments[0] != "--config":
        sys.stderr.write("usage: launcher.py --config <fd or path> | --probe [tier …]\n")
        return 64
    try:
        config = read_config(arguments[1])
    except (OSError, ValueError) as problem:
        return start_failed("configuration: %s" % problem)
    return launch(config)


def read_config(where):
    """The configuration from an open descriptor's number or a path."""
    with open(int(where) if where.isdigit() else where, encoding="utf-8") as file:
        config = json.load(file)
    for member in ("tier", "store", "bundle", "socket"):
        if not isinstance(config.get(member), str):
            raise ValueError("member %r must be a string" % member)
    return config


def start_failed(reason):
    os.write(1, frames.encode({"type": "start_failed", "reason": reason}))
    return 1


def launch(config):
    """Builds everything, waits for the zygote, cleans up. Returns the exit code."""
    os.umask(0o022)
    syscalls.scrub_command_line()
    syscalls.limit_malloc_arenas(2)
    groups = None
    try:
        if config["tier"] != "none":
            groups, why = cgroups.create()
            if groups is None:
                sys.stderr.write("no cgroups, limits hold per process instead: %s\n" % why)
        jail = gvisor.Sandboxes(config, groups) if config["tier"] == "gvisor" else jails.Jail(config, groups)
        sweeper = start_sweeper(groups)
        jail.enter_outer()
        launcher_pid = os.getpid()
        zygote = os.fork()
    except (OSError, jails.StartFailed, ValueError) as problem:
        if groups is not None:
            groups.remove()
        return start_failed(str(problem))
    if zygote == 0:
        run_zygote(jail, sweeper, launcher_pid)

    def end(*_):
        os.kill(zygote, signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    # A terminal's Ctrl-C reaches the whole group; the server drains first and then ends the channel.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Only the zygote holds the channel: its end must be seen by the server.
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    _, status = os.waitpid(zygote, 0)
    if groups is not None:
        groups.remove()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def start_sweeper(groups):
    """Forks the process that removes the cgroups when the launcher is killed. Returns our end of the pipe to it."""
    if groups is None:
        return None
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        try:
            os.setsid()
            groups.close()
            os.closerange(0, read_end)
            os.closerange(read_end + 1, 1 << 16)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.read(read_end, 1)
            groups.remove()
        finally:
            os._exit(0)
    os.close(read_end)
    return write_end


def run_zygote(jail, sweeper, launcher_pid):
    """In the zygote: the jail, the bundle, the loop. Never returns."""
    status = 1
    try:
        if sweeper is not None:
            os.close(sweeper)
        if syscalls.supported():
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()  # and what a terminal sends reaches neither the zygote nor a worker
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        from plane_worker import zygote
        jail.close()
        if jail.tier not in ("namespaces", "gvisor") and os.getppid() != launcher_pid:
            os._exit(0)
        versions = jail.preload() if jail.tier == "gvisor" else zygote.preload(jail)
        jail.seal()
        if syscalls.supported():
            # Dropping capabilities clears this.
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        server = zygote.Zygote(jail, _ENVIRONMENT)
    except Exception as problem:
        start_failed("%s" % problem if isinstance(problem, (OSError, jails.StartFailed)) else
                     "%s: %s" % (type(problem).__name__, problem))
        os._exit(1)
    try:
        server.serve(versions)
        status = 0
    except frames.ProtocolError as problem:
        sys.stderr.write("protocol error from the server: %s\n" % problem)
        status = 71
    except BrokenPipeError:
        status = 0
    except BaseException:
        import traceback
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
