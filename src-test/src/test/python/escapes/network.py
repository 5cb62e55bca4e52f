"""Attempts on networks. The event names what listens on this machine: ``http``, ``postgres``, ``kafka`` (ports of 127.0.0.1) and
``socket`` (the Unix socket of the workers). Where a socket can be made nothing but these is called."""

import errno
import os
import socket
import struct

from attempts import X86, attempt, call, connect, ctypes


def _port(name, text):
    @attempt(name)
    def run(event):
        """A server of the plane itself."""
        return connect(socket.AF_INET, ("127.0.0.1", int(event.get(text) or 80)))


_port("tcp_to_the_plane", "http")
_port("tcp_to_postgresql", "postgres")
_port("tcp_to_kafka", "kafka")


@attempt("tcp_by_ipv6")
def tcp_by_ipv6(event):
    """The same by IPv6, and by an IPv4 address in IPv6."""
    for address in ("::1", "::ffff:127.0.0.1"):
        try:
            return connect(socket.AF_INET6, (address, int(event.get("http") or 80)))
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT):
                return "made an IPv6 socket: %s" % problem
    return None


@attempt("connect_with_data")
def connect_with_data(event):
    """TCP fast open: data to an address without connect()."""
    with socket.socket() as s:
        s.sendto(b"GET / HTTP/1.0\r\n\r\n", 0x20000000, ("127.0.0.1", int(event.get("http") or 80)))
    return "sent data by fast open"


@attempt("datagrams")
def datagrams(event):
    """UDP to a name server, a time server, a metrics server: on the loopback address only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for port in (53, 123, 8125):
            s.sendto(b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x04aiel\0\0\x01\0\x01", ("127.0.0.1", port))
    return "sent datagrams"


@attempt("names")
def names(event):
    """A look-up of a name. Where the resolver could have a socket no name server is troubled."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
        return "could ask a name server"
    except OSError:
        pass
    try:
        socket.getaddrinfo("plane-escape.invalid", 80)
        return "looked a name up"
    except socket.gaierror:
        return None  # nobody to ask


@attempt("metadata_service")
def metadata_service(event):
    """The address at which clouds keep credentials. Only the socket for it is made: what would answer is not ours to ask."""
    with socket.socket() as s:
        s.setblocking(False)
    return "made a socket that could ask 169.254.169.254"


@attempt("all_families")
def all_families(event):
    """Every family and kind of socket that a kernel may have."""
    made = []
    for family in range(1, 46):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET, 10):
            try:
                os.close(call(41 if X86 else 198, family, kind, 0))
                made.append("%d/%d" % (family, kind))
            except OSError as problem:
                if problem.errno not in (errno.EPERM, errno.EACCES):
                    made.append("%d/%d says %s" % (family, kind, errno.errorcode.get(problem.errno)))
    return "sockets: %s" % ", ".join(made[:10]) if made else None


@attempt("all_pairs")
def all_pairs(event):
    """Pairs of anything but Unix streams."""
    for family in (socket.AF_UNIX, socket.AF_INET, 16, 30):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
            if (family, kind) == (socket.AF_UNIX, socket.SOCK_STREAM):
                continue
            fds = (ctypes.c_int * 2)()
            try:
                call(53 if X86 else 199, family, kind, 0, fds)
            except OSError as problem:
                if problem.errno not in (errno.EPERM, errno.EACCES):
                    return "pairs of %d/%d are reachable: %s" % (family, kind, problem)
                continue
            os.close(fds[0])
            os.close(fds[1])
            return "a pair of %d/%d" % (family, kind)
    return None


@attempt("workers_socket")
def workers_socket(event):
    """The socket on which the server waits for workers, by each of its names."""
    for path in (event.get("socket"), "/run/plane.sock", "/proc/1/root/run/plane.sock", "/old/run/plane.sock"):
        if path:
            with socket.socket(socket.AF_UNIX) as s:
                try:
                    s.connect(path)
                    return "connected to %s" % path
                except OSError as problem:
                    if problem.errno == errno.ENOENT:
                        return "could ask for %s" % path
    return None


@attempt("abstract_sockets")
def abstract_sockets(event):
    """Names without a file: listening where another worker would look, and connecting."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("\0plane-escape")
        s.listen()
    return "listens on an abstract name"


@attempt("squat")
def squat(event):
    """A socket of ours in the place where the server's will be looked for."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("/tmp/plane.sock")
    os.unlink("/tmp/plane.sock")
    return "made a socket in the scratch folder"


@attempt("redirect_own_socket")
def redirect_own_socket(event):
    """The one connection that a worker has, led elsewhere: dissolved, connected anew, listened on."""
    address = struct.pack("=H", 1) + (event.get("socket") or "/run/plane.sock").encode()[:100] + b"\0"
    nowhere = struct.pack("=H14x", 0)
    reachable = {}
    for fd in range(3, 64):
        try:
            with socket.socket(fileno=os.dup(fd)) as found:
                if found.family != socket.AF_UNIX:
                    continue
        except OSError:
            continue
        for name, number in (("connect", 42 if X86 else 203), ("bind", 49 if X86 else 200)):
            for target in (nowhere, address):
                try:
                    call(number, fd, ctypes.create_string_buffer(target, len(target)), len(target))
                    return "%s of descriptor %d worked" % (name, fd)
                except OSError as problem:
                    if problem.errno not in (errno.EPERM, errno.EACCES):
                        reachable[name] = "%s is reachable: %s" % (name, problem)
        try:
            call(50 if X86 else 201, fd, 1)
            return "listen on descriptor %d worked" % fd
        except OSError as problem:
            if problem.errno not in (errno.EPERM, errno.EACCES):
                reachable["listen"] = "listen is reachable: %s" % problem
    return "; ".join(reachable.values()) or None


@attempt("send_elsewhere")
def send_elsewhere(event):
    """sendto and sendmsg with an address, from a socket that we have."""
    left, right = socket.socketpair()
    with left, right:
        for path in (event.get("socket"), "\0plane"):
            if not path:
                continue
            for way in (lambda: left.sendto(b"x", path), lambda: left.sendmsg([b"x"], [], 0, path)):
                try:
                    way()
                    return "sent to %r" % path
                except OSError:
                    pass
    return None


@attempt("kernel_talk")
def kernel_talk(event):
    """Netlink in its kinds: routes, audit, uevents, the socket table."""
    for protocol in (0, 4, 9, 15, 16):
        try:
            fd = call(41 if X86 else 198, 16, 3, protocol)
        except OSError:
            continue
        os.close(fd)
        return "netlink %d" % protocol
    return None


@attempt("interfaces")
def interfaces(event):
    """What networks there are, by the calls that tell."""
    try:
        found = [n for _, n in socket.if_nameindex() if n != "lo"]
    except OSError:
        found = []
    for path in ("/proc/net/tcp", "/proc/net/unix", "/proc/self/net/unix", "/proc/net/route", "/sys/class/net"):
        try:
            if os.path.isdir(path):
                found += os.listdir(path)
            else:
                with open(path, encoding="ascii", errors="replace") as table:
                    # Of our own sockets only the unnamed pair of the event loop is there.
                    found += [line for line in table.read().splitlines()[1:] if not path.endswith("unix") or len(line.split()) > 7]
        except OSError:
            pass
    return "sees %s" % found[:5] if found else None
