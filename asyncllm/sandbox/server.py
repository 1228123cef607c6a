"""The sandbox itself: a real HTTP server on loopback that speaks every supported wire."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from aiohttp import web

from asyncllm.sandbox.faults.book import FaultBook
from asyncllm.sandbox.generation import Backend
from asyncllm.sandbox.site import Site
from asyncllm.sandbox.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from ssl import SSLContext
    from types import TracebackType

    from asyncllm.sandbox.faults import Fault

_STATE = "/_sandbox/state"
_REQUESTS_KEPT = 10_000


@dataclass(frozen=True)
class Request:
    """A request that the sandbox received.

    Attributes:
        method: the HTTP method.
        path: the path, without the query.
        query: the last value of repeated names.
        headers: names in lower case; the last value of repeated names.
        body: as it arrived.

    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Sandbox:
    """The API of every supported provider on one loopback port, for as long as it is open.

    Use it around what you want to test::

        async with Sandbox(token_rate=50, faults=[Drop(after=3, times=1)]) as sandbox:
            ...  # talk to sandbox.url
            assert sandbox.conversations == 0

    Everything but `start` and `aclose` may also be used from another thread.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        rtt: seconds before each answer; for a stream, before its first token.
        token_rate: tokens per second; None for all at once.
        tokens: the length of every answer in tokens; None for its natural length.
        faults: see `asyncllm.sandbox.faults`; add more with `add_fault`.
        ssl: a server's context; the URL is then https.
        models: names of models besides the documented ones.
        api_key: the key that services require, in their headers or as a bearer token, and
            OpenAI's format also as `?auth=`; None accepts anything.

    Raises:
        ValueError: `rtt` or `tokens` is below 0, or `token_rate` is not above it.

    Attributes:
        requests: the requests so far, the newest last; at most 10,000 of them.
        port: the port that it listens on.

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
        _check(rtt, token_rate, tokens)
        self.port = port
        self.requests: deque[Request] = deque(maxlen=_REQUESTS_KEPT)
        self._request_count = 0
        self._host = host
        self._ssl = ssl
        self._faults = FaultBook(faults)
        self._backend = Backend(rtt, token_rate, tokens, models, self._faults)
        self._wires = Wires(self._backend, api_key)
        self._site: Site | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl else 'http'}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many TCP connections have been accepted so far."""
        return self._site.accepted if self._site is not None else 0

    @property
    def conversations(self) -> int:
        """How many chat-ui conversations exist now; deleted ones don't count."""
        return self._wires.conversations

    @property
    def generating(self) -> int:
        """How many answers are being generated now, with or without a reader."""
        return self._backend.generating

    def answers(self, conversation: str) -> tuple[str, ...]:
        """List the answers in a chat-ui conversation, finished or stopped, oldest first.

        Args:
            conversation: its id.

        Raises:
            KeyError: there is no such conversation.

        """
        return self._wires.answers(conversation)

    def add_fault(self, fault: Fault) -> None:
        """Declare a fault for future requests.

        Args:
            fault: it comes after faults of its kind that were declared before.

        """
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults: future requests work."""
        self._faults.clear()

    def lose_sessions(self) -> None:
        """Forget all settings and conversations, as a restart with an empty database would."""
        self._wires.lose_sessions()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is not available.
            RuntimeError: it has been started before.

        """
        if self._site is not None:
            raise RuntimeError("a sandbox can be started only once")
        routes = (*self._wires.routes(), web.get(_STATE, self._state))
        self._site = Site(routes, self._remember, self._ssl)
        try:
            self.port = await self._site.start(self._host, self.port)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close every connection and end every generation, at once; a second call does nothing.

        It runs to its end even if the caller is cancelled, and only then lets the cancellation
        pass.
        """
        if self._site is None:
            return
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(self._site))
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

    async def _close(self, site: Site) -> None:
        await site.aclose()
        await self._backend.aclose()

    async def _remember(self, request: web.Request) -> None:
        if request.path == _STATE:
            return
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        self.requests.append(
            Request(request.method, request.path, dict(request.query), headers, body)
        )
        self._request_count += 1

    async def _state(self, _request: web.Request) -> web.Response:
        state = {
            "conversations": self.conversations,
            "generating": self.generating,
            "requests": self._request_count,
            "connections": self.connections,
        }
        return web.json_response(state)


def _check(rtt: float, token_rate: float | None, tokens: int | None) -> None:
    """Refuse numbers that nothing can be made of.

    Raises:
        ValueError: there is one.

    """
    for name, number in {"rtt": rtt, "tokens": tokens or 0}.items():
        if not number >= 0:
            raise ValueError(f"{name} must not be below 0, as {number} is")
    if token_rate is not None and not token_rate > 0:
        raise ValueError(f"token_rate must be above 0, which {token_rate} is not; None is no limit")
