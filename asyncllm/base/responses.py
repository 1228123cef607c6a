"""`Responses`: those that one answer comes in, one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.base.ask import with_extra

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from asyncllm.base.ask import Ask
    from asyncllm.base.request import Request
    from asyncllm.http import Http, Response


class Responses:
    """The responses of one answer: on entering the first is opened, on leaving the last let go of.

    Args:
        http: to send with.
        ask: what to send first.
        request: what is asked.

    Raises:
        ConfigurationError: it can't be sent.

    """

    __slots__ = ("_exchange", "_http", "_is_open")

    def __init__(self, http: Http, ask: Ask, request: Request) -> None:
        self._http = http
        self._exchange = self._exchange_for(ask, request)
        self._is_open = False

    async def __aenter__(self) -> Response:
        response = await self._exchange.__aenter__()
        self._is_open = True
        return response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_open:
            self._is_open = False
            await self._exchange.__aexit__(kind, error, traceback)

    async def following(self, ask: Ask, request: Request, after: Exception | None) -> Response:
        """Let go of the response that is open, and return that to what is asked next.

        Args:
            ask: what to send.
            request: what was asked first.
            after: what ended the response too early; None where it was read to its end.

        Raises:
            AsyncLLMError: there is no response.

        """
        await self.__aexit__(type(after) if after is not None else None, after, None)
        self._exchange = self._exchange_for(ask, request)
        return await self.__aenter__()

    def _exchange_for(self, ask: Ask, request: Request) -> AbstractAsyncContextManager[Response]:
        # Of this very call: a header may sign the body, or have an id in common with it.
        body = with_extra(ask.body, request) if ask.body is not None else request.body or None
        url = f"{request.base_url}{ask.path}"
        return self._http.open(ask.method, url, json=body, headers=ask.headers, query=ask.query)
