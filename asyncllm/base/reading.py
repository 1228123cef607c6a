"""From the bodies of responses to batches of items: the loop over their reads, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.errors import AsyncLLMError, StreamInterrupted
from asyncllm.events import Ping
from asyncllm.http.failures import READ_ERRORS, broken

if TYPE_CHECKING:
    from asyncllm.base.ask import Next
    from asyncllm.base.request import Request
    from asyncllm.base.responses import Responses
    from asyncllm.base.wire import ServerProvider
    from asyncllm.events import Item
    from asyncllm.framing.sse import Payload
    from asyncllm.http.response import Response
    from asyncllm.wires import Translator

_LAST_WORD = b"[DONE]"  # behind which some servers forget the empty line


class Reading(AsyncIterator["list[Item]"]):
    """What comes of one answer, by its translators: a list of items for each network read.

    It is one coroutine from the bytes to whoever holds the answer, and no generator: with a
    thousand streams, each of those on a token's way costs as much as its decoding.

    A list is empty where something is being written that is not whole yet.

    Args:
        responses: those that the answer comes in.
        response: the first of them, to read.
        provider: says how to read it, how it goes on, and explains what ended it too early.
        request: what was asked.

    Attributes:
        is_over: whether all has been returned, and the answer is whole.
        request: what was asked, without its body: with images that takes megabytes.

    """

    __slots__ = (
        "_body",
        "_failure",
        "_has_ended",
        "_provider",
        "_response",
        "_responses",
        "_translator",
        "is_over",
        "request",
    )

    def __init__(
        self,
        responses: Responses,
        response: Response,
        provider: ServerProvider,
        request: Request,
    ) -> None:
        self.is_over = False
        self._responses = responses
        self._provider = provider
        self.request = msgspec.structs.replace(request, body=b"")
        self._begin(response, provider.translator(request))

    def _begin(self, response: Response, translator: Translator) -> None:
        """Read `response` from now on."""
        self._response = response
        self._translator = translator
        self._body = response.body_as(self._provider.framing)
        self._failure: AsyncLLMError | None = None
        self._has_ended = False

    @override
    async def __anext__(self) -> list[Item]:
        """Return what the next network read brings.

        Raises:
            StopAsyncIteration: there is no more, and the answer is whole.
            ProtocolError: the body is a page or has no event at all, or an event is too large.
            AsyncLLMError: the answer failed or was cut off; what came before it was returned.

        """
        while True:
            while self._has_ended or self._translator.is_done:
                await self._go_on()
            translator, body, inflow = self._translator, self._body, self._response.inflow
            try:
                while (chunk := inflow.take()) is None:
                    await inflow.arrival()
            except READ_ERRORS as error:
                self._fail(broken(type(error)))
                continue
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
                    self._check_end()
                    batch += [] if translator.is_done else translator.close()
            except AsyncLLMError as error:
                self._fail(error)
            if payloads and translator.is_building:
                # A ping says that nothing new has come, and something has.
                return [item for item in batch if not isinstance(item, Ping)]
            if batch:
                return batch

    def _check_end(self) -> None:
        """Refuse a body that ends amid an event, where that may be a part of the answer.

        Raises:
            StreamInterrupted: it does.

        """
        if self._provider.ends_with_body and not self._translator.is_done:
            unfinished = self._body.unfinished.strip()
            if unfinished and not unfinished.endswith(_LAST_WORD):
                raise StreamInterrupted(
                    "the answer was cut off: it ended in the middle of an event"
                )

    def _fail(self, failure: AsyncLLMError) -> None:
        self._failure, self._has_ended = failure, True

    async def _go_on(self) -> None:
        """Go on in another response, where the answer does.

        Raises:
            StopAsyncIteration: it does not, as it is whole.
            AsyncLLMError: it does not, and it is not whole.

        """
        if self._failure is None and not self._translator.is_done:
            try:
                self._body.check()
            except AsyncLLMError as error:
                self._failure = error
        provider, failure = self._provider, self._failure
        following = provider.go_on(self.request, self._translator, failure)
        if following is not None:
            return await self._follow(following)
        if failure is None:
            self.is_over = True
            raise StopAsyncIteration
        raise provider.explain(self.request, self._response.masked(self._body.explained(failure)))

    async def _follow(self, following: Next) -> None:
        """Open the next response, to read on there; without one, the answer has failed."""
        if following.wait:
            await asyncio.sleep(following.wait)
        translator, failure = following.translator, self._failure
        try:
            response = await self._responses.following(following.ask, self.request, failure)
        except AsyncLLMError as error:
            # What comes of it may be that it is asked for once more.
            self._translator, self._failure, self._has_ended = translator, error, True
        else:
            self._begin(response, translator)
