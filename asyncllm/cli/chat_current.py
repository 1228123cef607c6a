"""Who answers in a chat now: the provider and the model, and how they change."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from asyncllm.cli.aliases import aliases
from asyncllm.cli.choosing import OPENAI_COMPATIBLE, SANDBOX, Choice, Chosen, chosen
from asyncllm.cli.known import provider_names
from asyncllm.errors import AsyncLLMError

if TYPE_CHECKING:
    from collections.abc import Callable

_LIST_SECONDS = 10.0


class Answerer:
    """Who answers now.

    Args:
        first: who answers first, as it was typed.

    """

    def __init__(self, first: Choice) -> None:
        self._choice = first
        self._found: Chosen | None = None
        self._open = contextlib.AsyncExitStack()
        self._models: list[str] | None = None
        self._first = ("", "")  # the name and the address of the provider that it began with

    @property
    def now(self) -> Chosen:
        """The provider and the model that answer.

        Raises:
            RuntimeError: nobody has been chosen yet.

        """
        if self._found is None:
            raise RuntimeError("nobody has been chosen yet")
        return self._found

    @property
    def label(self) -> str:
        """What they are called."""
        return f"{self.now.name}/{self.now.model}" if self.now.model else self.now.name

    async def begin(self) -> None:
        """Have the first one answer.

        Raises:
            AsyncLLMError: it can't be told who that is.

        """
        await self._switch(self._choice)
        self._first = (self.now.name, self.now.base_url)

    async def switch(self, model: str) -> None:
        """Have another one answer; where that fails, it stays as it was.

        Args:
            model: what `/model` takes.

        Raises:
            AsyncLLMError: it can't be told who is meant.

        """
        await self._switch(self._meant(model))

    async def models(self, complain: Callable[[str], None] | None = None) -> list[str]:
        """Return the provider's models; none where it does not say.

        Args:
            complain: is told why it does not.

        """
        if self._models is None:
            try:
                async with asyncio.timeout(_LIST_SECONDS):
                    self._models = await self.now.provider.list_models()
            except (AsyncLLMError, TimeoutError) as error:
                if complain is not None and isinstance(error, AsyncLLMError):
                    complain(str(error))
                return []
        return self._models

    async def aclose(self) -> None:
        """Let go of the provider."""
        await self._open.aclose()

    async def _switch(self, choice: Choice) -> None:
        stack = contextlib.AsyncExitStack()
        self._found = await stack.enter_async_context(chosen(choice))
        before, self._open, self._models = self._open, stack, None
        await before.aclose()

    def _meant(self, model: str) -> Choice:
        """Return who is meant by a model that was typed in the chat: this provider, or another.

        A key and an address that were typed when it began go to the provider of then alone.
        """
        now, meant = self.now, aliases().get(model, model)
        first, _, rest = meant.partition("/")
        is_of_this_one = meant in (self._models or ())  # OpenRouter has an openai/gpt-5, say
        if meant.lower().endswith(".gguf"):
            return Choice(model=meant)
        if is_of_this_one or first.lower() not in {*provider_names(), SANDBOX, OPENAI_COMPATIBLE}:
            first, rest = now.name, meant
        key, url = "", now.base_url if first.lower() == now.name else ""
        if first.lower() == self._first[0]:
            key, url = self._choice.key, self._first[1]
        return Choice(
            provider=first.lower(), model=rest, base_url=url, key=key, proxy=self._choice.proxy
        )
