"""The connector to servers and to HTTP proxies, which leaves TLS to another event loop."""

from __future__ import annotations

from typing import Any

import aiohttp
from typing_extensions import override


class DirectConnector(aiohttp.TCPConnector):
    """aiohttp's connector, which leaves TLS to another event loop.

    Args:
        tls: the event loop that begins TLS.
        options: aiohttp's.

    """

    def __init__(self, *, tls: Any, **options: Any) -> None:
        super().__init__(**options)
        self._tls = tls

    @override
    async def _wrap_create_connection(self, *args: Any, **options: Any) -> Any:
        """Connect to a server or a proxy."""
        connect: Any = aiohttp.TCPConnector._wrap_create_connection  # noqa: SLF001 - the hook
        return await connect(_StandIn(self, self._tls), *args, **options)

    @override
    async def _start_tls_connection(self, *args: Any, **options: Any) -> Any:
        """Begin TLS to a server behind an HTTP proxy."""
        start_tls: Any = aiohttp.TCPConnector._start_tls_connection  # noqa: SLF001 - the hook
        return await start_tls(_StandIn(self, self._tls), *args, **options)


class _StandIn:
    """A connector in those of aiohttp's methods that begin TLS, where it has another loop."""

    def __init__(self, connector: DirectConnector, loop: Any) -> None:
        self._connector = connector
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)
