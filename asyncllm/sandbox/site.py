"""Serving routes on one address, until all that came of it is closed at once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

from aiohttp import web

from asyncllm.sandbox.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from ssl import SSLContext

    _Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ANYTHING = "/{path:.*}"
_BODY_LIMIT = 64 * 1024 * 1024


class Site:
    """An aiohttp server that knows its handlers, so that none of them outlives it.

    `observe` is awaited with each request before its handler is.
    """

    def __init__(
        self,
        routes: Iterable[web.RouteDef],
        observe: Callable[[web.Request], Awaitable[None]],
        ssl: SSLContext | None,
    ) -> None:
        self._observe = observe
        self._ssl = ssl
        self._listener: Listener | None = None
        self._handling: set[asyncio.Task[object]] = set()
        app = web.Application(client_max_size=_BODY_LIMIT)
        # No middleware: aiohttp keeps those that it has built, and all they hold, for good.
        for route in (*routes, web.route("*", _ANYTHING, _unknown)):
            handler = partial(self._handle, cast("_Handler", route.handler))
            app.router.add_route(route.method, route.path, handler)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            # A client that leaves ends the reading of a stream, like a closed socket in chat-ui.
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )

    @property
    def accepted(self) -> int:
        """How many TCP connections have been accepted so far."""
        return self._listener.accepted if self._listener is not None else 0

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: the address is not to be had.

        """
        await self._runner.setup()
        serve = self._runner.server
        assert serve is not None
        self._listener = Listener(serve, self._ssl)
        # "localhost" may be two addresses, and port 0 would be another port on each of them.
        return await self._listener.listen("127.0.0.1" if host == "localhost" else host, port)

    async def aclose(self) -> None:
        """Abort every connection and cancel every handler, and wait until all have ended."""
        if self._listener is not None:
            self._listener.close()
        server = self._runner.server
        for connection in server.connections if server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()
        for task in self._handling:
            task.cancel()
        await asyncio.gather(*self._handling, return_exceptions=True)
        await self._runner.cleanup()
        if self._listener is not None:
            await self._listener.wait_closed()

    async def _handle(self, handler: _Handler, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._handling.add(task)
        try:
            await self._observe(request)
            return await handler(request)
        except ConnectionError:
            # The client has left; whatever is returned is not sent.
            return web.Response()
        finally:
            self._handling.discard(task)


async def _unknown(request: web.Request) -> web.StreamResponse:
    """Answer as aiohttp does where no route fits: 405 for another method, 404 otherwise."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        match, methods = await resource.resolve(request)
        allowed |= methods if match is None else set()
    if allowed:
        raise web.HTTPMethodNotAllowed(request.method, allowed)
    raise web.HTTPNotFound
