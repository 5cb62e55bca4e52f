"""What generator handlers yield: sent as it comes when the caller takes it so, else kept, for the list of it is the result.

A chunk is the JSON value that was yielded, as it was then. What a generator returns at its end is its result; one that returns nothing, as
each async one, has the list of its chunks for a result, or null when these were sent.
"""

import asyncio
import contextvars
import inspect
import json
import typing

from pydantic import TypeAdapter

#: The chunks of the call that this context belongs to.
current = contextvars.ContextVar("plane_chunks")

# By the same rules as a result, which is a member of any type in a pydantic model.
_ANY = TypeAdapter(typing.Any)


class Stopped(Exception):
    """The call is cancelled or answered: nobody wants more of it."""


class TooMuch(Exception):
    """More was yielded than may be."""


class Kept(dict):
    """What is to be the result of a generator that returned nothing. A dict, as the runtime wants one of agents and flows."""

    def __init__(self, chunks):
        super().__init__()
        self.chunks = chunks


class Limits:
    """How many bytes of JSON a result, a chunk that is sent, and all of these together may have."""

    __slots__ = ("result", "chunk", "stream")

    def __init__(self, result, chunk, stream):
        self.result, self.chunk, self.stream = result, chunk, stream


class Chunks:
    """Those of one call.

    ``send(bytes) -> bool`` sends one and may block until it is taken; False when the call is answered. ``room()`` is awaited before, where an
    event loop would be blocked. Both None for a caller who wants but the result.
    """

    def __init__(self, limits, send=None, room=None):
        self._limits, self._send, self._room = limits, send, room
        self._kept = []
        self._bytes = 0
        #: Set by whoever cancels the call.
        self.cancelled = False
        #: Whether a generator runs that no task is behind: it ends at its next chunk, once it is cancelled.
        self.ends_itself = False

    def of(self, generator):
        """The result of a generator."""
        self.ends_itself = True
        try:
            while True:
                try:
                    chunk = next(generator)
                except StopIteration as end:
                    return self._result(end.value)
                self._take(self._encoded(chunk))
        finally:
            self.ends_itself = False
            try:
                generator.close()
            except Exception:  # it is over; what it says on being told so changes nothing
                pass

    async def of_async(self, generator):
        """The result of an async generator, or of one that a coroutine returned."""
        is_async = inspect.isasyncgen(generator)
        try:
            while True:
                try:
                    chunk = await generator.__anext__() if is_async else next(generator)
                except StopAsyncIteration:
                    return self._result(None)
                except StopIteration as end:
                    return self._result(end.value)
                data = self._encoded(chunk)
                await asyncio.sleep(0)  # it may never wait for anything, and must hear that it is cancelled
                if self._room is not None:
                    await self._room()
                self._take(data)
        finally:
            try:
                if is_async:
                    await generator.aclose()
                else:
                    generator.close()
            except Exception:
                pass

    def _encoded(self, chunk):
        data = _ANY.dump_json(chunk)
        self._bytes += len(data) + 1
        if self._send is None:
            if self._bytes > self._limits.result:
                raise TooMuch("The chunks take more than the %d bytes that a result may have; take them as a stream" % self._limits.result)
        elif len(data) > self._limits.chunk:
            raise TooMuch("A chunk takes %d bytes, at most %d are allowed; yield smaller ones" % (len(data), self._limits.chunk))
        elif self._bytes > self._limits.stream:
            raise TooMuch("The chunks take more than the %d bytes that a stream may have" % self._limits.stream)
        return data

    def _take(self, data):
        if self.cancelled:
            raise Stopped
        if self._send is None:
            self._kept.append(json.loads(data))
        elif not self._send(data):
            raise Stopped
        if self.cancelled:  # while it was being sent
            raise Stopped

    def _result(self, returned):
        if returned is not None:
            return returned
        return Kept(self._kept if self._send is None else None)
