"""Attempts on secrets: the server's, other executions', other workers'.

``needles`` in the event are secrets with each byte changed by 0x55, so that none of them comes into this process by being named;
where one is found in our memory, somebody else left it there.
"""

import os

from attempts import X86, attempt, call, ctypes, first_readable, others

_CHANGED = bytes(b ^ 0x55 for b in range(256))


def _regions():
    """Pieces of our own memory that can be read: by the kernel's table, else by trying around what we know to be there."""
    try:
        with open("/proc/self/maps", encoding="ascii", errors="replace") as table:
            for line in table:
                span, rights = line.split()[:2]
                low, high = (int(part, 16) for part in span.split("-"))
                if rights[0] == "r" and "[v" not in line and high - low < 1 << 29:
                    yield low, high
        return
    except OSError:
        pass
    for near in (id(_CHANGED), id({}), ctypes.addressof(ctypes.c_long(0)), id(os.environ)):
        low = near & ~((16 << 20) - 1)
        yield low, low + (16 << 20)


def _bytes_of(low, high):
    """What is there, page by page where some of it cannot be read: the kernel is asked by write(), which tells and does not crash."""
    left, right = os.pipe()
    os.set_blocking(right, False)
    try:
        for at in range(low, high, 32768):
            size = min(32768, high - at)
            try:
                written = call(1 if X86 else 64, right, at, size)
            except OSError:
                continue
            yield os.read(left, written)
    finally:
        os.close(left)
        os.close(right)


@attempt("own_memory")
def own_memory(event):
    """Copies of secrets in what was inherited from the zygote, or left by an earlier call."""
    needles = [bytes.fromhex(text) for text in event.get("needles") or ()]
    looked = 0
    for low, high in list(_regions()):
        before = b""
        for piece in _bytes_of(low, high):
            looked += len(piece)
            changed = (before + piece).translate(_CHANGED)
            for number, needle in enumerate(needles):
                if needle in changed:
                    return "secret %d is in our memory at %x" % (number, low)
            before = piece[-256:]
    return None if looked > 1 << 20 else "looked at %d bytes only, which proves nothing" % looked


@attempt("others_memory")
def others_memory(event):
    """Memory and environment of the zygote, the server and whoever is in sight."""
    pids = others() + [os.getppid(), 1, int(event.get("pid") or 1)]
    own = {os.getpid()}
    return first_readable(["/proc/%d/%s" % (pid, name) for pid in pids if pid not in own for name in ("environ", "mem", "auxv", "stack", "syscall")])


@attempt("own_environment")
def own_environment(event):
    """Names in the environment that tell of the server, of databases, of clouds."""
    telling = ("PLANE", "QUARKUS", "PG", "KAFKA", "AWS", "GOOGLE", "AZURE", "SECRET", "PASSWORD", "JAVA", "SSH", "USER", "LOGNAME", "PWD")
    found = sorted(k for k in os.environ if k.startswith(telling))
    for path in ("/proc/self/environ", "/proc/thread-self/environ"):
        try:
            with open(path, "rb") as file:
                found += [part.split(b"=")[0].decode() for part in file.read().split(b"\0") if part.startswith(tuple(t.encode() for t in telling))]
        except OSError:
            pass
    return "environment has %s" % found if found else None


@attempt("credential_files")
def credential_files(event):
    """Where programs keep credentials."""
    homes = {os.path.expanduser("~root"), "/root", "/home", "/tmp", os.environ.get("HOME", "/tmp")}
    names = (".aws/credentials", ".config/gcloud/credentials.db", ".kube/config", ".docker/config.json", ".ssh/id_rsa", ".pgpass", ".netrc",
             ".config/aiel/credentials.json", ".bash_history")
    paths = [os.path.join(home, name) for home in homes for name in names]
    return first_readable(paths + ["/var/run/secrets/kubernetes.io/serviceaccount/token", "/run/secrets/token", "/run/docker.sock",
                                   "/etc/kubernetes/admin.conf", "/proc/1/environ", "/proc/cmdline", "/proc/keys"])


@attempt("leftovers_of_calls")
def leftovers_of_calls(event):
    """What an earlier call of another caller left in this worker: environment and credentials of its execution."""
    given = os.environ.get("AIEL_TOKEN", "")
    import gc
    for thing in gc.get_objects():
        if type(thing) is dict and "AIEL_TOKEN" in thing:
            try:
                value = thing["AIEL_TOKEN"]
            except Exception:
                continue
            if isinstance(value, str) and value and value != given:
                return "another call's token is still here"
    return None


@attempt("kernel_addresses")
def kernel_addresses(event):
    """Where the kernel is in memory, and which system this is."""
    return first_readable(["/proc/kallsyms", "/proc/kcore", "/proc/modules", "/proc/iomem", "/proc/version", "/proc/config.gz", "/proc/cpuinfo",
                           "/sys/kernel/notes", "/proc/self/pagemap", "/proc/kpageflags", "/proc/sched_debug", "/proc/timer_list",
                           "/proc/self/stack", "/proc/self/syscall", "/proc/diskstats", "/proc/meminfo", "/proc/loadavg"])
