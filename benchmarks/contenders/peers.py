"""Other people's SDKs, each used as its documentation says."""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from benchmarks.contenders.base import KEY, MESSAGES, MODEL, NO_LIMIT, Contender

if TYPE_CHECKING:
    from benchmarks.contenders.base import Take


class _Peer(Contender):
    """An SDK of somebody else's; it keeps a client for each base URL."""

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

    @override
    async def consume(self, program: str, take: Take) -> None:
        """Iterate over chunks."""
        completions = self._client(program).chat.completions
        stream = await completions.create(model=MODEL, messages=MESSAGES, stream=True)
        await _take_contents(stream, take)

    @override
    def _new_client(self, program: str) -> Any:
        return self._module.AsyncOpenAI(
            base_url=f"{self._origin}/{program}/v1", api_key=KEY, timeout=NO_LIMIT
        )


class LiteLLM(_Peer):
    """https://github.com/BerriAI/litellm."""

    name = "litellm"
    needs = "litellm"

    @override
    async def consume(self, program: str, take: Take) -> None:
        """Iterate over chunks."""
        stream = await self._module.acompletion(
            model=f"openai/{MODEL}",
            api_base=f"{self._origin}/{program}/v1",
            api_key=KEY,
            messages=MESSAGES,
            stream=True,
            timeout=NO_LIMIT,
        )
        await _take_contents(stream, take)

    @override
    def _new_client(self, program: str) -> Any:
        return None


class HuggingFace(_Peer):
    """https://github.com/huggingface/huggingface_hub."""

    name = "huggingface_hub"
    needs = "huggingface_hub"

    @override
    async def consume(self, program: str, take: Take) -> None:
        """Iterate over chunks."""
        completions = self._client(program).chat.completions
        stream = await completions.create(messages=MESSAGES, stream=True)
        await _take_contents(stream, take)

    @override
    def _new_client(self, program: str) -> Any:
        base_url = f"{self._origin}/{program}/v1"
        return self._module.AsyncInferenceClient(base_url=base_url, token=KEY, timeout=NO_LIMIT)


class Anthropic(_Peer):
    """https://github.com/anthropics/anthropic-sdk-python; on its own wire."""

    name = "anthropic"
    needs = "anthropic"

    @override
    async def consume(self, program: str, take: Take) -> None:
        """Iterate over events."""
        messages = self._client(program).messages
        stream = await messages.create(
            model="claude", max_tokens=1024, messages=MESSAGES, stream=True
        )
        async for event in stream:
            if event.type == "content_block_delta":
                take(event.delta.text)

    @override
    def _new_client(self, program: str) -> Any:
        return self._module.AsyncAnthropic(
            base_url=f"{self._origin}/{program}", api_key=KEY, timeout=NO_LIMIT
        )


class Ollama(_Peer):
    """https://github.com/ollama/ollama-python; on its own wire."""

    name = "ollama"
    needs = "ollama"

    @override
    async def consume(self, program: str, take: Take) -> None:
        """Iterate over parts."""
        client = self._client(program)
        async for part in await client.chat(model="llama3.2", messages=MESSAGES, stream=True):
            if part.message.content:
                take(part.message.content)

    @override
    def _new_client(self, program: str) -> Any:
        return self._module.AsyncClient(host=f"{self._origin}/{program}")


PEERS: tuple[type[Contender], ...] = (OpenAI, LiteLLM, HuggingFace, Anthropic, Ollama)


def installed_peers() -> tuple[str, ...]:
    """Return the names of the peers that can run."""
    return tuple(peer.name for peer in PEERS if find_spec(peer.needs))


async def _take_contents(chunks: Any, take: Take) -> None:
    """Hand on what each of OpenAI's chunks adds to the text."""
    async for chunk in chunks:
        for choice in chunk.choices:
            if choice.delta.content:
                take(choice.delta.content)
