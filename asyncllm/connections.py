"""The connections and cookies that the streams of one session manager share."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import aiohttp
from yarl import URL

from asyncllm.cookies import SessionCookieJar
from asyncllm.errors import TransportError
from asyncllm.proxies import EnvironmentProxies

if TYPE_CHECKING:
    import asyncio
    import ssl

    from aiohttp.connector import Connection

    from asyncllm.proxies import Proxy
    from asyncllm.response import Response

log = logging.getLogger("asyncllm")

_STALE_SECONDS = 0.1
_DEFAULT_HEADERS = {
    "User-Agent": "asyncllm",
    # A compressor holds tokens back until its block is full; a small body can unpack to gigabytes.
    "Accept-Encoding": "identity",
}


class ConnectionPool:
    """The connections and the cookie jar that the streams of one session manager share.

    Args:
        ssl: how to verify servers; None for the system's certificate authorities.
        trust_env: whether to take proxies from the environment.
        max_event_bytes: the most bytes of one event of a stream.

    Attributes:
        refusals: what servers have refused, as pairs of base URL and field, so that providers
            need not ask again.
        in_use: the responses that somebody is reading.

    """

    def __init__(
        self, *, ssl: ssl.SSLContext | None, trust_env: bool, max_event_bytes: int
    ) -> None:
        self.max_event_bytes = max_event_bytes
        self.refusals: set[tuple[str, str]] = set()
        self.in_use: set[Response] = set()
        self._ssl = ssl or True
        # Not left to aiohttp: it knows no ALL_PROXY, and reads `.netrc` for each request.
        self._environment = EnvironmentProxies() if trust_env else None
        self._is_closed = False
        self._jar: SessionCookieJar | None = None
        self._sessions: dict[tuple[Proxy | None, bool], aiohttp.ClientSession] = {}

    def environment_proxy(self, url: str) -> Proxy | None:
        """Return the proxy that the environment names for `url`, where that is trusted."""
        return self._environment.proxy_for(url) if self._environment is not None else None

    async def request(
        self, method: str, url: str, proxy: Proxy | None, options: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        """Send a request; once more, on a new connection, where a kept one had been closed.

        A server may hang up at any time between two requests. llama.cpp's does so a millisecond
        after each stream, and tinyproxy after each answer, both having promised to keep the
        connection; aiohttp resends only what is idempotent. What hangs up at once has not read
        the request; what does so later may have, and that is the retry policy's business.
        """
        session = self._session_for(proxy, keeps=True)
        try:
            return await session.request(method, url, **options)
        except StaleConnectionError:
            if session.closed:
                raise
        log.info("%s %s: the kept connection had been closed; sent on a new one", method, url)
        session = self._session_for(proxy, keeps=False)
        return await session.request(method, url, **options)

    def cookie_header(self, url: str) -> dict[str, str]:
        """Return the header with the cookies that a request for `url` would carry, if any."""
        cookies = self._jar.filter_cookies(URL(url)) if self._jar is not None else {}
        pairs = [f"{name}={morsel.coded_value}" for name, morsel in cookies.items()]
        return {"Cookie": "; ".join(pairs)} if pairs else {}

    def without_cookies(self) -> ConnectionPool:
        """Return a pool like this one, with nothing in it."""
        pool = ConnectionPool(ssl=None, trust_env=False, max_event_bytes=self.max_event_bytes)
        pool._ssl, pool._environment = self._ssl, self._environment
        return pool

    async def aclose(self) -> None:
        """Close every connection; there are no new ones afterwards."""
        self._is_closed = True
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()

    def _session_for(self, proxy: Proxy | None, *, keeps: bool) -> aiohttp.ClientSession:
        """Return the session that reaches servers through `proxy`; `keeps` its connections."""
        if self._is_closed:
            raise TransportError("the session manager was closed meanwhile")
        # aiohttp speaks to HTTP proxies by itself; a SOCKS proxy needs a connector of its own.
        tunnel = proxy if proxy is not None and proxy.is_socks else None
        session = self._sessions.get((tunnel, keeps))
        if session is None:
            self._jar = self._jar or SessionCookieJar()
            options: dict[str, Any] = {
                "ssl": self._ssl,
                "limit": 0,
                "force_close": not keeps,
                "timeout_ceil_threshold": math.inf,
            }
            session = self._sessions[tunnel, keeps] = aiohttp.ClientSession(
                connector=(tunnel.connector if tunnel else aiohttp.TCPConnector)(**options),
                cookie_jar=self._jar,
                headers=_DEFAULT_HEADERS,
                response_class=_Response,
            )
        return session


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A connection that had served before was closed just as it was to serve again."""


class _Response(aiohttp.ClientResponse):
    """Tells such a connection from one that breaks later, which tracing would do at a price."""

    async def start(self, connection: Connection) -> Self:
        """Read the head of the response."""
        protocol = connection.protocol
        assert protocol is not None
        stale_until = time.monotonic() + _STALE_SECONDS if protocol in _used else 0.0
        _used.add(protocol)
        try:
            await super().start(connection)
        except aiohttp.ClientConnectionError:
            if time.monotonic() < stale_until:
                raise StaleConnectionError from None
            raise
        return self


_used: WeakSet[asyncio.Protocol] = WeakSet()
