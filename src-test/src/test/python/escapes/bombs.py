"""What uses things up: each tool takes as much of one thing as it gets. They answer with how much that was, or not at all.

Run one at a time, and never where nothing limits them.
"""

import array
import asyncio
import mmap
import os
import re
import select
import signal
import socket
import sys
import threading
import time

from aiel_sdk import tool


@tool("well")
def well(ctx, payload):
    return {"well": True}


def bomb(fn):
    return tool(fn.__name__)(fn)


def _until_refused(make, most):
    held = []
    try:
        while len(held) < most:
            held.append(make())
    except (OSError, RuntimeError, ValueError) as problem:
        return {"made": len(held), "refused": "%s: %s" % (type(problem).__name__, problem)}
    finally:
        for thing in held:
            if isinstance(thing, int):
                os.close(thing)
            elif hasattr(thing, "close"):
                thing.close()
    return {"made": len(held), "refused": None}


@bomb
def forks(ctx, payload):
    """As a fork bomb does it: every child goes on."""
    made = 0
    for _ in range(3000):
        try:
            if os.fork() == 0:
                continue
            made += 1
        except OSError:
            break
    return {"made": made, "limit": 0}


@bomb
def threads(ctx, payload):
    stop = threading.Event()
    try:
        for _ in range(5000):
            threading.Thread(target=stop.wait, daemon=True).start()
    finally:
        stop.set()
    return {"made": 5000, "limit": 0}


@bomb
def memory(ctx, payload):
    held = []
    while True:
        held.append(bytearray(b"x" * (4 << 20)))


@bomb
def memory_in_threads(ctx, payload):
    held = []

    def eat():
        while True:
            held.append(bytearray(b"x" * (1 << 20)))

    for _ in range(4):
        threading.Thread(target=eat, daemon=True).start()
    eat()


@bomb
def memory_of_small_things(ctx, payload):
    held = []
    while True:
        held.append({"a": [len(held)], "b": str(len(held))})


@bomb
def memory_mapped(ctx, payload):
    held = []
    while True:
        block = mmap.mmap(-1, 8 << 20)
        for at in range(0, len(block), 4096):
            block[at] = 1
        held.append(block)


@bomb
def one_number(ctx, payload):
    x = 2
    while True:
        x = x * x


@bomb
def scratch_full(ctx, payload):
    block, written = b"\0" * (1 << 20), 0
    try:
        with open("/tmp/full", "wb") as file:
            while written < 1 << 30:
                file.write(block)
                written += len(block)
    except OSError:
        pass
    finally:
        if os.path.exists("/tmp/full"):
            os.unlink("/tmp/full")
    return {"made": written, "limit": 24 << 20}


@bomb
def scratch_inodes(ctx, payload):
    made = 0
    try:
        for made in range(100000):
            os.close(os.open("/tmp/i%d" % made, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        pass
    finally:
        for number in range(made):
            os.unlink("/tmp/i%d" % number)
    return {"made": made, "limit": 20000}


@bomb
def scratch_depth(ctx, payload):
    """Landlock looks at each folder above: deeper than this it is the processor time that is used up."""
    made = 0
    here = os.getcwd()
    try:
        os.chdir("/tmp")
        while made < 2000:
            os.mkdir("d")
            os.chdir("d")
            made += 1
    except OSError:
        pass
    finally:
        for _ in range(made):
            os.chdir("..")
            os.rmdir("d")
        os.chdir(here)
    return {"made": made, "limit": 20000}


@bomb
def sparse_file(ctx, payload):
    try:
        fd = os.open("/tmp/sparse", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return {"made": 0, "limit": 0}
    try:
        size = 0
        for exponent in range(20, 60):
            os.ftruncate(fd, 1 << exponent)
            size = 1 << exponent
        return {"made": size, "limit": 64 << 20}
    except OSError:
        return {"made": size, "limit": 64 << 20}
    finally:
        os.close(fd)
        os.unlink("/tmp/sparse")


@bomb
def descriptors(ctx, payload):
    return {**_until_refused(lambda: os.open("/dev/null", os.O_RDONLY), 100000), "limit": 256}


@bomb
def pipes(ctx, payload):
    """Each pipe may hold a megabyte in the kernel."""
    import fcntl
    held = []

    def make():
        left, right = os.pipe()
        held.append(left)
        try:
            fcntl.fcntl(right, 1031, 1 << 20)
        except OSError:
            pass
        os.set_blocking(right, False)
        try:
            while True:
                os.write(right, b"x" * 65536)
        except BlockingIOError:
            pass
        return right

    try:
        return {**_until_refused(make, 100000), "limit": 256}
    finally:
        for fd in held:
            os.close(fd)


@bomb
def socket_buffers(ctx, payload):
    kept = []

    def make():
        left, right = socket.socketpair()
        kept.append(right)
        left.setblocking(False)
        try:
            while True:
                left.send(b"x" * 65536)
        except BlockingIOError:
            pass
        return left

    try:
        return {**_until_refused(make, 100000), "limit": 256}
    finally:
        for s in kept:
            s.close()


@bomb
def waiters(ctx, payload):
    """eventfd, timerfd and epoll, each in each."""
    events = []

    def make():
        events.append(os.eventfd(0))
        waiter = select.epoll()
        waiter.register(events[-1], select.EPOLLIN)
        return waiter

    try:
        return {**_until_refused(make, 100000), "limit": 256}
    finally:
        for fd in events:
            os.close(fd)


@bomb
def timers(ctx, payload):
    import importlib
    ctypes = importlib.import_module("ctypes")
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "timer_create"):
        return {"made": 0, "limit": 0}
    made, timer = 0, ctypes.c_void_p()
    while made < 1000000 and libc.timer_create(1, None, ctypes.byref(timer)) == 0:
        made += 1
    return {"made": made, "limit": 200000}


@bomb
def open_locks(ctx, payload):
    import fcntl
    try:
        fd = os.open("/tmp/locks", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return {"made": 0, "limit": 0}
    made = 0
    try:
        for made in range(10000):
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, made * 2)
    except OSError:
        pass
    finally:
        os.close(fd)
    return {"made": made, "limit": 10000}


@bomb
def printing(ctx, payload):
    for _ in range(100000):
        print("x" * 100)
    return {"made": 0, "limit": 0}


@bomb
def printing_raw(ctx, payload):
    for _ in range(5000):
        os.write(1, b"y" * 4000 + b"\n")
        os.write(2, b"z" * 4000)
    return {"made": 0, "limit": 0}


@bomb
def logging(ctx, payload):
    for number in range(50000):
        ctx.log("line", number=number, text="x" * 200)
    return {"made": 0, "limit": 0}


@bomb
def huge_result(ctx, payload):
    return {"text": "x" * (32 << 20)}


@bomb
def huge_error(ctx, payload):
    raise RuntimeError("x" * (32 << 20))


@bomb
def deep_result(ctx, payload):
    inner = []
    for _ in range(100000):
        inner = [inner]
    return {"deep": inner}


@bomb
def wide_result(ctx, payload):
    return {"wide": [0] * 20_000_000}


@bomb
def result_with_itself(ctx, payload):
    out = {}
    out["again"] = out
    return out


@bomb
def result_without_json(ctx, payload):
    return {"n": float("nan"), "s": "\ud800", "b": b"\xff"}


@bomb
def recursion(ctx, payload):
    sys.setrecursionlimit(1 << 30)

    def down(n):
        return down(n + 1)
    return down(0)


@bomb
def recursion_in_c(ctx, payload):
    sys.setrecursionlimit(1 << 30)
    threading.stack_size(32 << 20)
    inner = ()
    for _ in range(1000000):
        inner = (inner,)
    return {"text": len(repr(inner))}


@bomb
def spin(ctx, payload):
    while True:
        pass


@bomb
def spin_in_threads(ctx, payload):
    def turn():
        while True:
            pass
    for _ in range(8):
        threading.Thread(target=turn, daemon=True).start()
    turn()


@bomb
def spin_in_c(ctx, payload):
    return {"found": bool(re.match(r"(a+)+$", "a" * 64 + "b"))}


@tool("spin_on_the_loop")
async def spin_on_the_loop(ctx, payload):
    while True:
        pass


@tool("deaf_to_cancel")
async def deaf_to_cancel(ctx, payload):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


@bomb
def sleep_on(ctx, payload):
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            pass


@bomb
def signals(ctx, payload):
    """Every signal held off, then a storm of those to itself."""
    for number in range(1, 65):
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        except (OSError, ValueError):
            pass
    for _ in range(200000):
        os.kill(os.getpid(), signal.SIGUSR1)
    while True:
        time.sleep(3600)


@bomb
def zip_bomb(ctx, payload):
    import zlib
    maker = zlib.compressobj(9)
    packed = b"".join(maker.compress(b"\0" * (1 << 20)) for _ in range(300)) + maker.flush()
    return {"size": len(zlib.decompress(packed))}


@bomb
def xml_bomb(ctx, payload):
    import xml.etree.ElementTree as tree
    text = "<!DOCTYPE a [<!ENTITY a 'xxxxxxxxxx'>" + "".join(
        "<!ENTITY %s '%s'>" % (chr(98 + i), ("&%s;" % chr(97 + i)) * 10) for i in range(9)) + "]><a>&j;</a>"
    try:
        return {"size": len(tree.fromstring(text).text or "")}
    except tree.ParseError:
        return {"size": 0}


@bomb
def address_space(ctx, payload):
    """Address space without pages: not memory, but tables of the kernel are."""
    held = []
    try:
        while len(held) < 60000:
            held.append(mmap.mmap(-1, 1 << 32, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000))
            held[-1][0] = 1
    except (OSError, ValueError, MemoryError):
        pass
    return {"made": len(held), "limit": 70000}


@bomb
def closes_its_channel(ctx, payload):
    os.closerange(3, 256)
    time.sleep(1)
    return {}


@bomb
def writes_rubbish_on_its_channel(ctx, payload):
    """Read as a frame it would be one of 66,051 bytes, and no text; so much and more is sent."""
    for fd in range(3, 64):
        try:
            socket.socket(fileno=os.dup(fd)).sendall(array.array("B", range(256)).tobytes() * 400)
        except OSError:
            pass
    time.sleep(30)
    return {}


@bomb
def says_to_send_much(ctx, payload):
    """The length of a frame of 4 GiB, and nothing behind it."""
    for fd in range(3, 64):
        try:
            socket.socket(fileno=os.dup(fd)).send(b"\xff\xff\xff\xff{")
        except OSError:
            pass
    time.sleep(30)
    return {}
