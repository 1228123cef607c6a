"""The contenders: each one's own way to consume one streamed answer.

Each is written as its documentation says, and hands every token that it gets to `take`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Self

import aiohttp
import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Take: TypeAlias = Callable[[str], object]

MODEL = "gpt-4o-mini"
QUESTION = "How fast is it?"
MESSAGES = [{"role": "user", "content": QUESTION}]
KEY = "none"
_BODY = {"model": MODEL, "messages": MESSAGES, "stream": True}
_DATA = b"data: "
_DONE = b"data: [DONE]"
_NO_LIMIT = 600.0  # seconds; paced streams rest while others have their turn


class Contender(ABC):
    """One way to stream; `async with` opens and closes what its streams share.

    Args:
        origin: where the load server is.

    Attributes:
        name: how it is called in tables.
        needs: the module without which it can't run.
        is_peer: whether it is somebody else's SDK.

    """

    name: ClassVar[str]
    needs: ClassVar[str]
    is_peer: ClassVar[bool] = False

    def __init__(self, origin: str) -> None:
        self._origin = origin

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:  # noqa: B027 - most share nothing
        pass

    @abstractmethod
    async def consume(self, program: str, take: Take) -> None:
        """Hand every token of the answer at `program`, a path of the load server, to `take`."""


class BlockingContender(ABC):
    """One way to stream without an event loop."""

    name: ClassVar[str]
    needs: ClassVar[str]

    def __init__(self, origin: str) -> None:
        self._origin = origin

    @abstractmethod
    def consume(self, program: str, take: Take) -> None:
        """Hand every token of the answer at `program`, a path of the load server, to `take`."""


class Asyncllm(Contender):
    """asyncllm itself."""

    name = "asyncllm"
    needs = "asyncllm"

    async def __aenter__(self) -> Self:
        from asyncllm import SessionManager, Timeouts  # noqa: PLC0415 - others do without

        limits = Timeouts(first_token=_NO_LIMIT, stall=_NO_LIMIT)
        self._sessions = SessionManager(timeouts=limits)
        self._providers: dict[str, Any] = {}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sessions.aclose()

    async def consume(self, program: str, take: Take) -> None:
        """Iterate over a stream."""
        provider = self._providers.get(program) or self._provider(program)
        async with provider.stream(MESSAGES) as stream:
            async for token in stream:
                take(token)

    def _provider(self, program: str) -> Any:
        from asyncllm import OpenAICompatible  # noqa: PLC0415 - others do without

        base_url = f"{self._origin}/{program}/v1"
        provider = OpenAICompatible(
            base_url=base_url, api_key=KEY, model=MODEL, sessions=self._sessions
        )
        self._providers[program] = provider
        return provider


class _OnAiohttp(Contender):
    """What is written by hand on one aiohttp session without limits."""

    needs = "aiohttp"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"Authorization": f"Bearer {KEY}"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def _url(self, program: str) -> str:
        return f"{self._origin}/{program}/v1/chat/completions"


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Chunk(msgspec.Struct):
    choices: list[_Choice]


_DECODE_CHUNK = msgspec.json.Decoder(_Chunk).decode


class Floor(_OnAiohttp):
    """The least that can be done with aiohttp: no limits, no errors, nothing is checked."""

    name = "floor"

    async def consume(self, program: str, take: Take) -> None:
        """Split what each read brings, and decode what of it is needed."""
        decode, tail = _DECODE_CHUNK, b""
        async with self._session.post(self._url(program), json=_BODY) as response:
            async for read in response.content.iter_any():
                *events, tail = (tail + read).split(b"\n\n")
                for event in events:
                    if event != _DONE:
                        for choice in decode(event[len(_DATA) :]).choices:
                            if token := choice.delta.content:
                                take(token)


class ByHand(_OnAiohttp):
    """What most people write: aiohttp, line by line, and json."""

    name = "aiohttp + json"

    async def consume(self, program: str, take: Take) -> None:
        """Read lines."""
        async with self._session.post(self._url(program), json=_BODY) as response:
            response.raise_for_status()
            async for line in response.content:
                if line.startswith(_DATA) and not line.startswith(_DONE):
                    for choice in json.loads(line[len(_DATA) :])["choices"]:
                        if token := choice["delta"].get("content"):
                            take(token)


class _Peer(Contender):
    """An SDK of somebody else's; it keeps a client for each base URL."""

    is_peer = True

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self._module: Any = import_module(self.needs)
        self._clients: dict[str, Any] = {}

    @abstractmethod
    def _new_client(self, program: str) -> Any:
        """Return a client for the answers at `program`."""

    def _client(self, program: str) -> Any:
        if program not in self._clients:
            self._clients[program] = self._new_client(program)
        return self._clients[program]


class OpenAI(_Peer):
    """https://github.com/openai/openai-python."""

    name = "openai"
    needs = "openai"

    async def consume(self, program: str, take: Take) -> None:
        """Iterate over chunks."""
        completions = self._client(program).chat.completions
        stream = await completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    take(choice.delta.content)

    def _new_client(self, program: str) -> Any:
        return self._module.AsyncOpenAI(
            base_url=f"{self._origin}/{program}/v1", api_key=KEY, timeout=_NO_LIMIT
        )


class LiteLLM(_Peer):
    """https://github.com/BerriAI/litellm."""

    name = "litellm"
    needs = "litellm"

    async def consume(self, program: str, take: Take) -> None:
        """Iterate over chunks."""
        stream = await self._module.acompletion(
            model=f"openai/{MODEL}",
            api_base=f"{self._origin}/{program}/v1",
            api_key=KEY,
            messages=MESSAGES,
            stream=True,
            timeout=_NO_LIMIT,
        )
        async for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    take(choice.delta.content)

    def _new_client(self, program: str) -> Any:
        return None


class HuggingFace(_Peer):
    """https://github.com/huggingface/huggingface_hub."""

    name = "huggingface_hub"
    needs = "huggingface_hub"

    async def consume(self, program: str, take: Take) -> None:
        """Iterate over chunks."""
        completions = self._client(program).chat.completions
        stream = await completions.create(messages=MESSAGES, stream=True)
        async for chunk in stream:
            for choice in chunk.choices:
                if choice.delta.content:
                    take(choice.delta.content)

    def _new_client(self, program: str) -> Any:
        base_url = f"{self._origin}/{program}/v1"
        return self._module.AsyncInferenceClient(base_url=base_url, token=KEY, timeout=_NO_LIMIT)


class Anthropic(_Peer):
    """https://github.com/anthropics/anthropic-sdk-python; on its own wire."""

    name = "anthropic"
    needs = "anthropic"

    async def consume(self, program: str, take: Take) -> None:
        """Iterate over events."""
        messages = self._client(program).messages
        stream = await messages.create(
            model="claude", max_tokens=1024, messages=MESSAGES, stream=True
        )
        async for event in stream:
            if event.type == "content_block_delta":
                take(event.delta.text)

    def _new_client(self, program: str) -> Any:
        return self._module.AsyncAnthropic(
            base_url=f"{self._origin}/{program}", api_key=KEY, timeout=_NO_LIMIT
        )


class Ollama(_Peer):
    """https://github.com/ollama/ollama-python; on its own wire."""

    name = "ollama"
    needs = "ollama"

    async def consume(self, program: str, take: Take) -> None:
        """Iterate over parts."""
        client = self._client(program)
        async for part in await client.chat(model="llama3.2", messages=MESSAGES, stream=True):
            if part.message.content:
                take(part.message.content)

    def _new_client(self, program: str) -> Any:
        return self._module.AsyncClient(host=f"{self._origin}/{program}")


class RunSync(BlockingContender):
    """asyncllm from blocking code."""

    name = "run_sync"
    needs = "asyncllm"

    def consume(self, program: str, take: Take) -> None:
        """Iterate over a stream."""
        import asyncllm  # noqa: PLC0415 - others do without

        base_url = f"{self._origin}/{program}/v1"
        provider = asyncllm.OpenAICompatible(base_url=base_url, api_key=KEY, model=MODEL)
        run_sync: Any = getattr(asyncllm, "run_sync")  # noqa: B009 - checkers may not know it yet
        for token in run_sync(provider.stream(MESSAGES)):
            take(token)


class Requests(BlockingContender):
    """What most people write: requests, line by line, and json."""

    name = "requests + json"
    needs = "requests"

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self._session: Any = import_module("requests").Session()

    def consume(self, program: str, take: Take) -> None:
        """Read lines."""
        url = f"{self._origin}/{program}/v1/chat/completions"
        with self._session.post(url, json=_BODY, stream=True) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith(_DATA) and line != _DONE:
                    for choice in json.loads(line[len(_DATA) :])["choices"]:
                        if token := choice["delta"].get("content"):
                            take(token)


OURS: tuple[type[Contender], ...] = (Asyncllm, Floor, ByHand)
PEERS: tuple[type[Contender], ...] = (OpenAI, LiteLLM, HuggingFace, Anthropic, Ollama)
BLOCKING: tuple[type[BlockingContender], ...] = (RunSync, Requests)


def installed_peers() -> list[str]:
    """Return the names of the peers that can run."""
    return [peer.name for peer in PEERS if find_spec(peer.needs)]


def contender(name: str, origin: str) -> Contender | BlockingContender:
    """Return the contender of that name."""
    streaming = {cls.name: cls for cls in (*OURS, *PEERS)}
    if name in streaming:
        return streaming[name](origin)
    return {cls.name: cls for cls in BLOCKING}[name](origin)
