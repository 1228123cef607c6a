"""Server-sent events as a server writes them: framed, in batches, and cut off on demand."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.sandbox.faults import Framing

_BATCH = 16 * 1024
_LINGER_NOT = struct.pack("ii", 1, 0)


class EventStream:
    """One event stream to one client.

    The headers go out with the first bytes, or earlier by `open`. `space` is what the wire has
    after the colon of `data:`; `framing` puts the same content in other bytes, JSON lines among
    them. Payloads are lines of JSON. Every method that writes raises `ConnectionError` when the
    client has gone.
    """

    def __init__(
        self,
        request: web.Request,
        *,
        headers: Mapping[str, str],
        space: str = "",
        framing: Framing | None = None,
    ) -> None:
        self._request = request
        self._kind = framing.kind if framing is not None else None
        is_lines = self._kind == "json_lines"
        media_type = "application/x-ndjson" if is_lines else "text/event-stream"
        self._response = web.StreamResponse(headers={**headers, "Content-Type": media_type})
        self._space = "" if self._kind == "no_space" else space
        self._batch: list[str] = []
        self._size = 0
        self._number = 0

    async def open(self) -> None:
        """Send the headers, unless they are sent."""
        if not self._response.prepared:
            await self._response.prepare(self._request)
            if self._kind == "bom":
                self._batch.insert(0, "\ufeff")

    async def send(self, payload: str, *, event: str | None = None) -> None:
        """Add an event to the batch, and write the batch when it is large enough."""
        framed = self._frame(payload, event)
        self._batch.append(framed)
        self._size += len(framed)
        if self._size >= _BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Write what `send` has gathered."""
        await self.open()
        data = "".join(self._batch).encode()
        self._batch.clear()
        self._size = 0
        if self._kind == "one_byte":
            for byte in data:
                await self._response.write(bytes((byte,)))
                # Lets a client on this loop read the byte before the next one is there.
                await asyncio.sleep(0)
        elif data:
            await self._response.write(data)

    async def ping(self) -> None:
        """Write a comment line, as servers do to keep a connection alive."""
        self._batch.append("\n" if self._kind == "json_lines" else self._ended(": ping\n\n"))
        await self.flush()

    async def finish(self) -> web.StreamResponse:
        """Write what is left and end the body cleanly."""
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

    def _frame(self, payload: str, event: str | None) -> str:
        if self._kind == "json_lines":
            return f"{payload}\n"
        if self._kind is None and event is None:
            return f"data:{self._space}{payload}\n\n"
        data = [payload]
        if self._kind == "multi_line" and payload.startswith("{"):
            # Between the braces a line break is only white space to JSON.
            data = [payload[0], payload[1:-1], payload[-1]]
        lines = [f"data:{self._space}{part}\n" for part in data]
        if event is not None:
            lines.insert(0, f"event:{self._space}{event}\n")
        if self._kind == "id_retry":
            self._number += 1
            lines.insert(0, f"id: {self._number}\nretry: 3000\n")
        if self._kind == "comments":
            lines.insert(0, ": keep-alive\n\n")
        return self._ended("".join([*lines, "\n"]))

    def _ended(self, lines: str) -> str:
        match self._kind:
            case "crlf":
                return lines.replace("\n", "\r\n")
            case "cr":
                return lines.replace("\n", "\r")
            case _:
                return lines
