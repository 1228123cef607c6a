"""The ground under every client: what an event loop and a decoder cost without any HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from typing_extensions import override

from benchmarks.contenders.base import BODY, Contender
from benchmarks.contenders.by_hand import DECODE_CHUNK, limit_reads

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.contenders.base import Take


class BareProtocol(Contender):
    """A protocol that keeps what arrives, and a task that splits and decodes it.

    It reads no head and no chunks. It finds events by what they begin and end with, so it is for
    answers that hold nothing else, and of which each event arrives whole.
    """

    name = "bare protocol"
    needs = "asyncio"

    @override
    async def consume(self, program: str, take: Take) -> None:
        """Decode what each read brings."""
        place = urlsplit(self._origin)
        loop = asyncio.get_running_loop()
        connect: Any = loop.create_connection(_Arrivals, place.hostname, place.port)
        transport, arrivals = await connect
        body = json.dumps(BODY)
        lines = (f"POST /{program}/v1/chat/completions HTTP/1.1", f"Host: {place.netloc}")
        length = f"Content-Length: {len(body)}"
        transport.write("\r\n".join([*lines, length, "", body]).encode())
        tail = b""
        try:
            while data := await arrivals.next():
                *events, tail = (tail + data).split(b"\n\n")
                for event in events:
                    _, found, text = event.partition(b"data: {")
                    if found:
                        for choice in DECODE_CHUNK(b"{" + text).choices:
                            if token := choice.delta.content:
                                take(token)
        finally:
            transport.abort()


class _Arrivals(asyncio.Protocol):
    """What has arrived and nobody has taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._has_ended = False

    async def next(self) -> bytes:
        """Return what has arrived, and b"" at the end."""
        while not self._pieces and not self._has_ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    @override
    def connection_made(self, transport: Any) -> None:
        limit_reads(transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._wake()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
