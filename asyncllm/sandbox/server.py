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
from asyncllm.sandbox.wires import (
    AnthropicWire,
    ChatUIWire,
    CohereWire,
    OllamaWire,
    OpenAIWire,
    TGIWire,
    TodayChatUIWire,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from ssl import SSLContext
    from types import TracebackType

    from asyncllm.sandbox.faults import Fault

_STATE = "/_sandbox/state"
_REQUESTS_KEPT = 10_000


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
        api_key: what the OpenAI wire, Cohere's and Anthropic's want as a bearer token, the first
            also as `?auth=` and the last as `x-api-key`; None for anything.

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
        self._chatui = ChatUIWire(self._backend)
        self._today = TodayChatUIWire(self._backend)
        self._openai = OpenAIWire(self._backend, api_key)
        self._anthropic = AnthropicWire(self._backend, api_key)
        self._cohere = CohereWire(self._backend, api_key)
        self._ollama = OllamaWire(self._backend)
        self._tgi = TGIWire(self._backend)
        self._site: Site | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl else 'http'}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many TCP connections have been accepted so far."""
        return self._site.accepted if self._site is not None else 0

    @property
    def conversations(self) -> int:
        """How many chat-ui conversations exist now; those that were deleted do not."""
        return len(self._chatui.conversations) + len(self._today.conversations)

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
        today = self._today.conversations.get(conversation)
        return tuple((today or self._chatui.conversations[conversation]).answers)

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
        self._today.lose_sessions()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is not to be had.
            RuntimeError: it has been started before.

        """
        if self._site is not None:
            raise RuntimeError("a sandbox can be started only once")
        conversing = (self._chatui, self._today)
        others = (self._anthropic, self._cohere, self._ollama, self._tgi)
        routes = (
            *[route for wire in (*conversing, *others) for route in wire.routes()],
            web.get("/v1/models", self._list_models),
            *self._openai.routes(),
            web.get(_STATE, self._state),
        )
        self._site = Site(routes, self._remember, self._ssl)
        try:
            self.port = await self._site.start(self._host, self.port)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close every connection and end every generation, at once; again does nothing.

        It runs to its end even if the caller is cancelled, and only then lets the
        cancellation pass.
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

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        """Answer what several wires ask at one path: two of them say more than OpenAI's."""
        wire: AnthropicWire | CohereWire | OpenAIWire = self._openai
        if "anthropic-version" in request.headers:
            wire = self._anthropic
        elif "endpoint" in request.query:
            wire = self._cohere
        return await wire.list_models(request)

    async def _state(self, _request: web.Request) -> web.Response:
        state = {
            "conversations": self.conversations,
            "generating": self.generating,
            "requests": self._request_count,
            "connections": self.connections,
        }
        return web.json_response(state)
