"""The connections that the streams of one session manager share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError, TransportError
from asyncllm.http.cookies import CookieJars
from asyncllm.http.routes import Route
from asyncllm.options import READ_AHEAD, environment_accelerates

if TYPE_CHECKING:
    import ssl

    import aiohttp

    from asyncllm.http.entries import Way
    from asyncllm.http.environment import EnvironmentProxies
    from asyncllm.http.proxies import Proxy
    from asyncllm.http.request import HttpRequest
    from asyncllm.http.response import Response

_IDLE_TUNNELS = 16


class ConnectionPool:
    """The connections that the streams of one session manager share.

    Args:
        ssl: how to verify servers; None for the system's certificate authorities.
        environment: the proxies for requests that name none; None to take none from there.
        read_ahead: how many bytes of an answer may come before they are asked for.
        accelerate: whether to use aiofastnet for TLS where it is installed.

    Attributes:
        cookies: what servers have set, for each identity.
        in_use: the responses that somebody is reading.

    """

    def __init__(
        self,
        *,
        ssl: ssl.SSLContext | None = None,
        environment: EnvironmentProxies | None = None,
        read_ahead: int = READ_AHEAD,
        accelerate: bool = True,
    ) -> None:
        self.cookies = CookieJars()
        self.in_use: set[Response] = set()
        self._ssl = ssl
        self._environment = environment
        self._read_ahead = read_ahead
        self._accelerate = accelerate and environment_accelerates()
        self._is_closed = False
        self._routes: dict[tuple[Proxy | None, bool], Route] = {}  # the newest used comes last
        self._closing: set[asyncio.Task[None]] = set()

    def environment_proxy(self, url: str) -> Proxy | None:
        """Return the proxy that the environment names for `url`, if it is asked."""
        return self._environment.proxy_for(url) if self._environment is not None else None

    async def request(self, request: HttpRequest, *, keeps: bool = True) -> aiohttp.ClientResponse:
        """Send a request, and return its answer once the head of that has come.

        Args:
            request: what to send.
            keeps: whether on a connection that may have served, and may serve again.

        Raises:
            StaleConnectionError: one that had served was closed just then.

        """
        return await self._route_for(request.proxy, keeps=keeps).request(request)

    async def warm(self, request: HttpRequest, count: int) -> None:
        """Have so many connections kept for what goes the way of `request`, which is not sent."""
        await self._route_for(request.proxy, keeps=True).warm(request, count)
        self.check_open()

    @property
    def has_own_tls(self) -> bool:
        """Whether servers are verified by a context that the caller gave."""
        return self._ssl is not None

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
                "pass ssl=…"
            )
        return ConnectionPool(
            ssl=self._ssl if way is None or way.has_own_tls else None,
            environment=self._environment if way is None else None,
            accelerate=self._accelerate,
        )

    async def aclose(self) -> None:
        """Close every connection; there are no new ones afterwards."""
        self._is_closed = True
        while self._routes:
            _, route = self._routes.popitem()
            self._close_soon(route)
        while self._closing:
            await asyncio.wait(self._closing)

    def _route_for(self, proxy: Proxy | None, *, keeps: bool) -> Route:
        """Return the route to servers through `proxy`; `keeps` its connections."""
        self.check_open()
        # aiohttp speaks to HTTP proxies by itself; a SOCKS proxy needs a connector of its own.
        tunnel = proxy if proxy is not None and proxy.is_socks else None
        route = self._routes.pop((tunnel, keeps), None)
        if route is None:
            self._close_idle_tunnels()
            route = Route(
                tunnel,
                ssl=self._ssl,
                keeps=keeps,
                read_ahead=self._read_ahead,
                accelerate=self._accelerate,
            )
        self._routes[tunnel, keeps] = route
        return route

    def check_open(self) -> None:
        """Raise a `TransportError` where this is closed."""
        if self._is_closed:
            raise TransportError("the session manager was closed meanwhile")

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

    def _close_soon(self, route: Route) -> None:
        """Close a route in a task that `aclose` waits for."""
        task = asyncio.get_running_loop().create_task(route.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
