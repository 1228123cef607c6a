"""What every route of OpenAI's wires does first: the key, the delay, the body, a refusal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from asyncllm.sandbox.faults import Refusal, Step
from asyncllm.sandbox.wires.body import JSON, read_object
from asyncllm.sandbox.wires.openai_errors import RequestError, error_answer
from asyncllm.sandbox.wires.refused import refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from asyncllm.sandbox.generation import Backend

    Handler = Callable[[web.Request, JSON], Awaitable[web.StreamResponse]]


class Guard:
    """Stands before handlers; without an `api_key` it lets everybody in."""

    def __init__(self, backend: Backend, api_key: str | None) -> None:
        self._backend = backend
        self._api_key = api_key

    def before(
        self, step: Step, handler: Handler, *, is_open: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Make the handler of a route; one that `is_open` wants no key."""

        async def handle(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(self._backend.delay(step))
            try:
                if not is_open:
                    self._check_key(request)
                body = await _body(request)
                refusal = self._backend.faults.take(Refusal, step, body)
                if refusal is not None:
                    return refuse(refusal, error_answer, str(body.get("model")))
                return await handler(request, body)
            except RequestError as error:
                return error_answer(error.status, str(error), error.code)

        return handle

    def _check_key(self, request: web.Request) -> None:
        if self._api_key is None:
            return
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = given or request.query.get("auth", "")
        if given != self._api_key:
            raise RequestError("Incorrect API key provided", status=401, code="invalid_api_key")


async def _body(request: web.Request) -> JSON:
    if request.method == "GET":
        return {}
    try:
        return await read_object(request)
    except ValueError:
        raise RequestError("We could not parse the JSON body of your request.") from None
