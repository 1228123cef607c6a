"""TLS of asyncio's own event loop, with less memory."""

from __future__ import annotations

import asyncio
import inspect
from asyncio import sslproto
from typing import TYPE_CHECKING, Any

from asyncllm.http.other_tls import OtherTLS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

# The most plain bytes of one record of TLS, and so of one read from it.
_RECORD_BYTES = 16 * 1024
# OpenSSL keeps as much for each connection as its largest read has brought.
_READ_BYTES = 32 * 1024


class LeanTLS(OtherTLS):
    """asyncio's own event loop, with one buffer for what all connections read over TLS.

    asyncio gives each connection 256 KiB for as long as it is open, although the bytes of a read
    are copied elsewhere before the event loop does anything else. Taking them away after the
    handshake would not do: a thousand connections that begin together leave holes in the heap.

    Args:
        loop: the event loop, one of asyncio's own.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._buffer = memoryview(bytearray(_READ_BYTES))

    async def create_connection(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        *,
        ssl: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        **options: Any,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Do what the event loop's method of this name does."""
        if ssl is None:
            return await self._loop.create_connection(factory, **options)
        protocol = factory()
        tls = self._protocol(protocol, ssl, server_hostname=server_hostname)
        transport, _ = await self._loop.create_connection(lambda: tls, **options)
        return await tls.begun(transport), protocol

    async def start_tls(
        self,
        transport: asyncio.Transport,
        protocol: asyncio.BaseProtocol,
        ssl: ssl.SSLContext,
        **options: Any,
    ) -> Any:
        """Do what the event loop's method of this name does."""
        tls = self._protocol(protocol, ssl, call_connection_made=False, **options)
        transport.pause_reading()  # lest bytes come before `connection_made` is called
        transport.set_protocol(tls)
        begin = self._loop.call_soon(tls.connection_made, transport)
        go_on = self._loop.call_soon(transport.resume_reading)
        try:
            return await tls.begun(transport)
        finally:
            begin.cancel()  # where the handshake was given up before it began
            go_on.cancel()

    def _protocol(self, protocol: Any, ssl: ssl.SSLContext, **options: Any) -> _LeanProtocol:
        return _LeanProtocol(self._buffer, self._loop, protocol, ssl, **options)


class _LeanProtocol(sslproto.SSLProtocol):
    """asyncio's protocol for TLS, with a buffer that is not its own."""

    max_size = _RECORD_BYTES  # it first makes a buffer of as many bytes

    def __init__(self, buffer: memoryview, loop: Any, *of_connection: Any, **options: Any) -> None:
        self._handshake: asyncio.Future[None] = loop.create_future()
        made: Any = super().__init__  # typeshed names its arguments by their place alone
        made(loop, *of_connection, self._handshake, **options)
        self._ssl_buffer = self._ssl_buffer_view = buffer

    async def begun(self, transport: Any) -> Any:
        """Return the transport over TLS once the handshake is done, or abort `transport`."""
        try:
            await self._handshake
        except BaseException:
            transport.abort()
            raise
        return self._get_app_transport()  # type: ignore[attr-defined] # typeshed lacks it


def is_known() -> bool:
    """Tell whether asyncio's protocol for TLS, which is not public, is made as it always was."""
    arguments = ["loop", "app_protocol", "sslcontext", "waiter"]
    options = {"server_hostname", "call_connection_made", "ssl_handshake_timeout"}
    known = list(inspect.signature(sslproto.SSLProtocol.__init__).parameters)[1:]
    return (
        known[:4] == arguments
        and options <= {*known}
        and hasattr(sslproto.SSLProtocol, "_get_app_transport")
    )
