"""A way to a server that can be shut, with all that goes through it, and opened again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Awaitable

_READ = 64 * 1024


class Door:
    """Relays connections to another port.

    Args:
        target: where to.

    """

    def __init__(self, target: int = 0) -> None:
        self.port = 0
        self._target = target
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        """Listen no more, and break every connection."""
        self._server.close()
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to where this one leads, with what was to be told there told."""
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            far_reader, far_writer = await self.connect(reader, writer)
            try:
                await _first_of(_pump(reader, far_writer), _pump(far_reader, writer))
            finally:
                far_writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            del self._open[task]


class HttpProxy(Door):
    """A proxy that forwards what names its host, and tunnels for CONNECT.

    Args:
        password: the one of its user "ann".

    """

    def __init__(self, password: str) -> None:
        super().__init__()
        self._password = password
        self._wanted = "Basic " + base64.b64encode(f"ann:{password}".encode()).decode()

    @property
    def url(self) -> str:
        """Its address, with its credentials."""
        return f"http://ann:{self._password}@127.0.0.1:{self.port}"

    async def connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to what the first request names."""
        head = await reader.readuntil(b"\r\n\r\n")
        if self._wanted not in head.decode("latin-1"):
            writer.write(b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n")
            raise ConnectionError("the credentials are wrong")
        method, target, _ = head.decode("latin-1").split(" ", 2)
        is_tunnel = method == "CONNECT"
        port = URL(f"//{target}" if is_tunnel else target).port
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        if is_tunnel:
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            far_writer.write(head)  # a server takes the form that is meant for proxies
        return far_reader, far_writer


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_READ):
            target.write(data)
            await target.drain()


async def _first_of(*works: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
