"""From the body of a response to batches of items: the loop over its reads, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.errors import AsyncLLMError
from asyncllm.events import Ping
from asyncllm.http.failures import READ_ERRORS, broken

if TYPE_CHECKING:
    from asyncllm.base.request import Request
    from asyncllm.base.wire import ServerProvider
    from asyncllm.events import Item
    from asyncllm.framing.sse import Payload
    from asyncllm.http.response import Response


class Reading(AsyncIterator["list[Item]"]):
    """What comes of one response, by one translator: a list of items for each network read.

    It is one coroutine from the bytes to whoever holds the answer, and no generator: with a
    thousand streams, each of those on a token's way costs as much as its decoding.

    A list is empty where something is being written that is not whole yet.

    Args:
        response: what to read.
        provider: says how to read it, and explains what ended it too early.
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
        "_translator",
        "is_over",
        "request",
    )

    def __init__(self, response: Response, provider: ServerProvider, request: Request) -> None:
        self.is_over = False
        self._response = response
        self._provider = provider
        self.request = msgspec.structs.replace(request, body=b"")
        self._translator = provider.translator(request)
        self._body = response.body_as(provider.framing)
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
        translator, body, inflow = self._translator, self._body, self._response.inflow
        while not (self._has_ended or translator.is_done):
            try:
                while (chunk := inflow.take()) is None:
                    await inflow.arrival()
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
        self._end()
        raise StopAsyncIteration

    def _fail(self, failure: AsyncLLMError) -> None:
        self._failure, self._has_ended = failure, True

    def _end(self) -> None:
        """Say that all has been returned, or raise what ended the answer too early."""
        if self._failure is None and not self._translator.is_done:
            try:
                self._body.check()
            except AsyncLLMError as error:
                self._failure = error
        if self._failure is None:
            self.is_over = True
        else:
            failure = self._response.masked(self._body.explained(self._failure))
            raise self._provider.explain(self.request, failure)
