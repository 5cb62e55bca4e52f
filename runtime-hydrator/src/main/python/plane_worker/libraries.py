"""Maps the shared libraries that extension modules need before the jail closes, so that the jail holds no library file.

A library that is already mapped satisfies a later ``dlopen`` by its name. So the names which the extension modules of the
standard library and of the bundle ask for are read out of the files (ELF, 64 bit, little-endian) and opened from the host.
"""

import ctypes
import os
import struct

_DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 1, 5, 15, 29
# Display, terminal and database front ends: of no use in a worker, and each brings libraries with it.
_SKIPPED = ("_tkinter", "_curses", "readline", "_dbm", "_gdbm", "_test", "_xxtest", "xxlimited")


def needed(path):
    """``(names, search folders)`` of one shared object; empty for what is not one."""
    try:
        with open(path, "rb") as file:
            header = file.read(64)
            if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
                return [], []
            (offset,) = struct.unpack_from("<Q", header, 32)
            size, count = struct.unpack_from("<HH", header, 54)
            file.seek(offset)
            table = file.read(size * count)
            segments, dynamic = [], None
            for i in range(count):
                kind, _, at, virtual, _, length = struct.unpack_from("<IIQQQQ", table, i * size)
                if kind == 1:
                    segments.append((virtual, at, length))
                elif kind == 2:
                    dynamic = (at, length)
            if dynamic is None:
                return [], []
            file.seek(dynamic[0])
            raw = file.read(dynamic[1])
            names, paths, strings = [], [], None
            for tag, value in struct.iter_unpack("<QQ", raw[:len(raw) // 16 * 16]):
                if tag == 0:
                    break
                if tag == _DT_NEEDED:
                    names.append(value)
                elif tag in (_DT_RPATH, _DT_RUNPATH):
                    paths.append(value)
                elif tag == _DT_STRTAB:
                    strings = value
            base = next((at + strings - virtual for virtual, at, length in segments if virtual <= strings < virtual + length), None)
            if base is None:
                return [], []

            def text(index):
                file.seek(base + index)
                return file.read(4096).split(b"\0", 1)[0].decode("utf-8", "replace")

            folder = os.path.dirname(os.path.realpath(path))
            folders = [f.replace("${ORIGIN}", folder).replace("$ORIGIN", folder) for p in paths for f in text(p).split(":") if f]
            return [text(n) for n in names], folders
    except (OSError, struct.error, TypeError, StopIteration):
        return [], []


def _extension_modules(folder):
    for parent, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f not in ("__pycache__", "site-packages", "dist-packages", "test")]
        for name in files:
            if (name.endswith(".so") or ".so." in name) and not name.startswith(_SKIPPED):
                yield os.path.join(parent, name)


def preload(folders):
    """Opens what the extension modules below ``folders`` need. Returns the names that could not be had."""
    present, wanted = set(), {}
    for folder in folders:
        for path in _extension_modules(folder):
            present.add(os.path.basename(path))
            names, places = needed(path)
            for name in names:
                wanted.setdefault(name, []).extend(places)
    wanted.setdefault("libgcc_s.so.1", [])  # the C library opens it by itself when a thread is cancelled
    missing = []
    for name, places in sorted(wanted.items()):
        if name in present or name.startswith(("ld-linux", "linux-vdso")):
            continue
        found = next((p for p in (os.path.join(place, name) for place in places) if os.path.exists(p)), name)
        try:
            ctypes.CDLL(found)
        except OSError:
            missing.append(name)
    return missing
