"""The OpenAI-shaped wire: `/v1/chat/completions` (also Lockchat's), Gravityengine's, `/v1/models`.

When the request has a `reasoning_effort`, some reasoning comes before the answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING, Literal

from aiohttp import web

from asyncllm.sandbox.faults import (
    NoDone,
    NoFinishReason,
    NullContent,
    PlainJson,
    ReasoningField,
    Refusal,
    Step,
    ToolIndex,
    Usage,
)
from asyncllm.sandbox.generation import (
    Script,
    reasoning_about,
    start_generation,
    tokens_of,
)
from asyncllm.sandbox.wires.body import JSON, list_in, object_in, read_object
from asyncllm.sandbox.wires.openai_completion import Completion, Habits
from asyncllm.sandbox.wires.openai_request import (
    calls_of_tools,
    last_user_text,
    limit_of,
    text_of,
)
from asyncllm.sandbox.wires.refused import refuse
from asyncllm.sandbox.wires.streamed import stream_answer

if TYPE_CHECKING:
    from asyncllm.sandbox.faults.book import FaultBook
    from asyncllm.sandbox.generation import Backend

MODELS = (
    "gpt-3.5-turbo",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-16k",
    "gpt-4",
    "gpt-4-turbo",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5",
    "gpt-5-mini",
    "o3-mini",
)
_TYPES = {429: "rate_limit_error", 401: "authentication_error"}


class _RequestError(Exception):
    """The request itself is wrong; becomes an HTTP error in the wire's form."""

    def __init__(self, message: str, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


_Handler = Callable[[web.Request, JSON], Awaitable[web.StreamResponse]]


class OpenAIWire:
    """The wire's routes; it keeps no state."""

    def __init__(self, backend: Backend, api_key: str | None) -> None:
        self._backend = backend
        self._api_key = api_key
        self._models = [*MODELS, *backend.models]

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served; Gravityengine wants no key."""
        completions = "v1/chat/completions"
        return [
            web.post(f"/{completions}", self._guarded("stream", self._complete)),
            web.post(
                f"/api/openai/{completions}",
                self._guarded("stream", self._complete, is_open=True),
            ),
            web.get("/v1/models", self._guarded("models", self._list_models)),
            web.route("*", "/v1/{rest:.*}", self._not_found),
        ]

    def _guarded(
        self, step: Step, handler: _Handler, *, is_open: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(self._backend.delay(step))
            try:
                if not is_open:
                    self._check_key(request)
                body = await self._body(request)
                refusal = self._backend.faults.take(Refusal, step, body)
                if refusal is not None:
                    return refuse(refusal, _error, str(body.get("model")))
                return await handler(request, body)
            except _RequestError as error:
                return _error(error.status, str(error), error.code)

        return handle

    def _check_key(self, request: web.Request) -> None:
        if self._api_key is None:
            return
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = given or request.query.get("auth", "")
        if given != self._api_key:
            raise _RequestError("Incorrect API key provided", status=401, code="invalid_api_key")

    async def _body(self, request: web.Request) -> JSON:
        if request.method == "GET":
            return {}
        try:
            return await read_object(request)
        except ValueError:
            raise _RequestError("We could not parse the JSON body of your request.") from None

    async def _not_found(self, request: web.Request) -> web.StreamResponse:
        return _error(404, f"Unknown request URL: {request.method} {request.path}")

    async def _list_models(self, _request: web.Request, _body: JSON) -> web.StreamResponse:
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "asyncllm-sandbox"}
            for name in self._models
        ]
        return web.json_response({"object": "list", "data": data})

    async def _complete(self, request: web.Request, body: JSON) -> web.StreamResponse:
        completion = self._completion(body)
        if body.get("stream") is not True:
            return await self._answer_whole(completion)
        if self._backend.faults.take(PlainJson, "stream") is not None:
            message = {"content": "".join(completion.tokens)}
            return web.json_response({"choices": [{"message": message}]})
        # Unlike chat-ui, these servers stop generating when their reader has gone.
        headers = {"Cache-Control": "no-cache"}
        script = _script_of(completion)
        return await stream_answer(self._backend, request, script, headers=headers, space=" ")

    async def _answer_whole(self, completion: Completion) -> web.StreamResponse:
        generation = start_generation(self._backend, completion.pieces, None)
        try:
            await generation.wait_over()
        finally:
            generation.stop()
        return web.json_response(completion.whole())

    def _completion(self, body: JSON) -> Completion:
        """Decide on the answer to a request.

        Raises:
            _RequestError: the request is not one that can be answered.

        """
        model, messages = self._checked(body)
        prompt = last_user_text(messages)
        answer = self._backend.answer_to(prompt, limit=limit_of(body))
        habits = _habits(self._backend.faults, body)
        is_reasoning = habits.reasoning_field is not None
        try:
            calls = calls_of_tools(body, prompt, messages[-1])
        except (AttributeError, KeyError, TypeError):
            raise _RequestError("'tools' must be a list of functions") from None
        text_end: Literal["length", "stop"] = "length" if answer.is_cut else "stop"
        return Completion(
            model=model,
            tokens=[] if calls else answer.tokens,
            finish_reason="tool_calls" if calls else text_end,
            prompt_tokens=sum(len(tokens_of(text_of(message))) for message in messages),
            habits=habits,
            reasoning=reasoning_about(prompt) if is_reasoning else (),
            tool_calls=calls,
        )

    def _checked(self, body: JSON) -> tuple[str, list[object]]:
        model, messages = body.get("model"), list_in(body.get("messages"))
        if not isinstance(model, str):
            raise _RequestError("you must provide a model parameter")
        if model not in self._models:
            message = f"The model `{model}` does not exist or you do not have access to it."
            raise _RequestError(message, status=404, code="model_not_found")
        if not messages:
            raise _RequestError("'messages' must be a list of at least one message")
        return model, messages


def _script_of(completion: Completion) -> Script:
    return Script(
        tokens=completion.pieces,
        event=completion.chunk_of,
        count=len(completion.pieces),
        ending=[*completion.ending()],
        error=_error_text,
        opening=[*completion.opening()],
    )


def _habits(faults: FaultBook, body: JSON) -> Habits:
    is_asked = object_in(body.get("stream_options")).get("include_usage") is True
    usage = faults.take(Usage, "stream")
    tool_index = faults.take(ToolIndex, "stream")
    reasoning = faults.take(ReasoningField, "stream")
    if reasoning is None and body.get("reasoning_effort") is not None:
        reasoning = ReasoningField()
    return Habits(
        usage=usage.position if usage is not None else "last" if is_asked else None,
        is_usage_asked=is_asked,
        has_done=faults.take(NoDone, "stream") is None,
        has_finish_reason=faults.take(NoFinishReason, "stream") is None,
        has_null_content=faults.take(NullContent, "stream") is not None,
        reasoning_field=reasoning.name if reasoning is not None else None,
        tool_index=tool_index.kind if tool_index is not None else "right",
    )


def _error(status: int, message: str | None = None, code: str | None = None) -> web.Response:
    return web.json_response(_error_object(status, message, code), status=status)


def _error_object(status: int, message: str | None = None, code: str | None = None) -> JSON:
    kind = (
        "server_error"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR
        else _TYPES.get(status, "invalid_request_error")
    )
    message = responses.get(status, "Error") if message is None else message
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _error_text(message: str) -> str:
    return json.dumps(_error_object(500, message), ensure_ascii=False, separators=(",", ":"))
