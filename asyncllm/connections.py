"""The connections and cookies that the streams of one session manager share."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

import aiohttp
from yarl import URL

from asyncllm.cookies import KeepingOnly, SessionCookieJar, with_cookies
from asyncllm.errors import ConfigurationError, TransportError
from asyncllm.proxies import EnvironmentProxies

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from aiohttp.connector import Connection

    from asyncllm.ledger import Way
    from asyncllm.proxies import Proxy
    from asyncllm.response import Response

log = logging.getLogger("asyncllm")

_STALE_SECONDS = 0.1
# asyncio allocates as much as it might read. By default that is 256 KiB, for which glibc asks the
# kernel, and gives it back, unless there happens to be such a hole in the heap: then each token
# costs several times as much (https://github.com/python/cpython/issues/85451).
_READ_BYTES = 64 * 1024
_IDLE_TUNNELS = 16
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
        self._lent: set[str | None] = set()  # hosts that got cookies which a caller gave
        self._jar: SessionCookieJar | None = None
        self._routes: dict[tuple[Proxy | None, bool], _Route] = {}  # the newest used comes last
        self._closing: set[asyncio.Task[None]] = set()

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
        route = self._route_for(proxy, keeps=True)
        headers: dict[str, str] = options["headers"]
        if any(name.lower() == "cookie" for name in headers):
            self._lent.add(URL(url).host)
        options["headers"] = self.with_cookies(url, headers)
        try:
            return await route.request(method, url, options)
        except StaleConnectionError:
            if self._is_closed:
                raise
        log.info("%s %s: the kept connection had been closed; sent on a new one", method, url)
        route = self._route_for(proxy, keeps=False)
        answer = await route.request(method, url, options)
        if isinstance(answer, _Response):
            answer.was_resent = True
        return answer

    def with_cookies(self, url: str, headers: dict[str, str]) -> dict[str, str]:
        """Return `headers` with the cookies that a request for `url` carries, if any, added."""
        cookies = self._jar.header_for(url) if self._jar is not None else ""
        _add_cookies(headers, {"Cookie": cookies} if cookies else {})
        return headers

    def is_lent(self, url: str) -> bool:
        """Tell whether a caller has sent a cookie of its own there, which is in the jar since."""
        return URL(url).host in self._lent

    @property
    def has_own_tls(self) -> bool:
        """Whether servers are verified by a context that the caller gave."""
        return self._ssl is not True

    def heirs(self, way: Way | None) -> ConnectionPool:
        """Return a pool with nothing in it, whose requests verify servers as `way` says.

        Args:
            way: how to go; None for as this pool does, proxies of its environment included.

        Raises:
            ConfigurationError: that takes a context of its own, and this pool has none.

        """
        if way is not None and way.has_own_tls and not self.has_own_tls:
            raise ConfigurationError(
                "its server was verified by an `ssl` context, and this session manager has none: "
                "give it one"
            )
        pool = ConnectionPool(ssl=None, trust_env=False, max_event_bytes=self.max_event_bytes)
        if way is None:
            pool._environment = self._environment
        if way is None or way.has_own_tls:
            pool._ssl = self._ssl
        return pool

    async def aclose(self) -> None:
        """Close every connection; there are no new ones afterwards."""
        self._is_closed = True
        while self._routes:
            _, route = self._routes.popitem()
            self._close_soon(route)
        while self._closing:
            await asyncio.wait(self._closing)

    def _route_for(self, proxy: Proxy | None, *, keeps: bool) -> _Route:
        """Return the route to servers through `proxy`; `keeps` its connections."""
        if self._is_closed:
            raise TransportError("the session manager was closed meanwhile")
        # aiohttp speaks to HTTP proxies by itself; a SOCKS proxy needs a connector of its own.
        tunnel = proxy if proxy is not None and proxy.is_socks else None
        route = self._routes.pop((tunnel, keeps), None)
        if route is None:
            self._close_idle_tunnels()
            options: dict[str, Any] = {
                "ssl": self._ssl,
                "limit": 0,
                "force_close": not keeps,
                "timeout_ceil_threshold": math.inf,
            }
            connector = (tunnel.connector if tunnel else aiohttp.TCPConnector)(**options)
            self._jar = self._jar or SessionCookieJar()
            route = _Route(connector, KeepingOnly(self._jar))
        self._routes[tunnel, keeps] = route
        return route

    def _close_idle_tunnels(self) -> None:
        """Close the routes through SOCKS proxies that nobody uses, but for the newest few.

        Who goes through another proxy with each request would heap them up.
        """
        idle = [
            (tunnel, keeps)
            for (tunnel, keeps), route in self._routes.items()
            if tunnel is not None and route.is_idle
        ]
        for key in idle[:-_IDLE_TUNNELS]:
            self._close_soon(self._routes.pop(key))

    def _close_soon(self, route: _Route) -> None:
        """Close a route in a task that `aclose` waits for."""
        task = asyncio.get_running_loop().create_task(route.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Route:
    """A way to servers: an aiohttp session, who is using it, and the connections that it has open.

    Args:
        connector: the connector to use and to close.
        jar: where to keep cookies.

    """

    def __init__(self, connector: aiohttp.BaseConnector, jar: KeepingOnly) -> None:
        self._requests = 0
        self._answers: WeakSet[aiohttp.ClientResponse] = WeakSet()
        self._open: dict[asyncio.Future[None], asyncio.Transport] = {}
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=jar,
            headers=_DEFAULT_HEADERS,
            request_class=_noting(self._note),
            response_class=_Response,
        )

    @property
    def is_idle(self) -> bool:
        """Whether nobody is sending a request, or reading an answer."""
        return not self._requests and all(each.connection is None for each in self._answers)

    async def request(
        self, method: str, url: str, options: dict[str, Any]
    ) -> aiohttp.ClientResponse:
        """Send a request."""
        self._requests += 1
        try:
            answer = await self._session.request(method, url, **options)
        finally:
            self._requests -= 1
        self._answers.add(answer)
        return answer

    async def aclose(self) -> None:
        """Close every connection, and return when that is done.

        None is left to say farewell: a server that does not answer to the end of TLS, or takes
        no more of a request, would hold the connection for long after its stream was left.
        """
        for transport in list(self._open.values()):
            transport.abort()
        await self._session.close()
        if self._open:
            await asyncio.wait(list(self._open))

    def _note(self, connection: Connection) -> bool:
        """Note a connection until it is lost, and tell whether it has been noted before.

        aiohttp forgets those that it lets go.
        """
        protocol, transport = connection.protocol, connection.transport
        closed = protocol.closed if protocol is not None else None
        if closed is None or transport is None:
            return False
        is_known = closed in self._open
        if not is_known:
            self._open[closed] = transport
            closed.add_done_callback(self._forget)
            read_by: Any = transport
            if hasattr(read_by, "max_size"):  # of asyncio's own loop, and without TLS
                read_by.max_size = _READ_BYTES
        return is_known

    def _forget(self, closed: asyncio.Future[None]) -> None:
        del self._open[closed]
        if not closed.cancelled():
            closed.exception()  # seen, lest asyncio logs it: whoever was reading was told


def _add_cookies(headers: dict[str, str], cookies: dict[str, str]) -> None:
    for name in headers if cookies else ():
        if name.lower() == "cookie":
            headers[name] = with_cookies(headers[name], cookies["Cookie"])
            return
    headers.update(cookies)


def _noting(note: Callable[[Connection], bool]) -> type[aiohttp.ClientRequest]:
    """Return a class of requests that tell `note` of the connections that they go out on."""

    class NotedRequest(aiohttp.ClientRequest):
        async def send(self, conn: Connection) -> aiohttp.ClientResponse:
            is_known = note(conn)
            response = await super().send(conn)
            if is_known and isinstance(response, _Response):
                response.stale_until = time.monotonic() + _STALE_SECONDS
            return response

    return NotedRequest


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A connection that had served before was closed just as it was to serve again."""


class _Response(aiohttp.ClientResponse):
    """Tells such a connection from one that breaks later, which tracing would do at a price.

    Attributes:
        stale_until: when a connection that had served before is known to be open, on the
            monotonic clock; 0 for a new one.
        was_resent: whether it answers a request that was sent a second time.

    """

    stale_until = 0.0
    was_resent = False

    async def start(self, connection: Connection) -> Self:
        """Read the head of the response."""
        try:
            await super().start(connection)
        except aiohttp.ClientConnectionError:
            if time.monotonic() < self.stale_until:
                raise StaleConnectionError from None
            raise
        return self
