"""asyncllm itself, on an event loop and from blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from typing_extensions import override

from benchmarks.contenders.base import (
    KEY,
    MESSAGES,
    MODEL,
    NO_LIMIT,
    BlockingContender,
    Contender,
)

if TYPE_CHECKING:
    from benchmarks.contenders.base import Take


class Asyncllm(Contender):
    """asyncllm itself."""

    name = "asyncllm"
    needs = "asyncllm"

    @override
    async def __aenter__(self) -> Self:
        from asyncllm import SessionManager, Timeouts  # noqa: PLC0415 - others do without

        limits = Timeouts(first_token=NO_LIMIT, stall=NO_LIMIT)
        self._sessions = SessionManager(timeouts=limits)
        self._providers: dict[str, Any] = {}
        return self

    @override
    async def __aexit__(self, *_: object) -> None:
        await self._sessions.aclose()

    @override
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


class OnAnotherWire(Asyncllm):
    """asyncllm by a provider with a wire of its own.

    Attributes:
        provider: the name of its class.

    """

    provider: ClassVar[str]

    @override
    def _provider(self, program: str) -> Any:
        import asyncllm  # noqa: PLC0415 - others do without

        make = getattr(asyncllm, self.provider)
        base_url = f"{self._origin}/{program}"
        made = make(base_url=base_url, api_key=KEY, model=MODEL, sessions=self._sessions)
        self._providers[program] = made
        return made


OTHER_WIRES = tuple(
    type(name, (OnAnotherWire,), {"name": f"asyncllm, {name}", "provider": name})
    for name in ("Anthropic", "Gemini", "OpenAIResponses", "Cohere", "Ollama")
)


class RunSync(BlockingContender):
    """asyncllm from blocking code."""

    name = "run_sync"
    needs = "asyncllm"

    @override
    def consume(self, program: str, take: Take) -> None:
        """Iterate over a stream."""
        from asyncllm import OpenAICompatible, run_sync  # noqa: PLC0415 - others do without

        base_url = f"{self._origin}/{program}/v1"
        provider = OpenAICompatible(base_url=base_url, api_key=KEY, model=MODEL)
        for token in run_sync(provider.stream(MESSAGES)):
            take(token)
