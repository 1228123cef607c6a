"""Accepting connections: counted, plain or TLS, and closable at any moment."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, cast

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext


class Listener:
    """Listens on one address and gives each connection to a protocol made by `serve`.

    aiohttp's own site counts no connection that sends no request. And asyncio's server, before
    Python 3.13, cannot let go of a connection whose TLS handshake hangs: here the handshake is
    a task that `close` cancels.
    """

    def __init__(self, serve: Callable[[], asyncio.Protocol], ssl: SSLContext | None) -> None:
        self.accepted = 0
        self._serve = serve
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._handshakes: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Begin to accept, and return the port.

        Raises:
            OSError: the address is not to be had; of a busy port it says what to do.

        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._accept, host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            text = f"port {port} of {host} is in use: use another one, or 0 for a free one"
            raise OSError(errno.EADDRINUSE, text) from None
        return cast("int", self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Accept no more, and give up what is still shaking hands."""
        if self._server is not None:
            self._server.close()
        for task in self._handshakes:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait for what `close` has begun."""
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self) -> asyncio.Protocol:
        self.accepted += 1
        return self._serve() if self._ssl is None else _Handshake(self._begin_handshake)

    def _begin_handshake(self, transport: asyncio.Transport) -> None:
        task = asyncio.create_task(self._shake_hands(transport))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        assert self._ssl is not None
        loop = asyncio.get_running_loop()
        protocol = self._serve()
        try:
            secure = await loop.start_tls(transport, protocol, self._ssl, server_side=True)
        except OSError:
            # Not a TLS client, or one that does not trust us: it has been disconnected.
            return
        assert secure is not None
        protocol.connection_made(secure)


class _Handshake(asyncio.Protocol):
    """Has a connection until its TLS handshake begins."""

    def __init__(self, begin: Callable[[asyncio.Transport], None]) -> None:
        self._begin = begin

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)
        # What the client says belongs to the handshake, which begins a moment later.
        stream.pause_reading()
        self._begin(stream)
