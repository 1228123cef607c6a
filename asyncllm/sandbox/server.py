"""The sandbox itself: a real HTTP server on loopback that speaks every supported wire."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from aiohttp import web

from asyncllm.sandbox.backend import Backend
from asyncllm.sandbox.chatui import ChatUI
from asyncllm.sandbox.fault_book import FaultBook
from asyncllm.sandbox.listener import Listener
from asyncllm.sandbox.openai import OpenAI

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from ssl import SSLContext
    from types import TracebackType

    from asyncllm.sandbox.faults import Fault

    _Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STATE = "/_sandbox/state"
_ANYTHING = "/{path:.*}"
_REQUESTS_KEPT = 10_000
_BODY_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """What was asked.

    Attributes:
        method: the HTTP method.
        path: without the query.
        query: of repeated names the last value.
        headers: names in lower case; of repeated names the last value.
        body: as it came.

    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Sandbox:
    """Every supported wire on one loopback port, for as long as it is open.

    Use it around what is to be tested::

        async with Sandbox(token_rate=50, faults=[Drop(after=3, times=1)]) as sandbox:
            ...  # talk to sandbox.url
            assert sandbox.conversations == 0

    Everything but `start` and `aclose` may also be used from another thread.

    Args:
        host: where to listen.
        port: where to listen; 0 takes a free one.
        rtt: seconds before each answer, for a stream before its first token.
        token_rate: tokens per second; None for all at once.
        tokens: the length of every answer in tokens; None for the natural one.
        faults: see `asyncllm.sandbox.faults`; more of them with `add_fault`.
        ssl: a server's context; the URL is then https.
        models: model names to know besides the documented ones.
        api_key: what the OpenAI wire wants as a bearer token or as `?auth=`; None for anything.

    Attributes:
        requests: what was asked, a `Request` each, the newest last; at most 10,000 of them.
        port: where it listens.

    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        rtt: float = 0.0,
        token_rate: float | None = None,
        tokens: int | None = None,
        faults: Iterable[Fault] = (),
        ssl: SSLContext | None = None,
        models: Sequence[str] = (),
        api_key: str | None = None,
    ) -> None:
        self.port = port
        self.requests: deque[Request] = deque(maxlen=_REQUESTS_KEPT)
        self._request_count = 0
        self._host = host
        self._ssl = ssl
        self._faults = FaultBook(faults)
        self._backend = Backend(rtt, token_rate, tokens, models, self._faults)
        self._chatui = ChatUI(self._backend)
        self._openai = OpenAI(self._backend, api_key)
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._handling: set[asyncio.Task[object]] = set()
        self._closing: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl else 'http'}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many TCP connections have been accepted so far."""
        return self._listener.accepted if self._listener is not None else 0

    @property
    def conversations(self) -> int:
        """How many chat-ui conversations exist now; those that were deleted do not."""
        return len(self._chatui.conversations)

    @property
    def generating(self) -> int:
        """How many answers are being generated now, with or without a reader."""
        return self._backend.generating

    def answers(self, conversation: str) -> tuple[str, ...]:
        """List the answers stored in a chat-ui conversation, finished or stopped, oldest first.

        Args:
            conversation: its id.

        Raises:
            KeyError: there is no such conversation.

        """
        return tuple(self._chatui.conversations[conversation].answers)

    def add_fault(self, fault: Fault) -> None:
        """Declare a fault for the requests to come.

        Args:
            fault: comes after those of its kind that were declared before.

        """
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Declare that all is well for the requests to come."""
        self._faults.clear()

    def lose_sessions(self) -> None:
        """Forget all settings and conversations, as a restart with an empty database would."""
        self._chatui.lose_sessions()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is not to be had.
            RuntimeError: it has been started before.

        """
        if self._runner is not None:
            raise RuntimeError("a sandbox can be started only once")
        app = web.Application(client_max_size=_BODY_LIMIT)
        # No middleware: aiohttp keeps those that it has built, and all they hold, for good.
        for route in (
            *self._chatui.routes(),
            *self._openai.routes(),
            web.get(_STATE, self._state),
            web.route("*", _ANYTHING, self._unknown),
        ):
            recorded = partial(self._record, cast("_Handler", route.handler))
            app.router.add_route(route.method, route.path, recorded)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            # A client that leaves ends the reading of a stream, like a closed socket in chat-ui.
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )
        try:
            await self._runner.setup()
            await self._listen(self._runner)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close every connection and end every generation, at once; again does nothing.

        It runs to its end even if the caller is cancelled, and only then lets the
        cancellation pass.
        """
        if self._runner is None:
            return
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(self._runner))
        interruption: asyncio.CancelledError | None = None
        while not self._closing.done():
            try:
                await asyncio.wait({self._closing})
            except asyncio.CancelledError as cancelled:
                interruption = cancelled
        if interruption is not None:
            raise interruption
        self._closing.result()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _listen(self, runner: web.AppRunner) -> None:
        serve = runner.server
        assert serve is not None
        # "localhost" may be two addresses, and port 0 would be another port on each of them.
        host = "127.0.0.1" if self._host == "localhost" else self._host
        self._listener = Listener(serve, self._ssl)
        self.port = await self._listener.listen(host, self.port)

    async def _close(self, runner: web.AppRunner) -> None:
        if self._listener is not None:
            self._listener.close()
        for connection in runner.server.connections if runner.server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()
        for task in self._handling:
            task.cancel()
        await self._backend.aclose()
        await asyncio.gather(*self._handling, return_exceptions=True)
        await runner.cleanup()
        if self._listener is not None:
            await self._listener.wait_closed()

    async def _record(self, handler: _Handler, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._handling.add(task)
        try:
            if request.path != _STATE:
                await self._remember(request)
            return await handler(request)
        except ConnectionError:
            # The client has left; whatever is returned is not sent.
            return web.Response()
        finally:
            self._handling.discard(task)

    async def _remember(self, request: web.Request) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.requests.append(
            Request(request.method, request.path, dict(request.query), headers, body)
        )
        self._request_count += 1

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        """Answer as aiohttp does where no route fits: 405 for another method, 404 otherwise."""
        allowed: set[str] = set()
        for resource in request.app.router.resources():
            match, methods = await resource.resolve(request)
            allowed |= methods if match is None else set()
        if allowed:
            raise web.HTTPMethodNotAllowed(request.method, allowed)
        raise web.HTTPNotFound

    async def _state(self, _request: web.Request) -> web.Response:
        state = {
            "conversations": self.conversations,
            "generating": self.generating,
            "requests": self._request_count,
            "connections": self.connections,
        }
        return web.json_response(state)
