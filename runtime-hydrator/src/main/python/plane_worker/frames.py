"""Frames: an unsigned 32-bit big-endian length, then that many bytes of UTF-8 JSON holding one object."""

import json
import struct

DEFAULT_MAX = 8 << 20
#: What a worker exits with when it could not even say any more that its memory is used up.
MEMORY_EXIT = 72
_LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """The other side broke the protocol; the connection is of no more use."""


def encode(message):
    """The bytes of one frame holding ``message``."""
    body = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(body)) + body


def encode_raw(body):
    """The bytes of one frame holding JSON that is already encoded."""
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Turns received bytes into messages; holds at most one incomplete frame."""

    def __init__(self, bytes_max=DEFAULT_MAX):
        self.bytes_max = bytes_max
        self._buffer = bytearray()

    def feed(self, data):
        """The messages completed by ``data``, in order."""
        self._buffer += data
        messages = []
        while len(self._buffer) >= 4:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self.bytes_max:
                raise ProtocolError("frame of %d bytes, at most %d are accepted" % (length, self.bytes_max))
            if len(self._buffer) < 4 + length:
                break
            body = bytes(self._buffer[4:4 + length])
            del self._buffer[:4 + length]
            try:
                message = json.loads(body)
            except ValueError as error:
                raise ProtocolError("frame is not JSON: %s" % error) from None
            if not isinstance(message, dict) or not isinstance(message.get("type"), str):
                raise ProtocolError("frame is not an object with a string member 'type'")
            messages.append(message)
        return messages
