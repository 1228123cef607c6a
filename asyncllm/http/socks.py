"""The connector that goes through a SOCKS proxy; it needs the extra that brings SOCKS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp_socks import ProxyConnector
from typing_extensions import override

if TYPE_CHECKING:
    import ssl


class SocksConnector(ProxyConnector):
    """aiohttp_socks' connector, which leaves TLS to another event loop.

    Args:
        tls: the event loop that begins TLS, if it is another.
        options: aiohttp_socks' and aiohttp's.

    """

    def __init__(self, *, tls: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._tls = tls or self._loop

    @override
    async def _connect_via_proxy(
        self, host: str, port: int, ssl: ssl.SSLContext | None = None, timeout: float | None = None
    ) -> Any:
        transport: Any
        transport, protocol = await super()._connect_via_proxy(host, port, timeout=timeout)
        if ssl is None:
            return transport, protocol
        over_tls: Any = self._factory()
        over_tls.tunnel = protocol  # whose writer would close the tunnel when it is collected
        try:
            transport = await self._tls.start_tls(transport, over_tls, ssl, server_hostname=host)
        except BaseException:
            transport.abort()
            raise
        over_tls.connection_made(transport)
        return transport, over_tls
