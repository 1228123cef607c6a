"""A way to servers, direct or through a SOCKS proxy, with the connections that are open on it."""

from __future__ import annotations

import asyncio
import copy
import functools
import math
from typing import TYPE_CHECKING, Any

import aiohttp
from multidict import CIMultiDict

from asyncllm.http.client import (
    DEFAULT_HEADERS,
    Destinations,
    client_timeout,
    request_by,
    whole_url,
)
from asyncllm.http.connectors import DirectConnector
from asyncllm.http.kept import KeptConnection, response_class
from asyncllm.http.sending import Sender, is_for_client
from asyncllm.http.tls import loop_for_tls

if TYPE_CHECKING:
    import ssl

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from yarl import URL

    from asyncllm.http.proxies import Proxy
    from asyncllm.http.request import HttpRequest

# asyncio allocates as much as it might read. By default that is 256 KiB, for which glibc asks the
# kernel, and gives it back, unless there happens to be such a hole in the heap: then each token
# costs several times as much (https://github.com/python/cpython/issues/85451).
_READ_BYTES = 64 * 1024


class Route:
    """A way to servers: aiohttp's client, who is using it, and the connections that it has open.

    Args:
        tunnel: the SOCKS proxy to go through, or None; an HTTP proxy comes with each request.
        ssl: how to verify servers; None for the system's certificate authorities.
        keeps: whether a connection serves again.
        read_ahead: how many bytes of an answer may come before they are asked for.
        accelerate: whether to use aiofastnet for TLS where it is installed.

    Raises:
        ConfigurationError: the extra that brings SOCKS is not installed.

    """

    def __init__(
        self,
        tunnel: Proxy | None,
        *,
        ssl: ssl.SSLContext | None,
        keeps: bool,
        read_ahead: int,
        accelerate: bool,
    ) -> None:
        options: dict[str, Any] = {
            "ssl": ssl or True,
            "limit": 0,
            "force_close": not keeps,
            "timeout_ceil_threshold": math.inf,
        }
        tls = loop_for_tls(asyncio.get_running_loop(), accelerate=accelerate)
        connector = (tunnel.connector if tunnel else DirectConnector)(tls=tls, **options)
        self._requests = 0
        self._warming: set[asyncio.Task[None]] = set()
        self._open: dict[ResponseHandler | None, KeptConnection] = {}
        self._connect = connector.connect
        connector.connect = self._connect_noted  # type: ignore[method-assign] # the seam
        reading: dict[str, Any] = {
            # Of what may wait, aiohttp's readers hold twice as much.
            "read_bufsize": read_ahead // 2,
            "response_class": response_class(self._open.get),
        }
        self._client = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=DEFAULT_HEADERS,
            auto_decompress=False,
            **reading,
        )
        self._sender = Sender(self._client, closes=not keeps, **reading)
        self._destinations = Destinations(self._client)

    @property
    def is_idle(self) -> bool:
        """Whether nobody is sending a request, or reading an answer."""
        return not self._requests and all(each.is_idle for each in self._open.values())

    async def request(self, request: HttpRequest) -> aiohttp.ClientResponse:
        """Send a request, and return its answer once the head of that has come."""
        self._requests += 1
        try:
            if is_for_client(request, self._client):
                return await request_by(self._client, request)
            url = whole_url(request)
            to = await self._destinations.of(request, url)
            connection = await self._connected(to.asked, request)
            return await self._sender.send(request, url, connection, to)
        finally:
            self._requests -= 1

    async def warm(self, request: HttpRequest, count: int) -> None:
        """Have so many connections kept for what goes the way of `request`, which is not sent.

        All are held until the last is open, as one would otherwise be opened and taken again. It
        ends early, and keeps none, where the route is closed meanwhile.
        """
        held: list[Connection] = []
        to = await self._destinations.of(request, whole_url(request))

        async def hold_one() -> None:
            self._requests += 1
            try:
                connection = await self._connected(to.asked, request)
            finally:
                self._requests -= 1
            held.append(connection)
            if kept := self._open.get(connection.protocol):
                kept.is_untried = True

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(count):
                    task = group.create_task(hold_one())
                    self._warming.add(task)
                    task.add_done_callback(self._warming.discard)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            for connection in held:
                (connection.release if len(held) == count else connection.close)()

    async def aclose(self) -> None:
        """Close every connection, and return when that is done.

        None is left to say farewell: a server that does not answer to the end of TLS, or takes
        no more of a request, would hold the connection for long after its stream was left.
        """
        for connection in list(self._open.values()):
            connection.transport.abort()
        if warming := list(self._warming):
            for task in warming:
                task.cancel()
            await asyncio.wait(warming)
        await self._client.close()
        if closed := [connection.closed for connection in self._open.values()]:
            await asyncio.wait(closed)

    async def _connected(self, asked: aiohttp.ClientRequest, request: HttpRequest) -> Connection:
        """Return a connection for what aiohttp's client was asked, or raise, as it would."""
        if request.proxy is not None and not request.proxy.is_socks:
            asked = copy.copy(asked)  # aiohttp adds to the headers, of which it makes a key before
            asked.proxy_headers = CIMultiDict(asked.proxy_headers or ())
        try:
            return await self._connect_noted(asked, [], client_timeout(request.connect))
        except aiohttp.ClientError:
            raise
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        except OSError as error:
            raise aiohttp.ClientOSError(*error.args) from error

    async def _connect_noted(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> Connection:
        """Stand in for the connector's `connect`: no connection goes out unnoted, or spoken on."""
        while True:
            connection = await self._connect(req, traces, timeout)
            kept = self._open.get(connection.protocol)
            if kept is None:
                kept = self._note(connection, req.url)
            else:
                if kept.is_untried:
                    await _settled(kept, connection)
                if not kept.take():
                    connection.close()
                    continue
            if kept is not None:
                connection.add_callback(kept.keep)
            return connection

    def _note(self, connection: Connection, url: URL) -> KeptConnection | None:
        """Note a new connection until it is lost; None where it is already, as aiohttp will find.

        aiohttp forgets those that it lets go.
        """
        handler, transport = connection.protocol, connection.transport
        closed = handler.closed if handler is not None else None
        if handler is None or transport is None or closed is None:
            return None
        noted = KeptConnection(handler, transport, closed, str(url.origin()))
        self._open[handler] = noted
        closed.add_done_callback(functools.partial(self._forget, handler))
        read_by: Any = transport
        if hasattr(read_by, "max_size"):  # of asyncio's own loop, and without TLS
            read_by.max_size = _READ_BYTES
        return noted

    def _forget(self, handler: ResponseHandler, closed: asyncio.Future[None]) -> None:
        del self._open[handler]
        if not closed.cancelled():
            closed.exception()  # seen, lest asyncio logs it: whoever was reading was told


async def _settled(kept: KeptConnection, connection: Connection) -> None:
    """Let what a server has to say unasked, and may, come before the first request."""
    try:
        await kept.settle()
    except BaseException:
        connection.close()
        raise
