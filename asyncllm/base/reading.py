"""From the body of a response to batches of items: the loop over its reads, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError
from asyncllm.events import Ping
from asyncllm.http.failures import READ_ERRORS, broken

if TYPE_CHECKING:
    from asyncllm.events import Item
    from asyncllm.framing.body import Framing
    from asyncllm.framing.sse import Payload
    from asyncllm.http.response import Response
    from asyncllm.wires.translator import Translator


class Reading:
    """What comes of one response, by one translator.

    It is one coroutine from aiohttp's read to a batch, and no generator: with a thousand streams,
    each of those on a token's way costs as much as its decoding (10 % of all above aiohttp).

    Args:
        response: what to read.
        translator: what to give its events to.
        asked: the framing that was asked for.

    """

    __slots__ = ("_body", "_content", "_failure", "_has_ended", "_translator")

    def __init__(self, response: Response, translator: Translator, asked: Framing = "sse") -> None:
        self._content, self._body = response.content, response.body_as(asked)
        self._translator = translator
        self._failure: AsyncLLMError | None = None
        self._has_ended = False

    async def next_batch(self) -> list[Item] | None:
        """Return what the next network read brings, and None at the end.

        A batch is empty where something is being written that is not whole yet.

        Raises:
            ProtocolError: the body is a page or has no event at all, or an event is too large.
            AsyncLLMError: the answer failed or was cut off; what came before it was returned.

        """
        translator, body = self._translator, self._body
        while not (self._has_ended or translator.is_done):
            try:
                chunk = await self._content.readany()
            except READ_ERRORS as error:
                self._fail(broken(type(error)))
                break
            batch: list[Item] = []
            payloads: list[Payload] | None = None
            try:
                decoder = body.events or body
                payloads = decoder.feed(chunk) if chunk else body.close()
                if payloads:
                    translator.feed(payloads, batch)
                    self._has_ended = decoder.has_failed
                if not chunk:
                    self._has_ended = True
                    batch += [] if translator.is_done else translator.close()
            except AsyncLLMError as error:
                self._fail(error)
            if payloads and translator.is_building:
                # A ping says that nothing new has come, and something has.
                return [item for item in batch if not isinstance(item, Ping)]
            if batch:
                return batch
        if self._failure is not None:
            raise body.explained(self._failure)
        if not translator.is_done:
            body.check()
        return None

    def _fail(self, failure: AsyncLLMError) -> None:
        self._failure, self._has_ended = failure, True
