"""The OpenAI-shaped wire: `/v1/chat/completions` (also Lockchat's), Gravityengine's, its models.

When the request has a `reasoning_effort`, some reasoning comes before the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

from aiohttp import web

from asyncllm.sandbox.faults import PlainJson, Refusal, Step
from asyncllm.sandbox.generation import (
    Script,
    reasoning_about,
    tokens_of,
)
from asyncllm.sandbox.wires.body import JSON, list_in, read_object
from asyncllm.sandbox.wires.openai_completion import Completion
from asyncllm.sandbox.wires.openai_demands import Demands
from asyncllm.sandbox.wires.openai_errors import RequestError, error_answer
from asyncllm.sandbox.wires.openai_habits import habits_of
from asyncllm.sandbox.wires.openai_messages import check_messages
from asyncllm.sandbox.wires.openai_request import (
    calls_of_tools,
    last_user_text,
    limit_of,
    text_of,
    top_logprobs_of,
)
from asyncllm.sandbox.wires.refused import refuse
from asyncllm.sandbox.wires.streamed import stream_answer
from asyncllm.sandbox.wires.whole import answer_whole

if TYPE_CHECKING:
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
_Handler = Callable[[web.Request, JSON], Awaitable[web.StreamResponse]]


class OpenAIWire:
    """The wire's routes; its only state is what it wants back."""

    def __init__(self, backend: Backend, api_key: str | None) -> None:
        self._backend = backend
        self._api_key = api_key
        self._models = [*MODELS, *backend.models]
        self._demands = Demands()

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served; Gravityengine wants no key."""
        completions = "v1/chat/completions"
        return [
            web.post(f"/{completions}", self._guarded("stream", self._complete)),
            web.post(
                f"/api/openai/{completions}",
                self._guarded("stream", self._complete, is_open=True),
            ),
            web.route("*", "/v1/{rest:.*}", self._not_found),
        ]

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /v1/models`, which other wires have too."""
        return await self._guarded("models", self._list_models)(request)

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

    async def _body(self, request: web.Request) -> JSON:
        if request.method == "GET":
            return {}
        try:
            return await read_object(request)
        except ValueError:
            raise RequestError("We could not parse the JSON body of your request.") from None

    async def _not_found(self, request: web.Request) -> web.StreamResponse:
        return error_answer(404, f"Unknown request URL: {request.method} {request.path}")

    async def _list_models(self, _request: web.Request, _body: JSON) -> web.StreamResponse:
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "asyncllm-sandbox"}
            for name in self._models
        ]
        return web.json_response({"object": "list", "data": data})

    async def _complete(self, request: web.Request, body: JSON) -> web.StreamResponse:
        completion = self._completion(body)
        if body.get("stream") is not True:
            return await answer_whole(self._backend, completion.pieces, completion.whole())
        if self._backend.faults.take(PlainJson, "stream") is not None:
            message = {"content": "".join(completion.tokens)}
            return web.json_response({"choices": [{"message": message}]})
        # Unlike chat-ui, these servers stop generating when their reader has gone.
        headers = {"Cache-Control": "no-cache"}
        script = _script_of(completion)
        return await stream_answer(self._backend, request, script, headers=headers, space=" ")

    def _completion(self, body: JSON) -> Completion:
        """Decide on the answer to a request.

        Raises:
            RequestError: the request is not one that can be answered.

        """
        model, messages = self._checked(body)
        prompt = last_user_text(messages)
        answer = self._backend.answer_to(prompt, limit=limit_of(body))
        habits = habits_of(self._backend.faults, body)
        try:
            calls = calls_of_tools(body, prompt, messages[-1])
        except (AttributeError, LookupError, TypeError, UnicodeError):
            raise RequestError("'tools' must be a list of functions") from None
        text_end: Literal["length", "stop"] = "length" if answer.is_cut else "stop"
        completion = Completion(
            model=model,
            tokens=[] if calls else answer.tokens,
            finish_reason="tool_calls" if calls else text_end,
            prompt_tokens=sum(len(tokens_of(text_of(message))) for message in messages),
            habits=habits,
            thought=reasoning_about(prompt) if habits.style.thinks else (),
            tool_calls=calls,
        )
        if calls:
            self._demands.remember(completion.message(), habits.style.demanded)
        return completion

    def _checked(self, body: JSON) -> tuple[str, list[object]]:
        model, messages = body.get("model"), list_in(body.get("messages"))
        if not isinstance(model, str):
            raise RequestError("you must provide a model parameter")
        if model not in self._models:
            message = f"The model `{model}` does not exist or you do not have access to it."
            raise RequestError(message, status=404, code="model_not_found")
        if not messages:
            raise RequestError("'messages' must be a list of at least one message")
        check_messages(messages)
        top_logprobs_of(body)
        self._demands.check(messages)
        return model, messages


def _script_of(completion: Completion) -> Script:
    return Script(
        tokens=completion.pieces,
        event=completion.chunk_of,
        count=len(completion.pieces),
        ending=[*completion.ending()],
        error=completion.error_events,
        opening=[*completion.opening()],
    )
