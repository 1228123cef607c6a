"""A stream as a server writes it: framed, in batches, and cut off on demand."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.wires.framings import framer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.sandbox.faults import Framing
    from asyncllm.sandbox.wires.framings import Form

_BATCH = 16 * 1024
_LINGER_NOT = struct.pack("ii", 1, 0)


class EventStream:
    """One event stream to one client.

    The headers go out with the first bytes, or earlier by `open`. `space` is what the wire has
    after the colon of `data:`, and `form` how it frames its events; `framing` puts the same
    content in other bytes, JSON lines and arrays among them; `media_type` says something else of
    it. Payloads are lines of JSON. Every
    method that writes raises `ConnectionError` when the client has gone.
    """

    def __init__(
        self,
        request: web.Request,
        *,
        headers: Mapping[str, str],
        space: str = "",
        framing: Framing | None = None,
        media_type: str | None = None,
        form: Form = "data",
    ) -> None:
        self._request = request
        self._framer = framer(framing, space, form)
        self._is_one_byte = framing is not None and framing.kind == "one_byte"
        headers = {**headers, "Content-Type": media_type or self._framer.media_type}
        self._response = web.StreamResponse(headers=headers)
        self._batch: list[str] = []
        self._size = 0

    async def open(self) -> None:
        """Send the headers, unless they are sent."""
        if not self._response.prepared:
            await self._response.prepare(self._request)
            self._batch.insert(0, self._framer.head)

    async def send(self, payload: str, *, event: str | None = None) -> None:
        """Add an event to the batch, and write the batch when it is large enough."""
        await self.write(self._framer.event(payload, event))

    async def write(self, text: str) -> None:
        """Add text as it is, and write the batch when it is large enough."""
        self._batch.append(text)
        self._size += len(text)
        if self._size >= _BATCH:
            await self.flush()

    async def send_bare(self, text: str) -> None:
        """Add what stands between events, with nothing around it."""
        await self.write(self._framer.bare(text))

    async def flush(self) -> None:
        """Write what `send` has gathered."""
        await self.open()
        data = "".join(self._batch).encode()
        self._batch.clear()
        self._size = 0
        if self._is_one_byte:
            for byte in data:
                await self._response.write(bytes((byte,)))
                # Lets a client on this loop read the byte before the next one is there.
                await asyncio.sleep(0)
        elif data:
            await self._response.write(data)

    async def ping(self) -> None:
        """Write what says nothing, as servers do to keep a connection alive."""
        self._batch.append(self._framer.ping())
        await self.flush()

    async def finish(self) -> web.StreamResponse:
        """Write what is left and end the body cleanly."""
        self._batch.append(self._framer.tail)
        await self.flush()
        await self._response.write_eof()
        return self._response

    async def cut(self, *, reset: bool = False) -> web.StreamResponse:
        """Write what is left and close the connection without ending the body.

        With `reset` the client gets a TCP reset. Headers that were not sent stay unsent.
        """
        if self._batch:
            await self.flush()
        transport = self._request.transport
        if transport is not None and reset:
            raw: socket.socket = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            transport.abort()
        elif transport is not None:
            transport.close()
        return self._response
