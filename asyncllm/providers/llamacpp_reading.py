"""From a generation in another thread to batches of items."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.errors import AsyncLLMError, StreamInterrupted
from asyncllm.providers.llamacpp_engine import CLOSED, Generation
from asyncllm.wires.failures import Complaint, failure
from asyncllm.wires.openai_chat import ChatTranslator

if TYPE_CHECKING:
    from asyncllm.events import Item

_BAD_REQUEST = 400


class GenerationReading(AsyncIterator["list[Item]"]):
    """What comes of one generation: a list of items for all that has come meanwhile.

    Args:
        body: what is asked.

    """

    def __init__(self, body: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._translator = ChatTranslator()
        self._failure: AsyncLLMError | None = None
        self._has_ended = False
        self.generation = Generation(body, self._wake)

    @override
    async def __anext__(self) -> list[Item]:
        """Return what has come.

        Raises:
            StopAsyncIteration: there is no more, and the answer is whole.
            AsyncLLMError: the answer failed.

        """
        translator = self._translator
        while not (self._has_ended or translator.is_done):
            self._news.clear()
            chunks, self._has_ended = self.generation.take()
            batch: list[Item] = []
            try:
                if chunks:
                    translator.feed([*chunks], batch)
                if self._has_ended and not translator.is_done:
                    self._check()
                    batch += translator.close()
            except AsyncLLMError as error:
                self._failure, self._has_ended = error, True  # behind what came before it
            if batch or (chunks and translator.is_building):
                return batch
            if not self._has_ended:
                await self._news.wait()
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    def _check(self) -> None:
        """Refuse an end that the answer has not come to.

        Raises:
            StreamInterrupted: the model was closed.
            AsyncLLMError: the binding raised something.

        """
        error = self.generation.failure
        if error is not None:
            status = _BAD_REQUEST if isinstance(error, ValueError) else 0
            raise failure(Complaint(str(error), status=status))
        if self.generation.is_stopped:
            raise StreamInterrupted(CLOSED)

    def _wake(self) -> None:
        """Tell the reader, from the model's thread, that there is news."""
        with contextlib.suppress(RuntimeError):  # its loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._news.set)
