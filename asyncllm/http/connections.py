"""The connections and cookies that the streams of one session manager share."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet, WeakValueDictionary

import aiohttp

from asyncllm.errors import ConfigurationError, TransportError
from asyncllm.http.cookies import CookieJar
from asyncllm.http.kept import KeptConnection
from asyncllm.http.proxies import EnvironmentProxies

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Hashable

    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from yarl import URL

    from asyncllm.http.entries import Way
    from asyncllm.http.proxies import Proxy
    from asyncllm.http.response import Response

log = logging.getLogger("asyncllm")

# asyncio allocates as much as it might read. By default that is 256 KiB, for which glibc asks the
# kernel, and gives it back, unless there happens to be such a hole in the heap: then each token
# costs several times as much (https://github.com/python/cpython/issues/85451).
_READ_BYTES = 64 * 1024
_IDLE_TUNNELS = 16
_IDLE_JARS = 1000
_DEFAULT_HEADERS = {
    "User-Agent": "asyncllm",
    # A compressor holds tokens back until its block is full; a small body can unpack to gigabytes.
    "Accept-Encoding": "identity",
}


class ConnectionPool:
    """The connections and the cookies that the streams of one session manager share.

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
        self._jars: WeakValueDictionary[Hashable, CookieJar] = WeakValueDictionary()
        self._newest_jars: dict[Hashable, CookieJar] = {}  # the newest used comes last
        self._routes: dict[tuple[Proxy | None, bool], _Route] = {}  # the newest used comes last
        self._closing: set[asyncio.Task[None]] = set()

    def environment_proxy(self, url: str) -> Proxy | None:
        """Return the proxy that the environment names for `url`, where that is trusted."""
        return self._environment.proxy_for(url) if self._environment is not None else None

    async def request(
        self, method: str, url: str, proxy: Proxy | None, options: dict[str, Any]
    ) -> tuple[aiohttp.ClientResponse, bool]:
        """Send a request; once more, on a new connection, where a kept one had been closed.

        Returns:
            The answer, and whether the request was sent twice.

        A server may hang up at any time between two requests. llama.cpp's does so a millisecond
        after each stream, and tinyproxy after each answer, both having promised to keep the
        connection; aiohttp resends only what is idempotent. What hangs up at once has not read
        the request; what does so later may have, and that is the retry policy's business.

        """
        route = self._route_for(proxy, keeps=True)
        try:
            return await route.request(method, url, options), False
        except StaleConnectionError:
            if self._is_closed:
                raise
        log.info("%s %s: the kept connection had been closed; sent on a new one", method, url)
        route = self._route_for(proxy, keeps=False)
        return await route.request(method, url, options), True

    def jar_of(self, identity: Hashable) -> CookieJar:
        """Return the cookies of those who ask as `identity`.

        Each identity has a jar of its own: a server's session is for the one whom it knows by it.
        Jars last while somebody holds them; of the others the newest thousand do.
        """
        jar = self._newest_jars.pop(identity, None) or self._jars.get(identity)
        if jar is None:
            jar = self._jars[identity] = CookieJar()
        self._newest_jars[identity] = jar
        if len(self._newest_jars) > _IDLE_JARS:
            del self._newest_jars[next(iter(self._newest_jars))]
        return jar

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
            route = _Route(connector)
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

    """

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self._requests = 0
        self._answers: WeakSet[aiohttp.ClientResponse] = WeakSet()
        self._open: dict[asyncio.Future[None], KeptConnection] = {}
        self._connect = connector.connect
        connector.connect = self._connect_noted  # type: ignore[method-assign] # the seam
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_DEFAULT_HEADERS,
            auto_decompress=False,
            response_class=_telling_stale(self._noted),
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
        for connection in list(self._open.values()):
            connection.transport.abort()
        await self._session.close()
        if self._open:
            await asyncio.wait(list(self._open))

    async def _connect_noted(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> Connection:
        """Stand in for the connector's `connect`: no connection goes out unnoted, or spoken on."""
        while True:
            connection = await self._connect(req, traces, timeout)
            if self._note(connection, req.url):
                return connection
            connection.close()

    def _note(self, connection: Connection, url: URL) -> bool:
        """Note a connection until it is lost; False where it must not serve again.

        aiohttp forgets those that it lets go.
        """
        protocol, transport = connection.protocol, connection.transport
        closed = protocol.closed if protocol is not None else None
        if protocol is None or transport is None or closed is None:
            return True  # lost already, which aiohttp will find
        noted = self._open.get(closed)
        if noted is None:
            self._open[closed] = noted = KeptConnection(protocol, transport, str(url.origin()))
            closed.add_done_callback(self._forget)
            read_by: Any = transport
            if hasattr(read_by, "max_size"):  # of asyncio's own loop, and without TLS
                read_by.max_size = _READ_BYTES
        elif not noted.take():
            return False
        connection.add_callback(noted.keep)
        return True

    def _noted(self, connection: Connection) -> KeptConnection | None:
        protocol = connection.protocol
        closed = protocol.closed if protocol is not None else None
        return self._open.get(closed) if closed is not None else None

    def _forget(self, closed: asyncio.Future[None]) -> None:
        del self._open[closed]
        if not closed.cancelled():
            closed.exception()  # seen, lest asyncio logs it: whoever was reading was told


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A connection that had served before was closed just as it was to serve again."""


def _telling_stale(
    noted: Callable[[Connection], KeptConnection | None],
) -> type[aiohttp.ClientResponse]:
    """Return a class of responses that tell such a connection from one that breaks later.

    Tracing would tell as well, at a price.
    """

    class Response(aiohttp.ClientResponse):
        async def start(self, connection: Connection) -> Self:
            """Read the head of the response."""
            kept = noted(connection)
            try:
                await super().start(connection)
            except aiohttp.ClientConnectionError:
                if kept is not None and time.monotonic() < kept.stale_until:
                    raise StaleConnectionError from None
                raise
            return self

    return Response
