"""The bytes of a body as they come: one look at what there is, one future to wait for more.

aiohttp's `StreamReader` serves every way to read: lines, chunks, so many bytes. A stream wants but
one of them, whatever has come, and pays for the others with each token. So a body that aiohttp is
about to fill becomes a `_Direct`, which keeps what the parser hands over and nothing else. Where
aiohttp's reader is another than the one that is known here, a body is read as aiohttp offers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import aiohttp
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Awaitable

_TOUCHED = {
    *("_buffer", "_size", "_high_water", "_high_water_chunks"),
    *("_eof", "_exception", "_loop", "_protocol", "_waiter"),
}
IS_KNOWN = _TOUCHED.issubset(aiohttp.StreamReader.__slots__)
"""Whether aiohttp's reader has all that `_Direct` touches; otherwise it is left alone."""


class Inflow(Protocol):
    """The bytes of a body as they come, for one reader."""

    def take(self) -> bytes | None:
        """Return what has come, b"" at the end of the body, and None where nothing has come yet.

        Raises:
            READ_ERRORS: nothing more comes, as the connection broke.

        """

    def arrival(self) -> Awaitable[object]:
        """Return what to await where `take` returned None; then it may return something else.

        Raises:
            READ_ERRORS: nothing more comes, as the connection broke.

        """
        ...


def inflow_of(content: aiohttp.StreamReader) -> Inflow:
    """Return what tells what comes of `content`, of which nothing has been read."""
    if IS_KNOWN and type(content) is aiohttp.StreamReader:
        content.__class__ = _Direct
        return content  # type: ignore[return-value] # which it is from now on
    return _AsOffered(content)


async def next_of(inflow: Inflow) -> bytes:
    """Return what comes next, and b"" at the end of the body.

    Raises:
        READ_ERRORS: nothing more comes, as the connection broke.

    """
    while (data := inflow.take()) is None:
        await inflow.arrival()
    return data


class _Direct(aiohttp.StreamReader):
    """The reader that aiohttp's parser fills, once it is known that all is wanted as it comes.

    It is made of one that exists, as the parser makes them: so it has what that has, and no more.
    """

    __slots__ = ()

    @override
    def feed_data(self, data: bytes, size: int = 0) -> bool:
        """Keep bytes of the body; reading pauses where too many wait."""
        buffer, waiter = self._buffer, self._waiter
        buffer.append(data)
        self._size = waiting = self._size + len(data)
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        if waiting > self._high_water or len(buffer) > self._high_water_chunks:
            self._protocol.pause_reading()
        return False

    @override
    def begin_http_chunk_receiving(self) -> None:
        """Do nothing: where a chunk begins says nothing of the body."""

    @override
    def end_http_chunk_receiving(self) -> None:
        """Do nothing: where a chunk ends says nothing of the body."""

    def take(self) -> bytes | None:
        """Return what has come; see `Inflow`."""
        if buffer := self._buffer:
            if len(buffer) == 1:
                data = buffer.popleft()
            else:  # `clear` would take half a kilobyte more, and keep it
                data = b"".join([buffer.popleft() for _ in range(len(buffer))])
            self._size = 0
            if self._protocol._reading_paused:  # noqa: SLF001 - as aiohttp's readers do
                self._protocol.resume_reading()
            return data
        if self._exception is not None:
            raise self._exception
        return b"" if self._eof else None

    def arrival(self) -> Awaitable[object]:
        """Return what to await; see `Inflow`."""
        if not self._protocol.connected:
            raise aiohttp.ClientConnectionError
        waiter = self._waiter = self._loop.create_future()
        return waiter


class _AsOffered:
    """What aiohttp's reader offers to everybody."""

    __slots__ = ("_content", "_read")

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self._read: bytes | None = None

    def take(self) -> bytes | None:
        """Return what has come; see `Inflow`."""
        read, self._read = self._read, None
        return read

    async def arrival(self) -> None:
        """Wait for what comes next; see `Inflow`."""
        self._read = await self._content.readany()
