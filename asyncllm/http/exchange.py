"""One request and its response: sent on entering, and let go of on leaving."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec
from multidict import istr

from asyncllm.errors import AsyncLLMError, let_go
from asyncllm.http.failures import request_errors, request_failure
from asyncllm.http.kept import StaleConnectionError
from asyncllm.http.response import Response

if TYPE_CHECKING:
    from collections.abc import Container

    import aiohttp

    from asyncllm.http.connections import ConnectionPool
    from asyncllm.http.cookies import CookieJar
    from asyncllm.http.request import HttpRequest

log = logging.getLogger("asyncllm")

_SET_COOKIE = istr("Set-Cookie")  # made once: to look up a plain `str` takes twice as long


class Exchange:
    """A request that is sent on entering, and whose connection is let go on leaving.

    In between the pool knows of the response: in a cycle of garbage it would be finalised
    together with the generator that has yet to leave.

    Every error that may quote the request or the answer leaves `http` through here, also one that
    a provider raises while it reads, and is masked here: here it is known what the server was
    told, and what it said to keep. `Response.masked` is for those that are raised while this
    stands and waits.

    Args:
        request: what to send.
        pool: where the connections are.
        jar: where to keep the cookies that the server sets.
        accept: the statuses that are no error.
        max_event_bytes: the most bytes of one event, or of a body that is read whole.

    """

    __slots__ = (
        "_accept",
        "_answer",
        "_jar",
        "_max_event_bytes",
        "_pool",
        "_request",
        "_response",
        "_was_resent",
    )

    def __init__(
        self,
        request: HttpRequest,
        pool: ConnectionPool,
        jar: CookieJar,
        *,
        accept: Container[int],
        max_event_bytes: int,
    ) -> None:
        self._request = request
        self._pool = pool
        self._jar = jar
        self._accept = accept
        self._max_event_bytes = max_event_bytes
        self._answer: aiohttp.ClientResponse | None = None
        self._response: Response | None = None
        self._was_resent = False

    async def __aenter__(self) -> Response:
        response = await self._send()
        is_accepted = response.status in self._accept
        if is_accepted and not response.coding:
            self._response = response
            self._pool.in_use.add(response)
            return response
        raise self._masked(await response.failure(is_accepted=is_accepted))

    async def __aexit__(self, _: object, failure: BaseException | None, __: object) -> None:
        response = self._response
        assert response is not None
        self._pool.in_use.discard(response)
        if failure is None:
            await response.drain()
            return
        response.close()
        if isinstance(failure, AsyncLLMError):
            self._masked(failure)

    async def _send(self) -> Response:
        request = self._request
        try:
            answer = await self._sent()
        except AsyncLLMError:
            raise  # the pool's own, which is one of the others too, and quotes nobody
        except request_errors() as error:
            failure = self._masked(request_failure(error, request))
            let_go(error)
        else:
            self._answer = answer
            if told := answer.headers.getall(_SET_COOKIE, ()):
                self._jar.keep(told, request.url)
            # Without its body, which may take megabytes: it has been sent, and is in no error.
            self._request = msgspec.structs.replace(request, data=None)
            return Response(
                answer, self._max_event_bytes, request=self._request, was_resent=self._was_resent
            )
        try:
            raise failure  # outside of the handler: aiohttp's own texts must not be its context
        finally:
            del failure  # its traceback holds this frame: they would be a cycle of garbage

    async def _sent(self) -> aiohttp.ClientResponse:
        """Send the request; once more, on a new connection, where a kept one had been closed.

        A server may hang up at any time between two requests. llama.cpp's does so a millisecond
        after each stream, and tinyproxy after each answer, both having promised to keep the
        connection; aiohttp resends only what is idempotent. What hangs up at once has hardly read
        the request; what does so later may well have, and that is the retry policy's business.
        """
        request = self._request
        try:
            return await self._pool.request(request)
        except StaleConnectionError:
            self._pool.check_open()
        self._was_resent = True
        log.info(
            "%s %s: the kept connection had been closed; sent on a new one",
            request.method,
            request.url,
        )
        return await self._pool.request(request, keeps=False)

    def _masked(self, error: AsyncLLMError) -> AsyncLLMError:
        if self._was_resent:
            error.was_resent = True
        return self._request.masked(error, self._answer)
