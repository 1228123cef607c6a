"""What happens to a request before its wire looks at it: delays, declared refusals, its body."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

from asyncllm.sandbox.faults import Refusal, Step
from asyncllm.sandbox.wires.body import JSON, read_object
from asyncllm.sandbox.wires.openai_errors import RequestError
from asyncllm.sandbox.wires.refused import ErrorAnswer, refuse

if TYPE_CHECKING:
    from asyncllm.sandbox.generation import Backend

Handler: TypeAlias = Callable[[web.Request, JSON], Awaitable[web.StreamResponse]]


def guarded(
    backend: Backend,
    step: Step,
    handler: Handler,
    error: ErrorAnswer,
    check: Callable[[web.Request], None] | None = None,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make what handles a request of one wire.

    `error` puts errors into the wire's own form, and `check` raises a `RequestError` for a request
    that has no right to an answer.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(backend.delay(step))
        try:
            if check is not None:
                check(request)
            body = {} if request.method == "GET" else await _body(request)
            refusal = backend.faults.take(Refusal, step, body)
            if refusal is not None:
                return refuse(refusal, error, str(body.get("model")))
            return await handler(request, body)
        except RequestError as refused:
            return error(refused.status, str(refused))

    return handle


async def _body(request: web.Request) -> JSON:
    try:
        return await read_object(request)
    except ValueError as wrong:
        raise RequestError(f"invalid JSON: {wrong}") from None
