"""Gemini's wire, as the Gemini API and Vertex AI speak it.

`…:streamGenerateContent` gives server-sent events with `alt=sse`, and one array without.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.faults import (
    BlockedPrompt,
    Citations,
    Continuation,
    EndsWith,
    Framing,
    Refusal,
    Status,
    Step,
    UsageDetails,
)
from asyncllm.sandbox.generation import reasoning_about, start_generation, tokens_of
from asyncllm.sandbox.generation.answers import Answer
from asyncllm.sandbox.wires.body import JSON, object_in, read_object
from asyncllm.sandbox.wires.gemini_answer import IMAGE, RUN, GeminiAnswer, place_of
from asyncllm.sandbox.wires.gemini_errors import RequestError, error_answer
from asyncllm.sandbox.wires.gemini_request import (
    calls_of_tools,
    camel,
    check_body,
    config_of,
    has_tool,
    last_user_text,
    limit_of,
    signs,
    structured,
    texts_of,
)
from asyncllm.sandbox.wires.refused import refuse
from asyncllm.sandbox.wires.streamed import stream_answer

if TYPE_CHECKING:
    from asyncllm.sandbox.generation import Backend

MODELS = (
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "gemini-3-flash",
    "gemini-3-pro",
)
_PAGE_SIZE = 2  # so that there are several
_VERSIONS = ("v1", "v1beta", "v1beta1")
_ASKED = "{model:[^/:]+}:{method:streamGenerateContent|generateContent}"
_OF_PROJECT = "projects/{project}/locations/{location}/publishers/google"
_Handler = Callable[[web.Request, JSON], Awaitable[web.StreamResponse]]


class GeminiWire:
    """The wire's routes; it has no state."""

    def __init__(self, backend: Backend, api_key: str | None) -> None:
        self._backend = backend
        self._api_key = api_key
        self._models = [*MODELS, *backend.models]

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served, in each version."""
        answer = self._guarded("stream", self._answer)
        places = [f"/{version}{of}" for version in _VERSIONS for of in ("", f"/{_OF_PROJECT}")]
        return [
            *(web.post(f"{place}/models/{_ASKED}", answer) for place in places),
            web.get("/v1beta/models", self.list_models),
            web.get("/v1beta1/publishers/google/models", self.list_models),
        ]

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        """Answer with a page of the models."""
        return await self._guarded("models", self._list_models)(request)

    def _guarded(
        self, step: Step, handler: _Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(self._backend.delay(step))
            try:
                self._check_key(request)
                body = await self._body(request)
                refusal = self._backend.faults.take(Refusal, step, body)
                if isinstance(refusal, Status):  # which says in its body how long to wait
                    after = refusal.retry_after
                    return error_answer(refusal.status, refusal.message, retry_after=after)
                if refusal is not None:
                    return refuse(refusal, error_answer, request.match_info.get("model", ""))
                return await handler(request, body)
            except RequestError as error:
                return error_answer(error.status, str(error), reason=error.reason)

        return handle

    def _check_key(self, request: web.Request) -> None:
        if self._api_key is None:
            return
        if _is_vertex(request):
            if request.headers.get("Authorization") != f"Bearer {self._api_key}":
                message = "Request had invalid authentication credentials."
                raise RequestError(message, status=401, reason="ACCESS_TOKEN_TYPE_UNSUPPORTED")
        elif request.headers.get("x-goog-api-key", request.query.get("key")) != self._api_key:
            message = "API key not valid. Please pass a valid API key."
            raise RequestError(message, reason="API_KEY_INVALID")

    async def _body(self, request: web.Request) -> JSON:
        if request.method == "GET":
            return {}
        try:
            return camel(await read_object(request))
        except ValueError:
            raise RequestError("Invalid JSON payload received.") from None

    async def _list_models(self, request: web.Request, _body: JSON) -> web.StreamResponse:
        start = int(request.query.get("pageToken") or 0)
        names = [*self._models, "text-embedding-004"]
        page = names[start : start + _PAGE_SIZE]
        following = (
            {"nextPageToken": str(start + _PAGE_SIZE)} if names[start + _PAGE_SIZE :] else {}
        )
        if _is_vertex(request):
            listed = [{"name": f"publishers/google/models/{name}"} for name in page]
            return web.json_response({"publisherModels": listed, **following})
        models = [
            {"name": f"models/{name}", "supportedGenerationMethods": [_method_of(name)]}
            for name in page
        ]
        return web.json_response({"models": models, **following})

    async def _answer(self, request: web.Request, body: JSON) -> web.StreamResponse:
        model = request.match_info["model"]
        if model not in self._models:
            message = f"models/{model} is not found for API version v1beta, or is not supported."
            raise RequestError(message, status=404)
        check_body(body, model)
        backend = self._backend
        blocked = backend.faults.take(BlockedPrompt, "stream")
        if blocked is not None:
            return _blocked(blocked, model, _counted(body), is_array=_is_array(request))
        answer = self._decided(body, model, is_vertex=_is_vertex(request))
        script = answer.script()
        if request.match_info["method"] == "generateContent":
            generation = start_generation(backend, script.tokens, None)
            try:
                await generation.wait_over()
            finally:
                generation.stop()
            return web.json_response(answer.whole())
        framing = Framing("json_array" if _is_array(request) else "crlf")
        return await stream_answer(backend, request, script, headers={}, space=" ", framing=framing)

    def _decided(self, body: JSON, model: str, *, is_vertex: bool) -> GeminiAnswer:
        """Decide on the answer to a request.

        Raises:
            RequestError: the request is not one that can be answered.

        """
        faults, prompt, config = self._backend.faults, last_user_text(body), config_of(body)
        thinking = camel(object_in(config.get("thinkingConfig")))
        is_thinking = bool(thinking) and thinking.get("thinkingBudget") != 0
        written = structured(body, prompt)
        answer = self._backend.answer_to(prompt, limit=limit_of(body))
        if written is not None:
            answer = Answer(re.findall(r"\s*\S+", written))
        calls = calls_of_tools(body, prompt)
        before: list[JSON] = [*RUN] if has_tool(body, "codeExecution") else []
        if "IMAGE" in str(config.get("responseModalities")):
            before.append(IMAGE)
        begin = _begin_of(body, config)
        going_on = None if calls else faults.take(Continuation, "stream")
        end = None if going_on is None else begin + going_on.after
        is_more = end is not None and end < len(answer.tokens)
        calling = camel(object_in(object_in(body.get("toolConfig")).get("functionCallingConfig")))
        return GeminiAnswer(
            model=model,
            tokens=[] if calls else answer.tokens[begin:end],
            prompt_tokens=_counted(body),
            is_cut=answer.is_cut,
            thought=reasoning_about(prompt) if is_thinking else (),
            shows_thought=thinking.get("includeThoughts") is True,
            calls=calls,
            before=before,
            is_signed=signs(model),
            is_vertex=is_vertex,
            streams_arguments=is_vertex and calling.get("streamFunctionCallArguments") is True,
            details=faults.take(UsageDetails, "stream"),
            is_grounded=faults.take(Citations, "stream") is not None,
            end=faults.take(EndsWith, "stream"),
            goes_on_at=end if is_more else None,
        )


def _is_vertex(request: web.Request) -> bool:
    return "/publishers/" in request.path


def _is_array(request: web.Request) -> bool:
    return request.query.get("alt") != "sse"


def _method_of(name: str) -> str:
    return "embedContent" if "embedding" in name else "generateContent"


def _counted(body: JSON) -> int:
    return sum(len(tokens_of(text)) for text in texts_of(body))


def _begin_of(body: JSON, config: JSON) -> int:
    # Google's SDK has it beside the configuration, and others in it.
    token = body.get("continuationToken") or config.get("continuationToken")
    if token is None:
        return 0
    try:
        return place_of(token)
    except ValueError:
        raise RequestError("continuation_token is not valid.") from None


def _blocked(
    fault: BlockedPrompt, model: str, prompt_tokens: int, *, is_array: bool
) -> web.StreamResponse:
    chunk = {
        "promptFeedback": {"blockReason": fault.reason},
        "usageMetadata": {"promptTokenCount": prompt_tokens, "totalTokenCount": prompt_tokens},
        "modelVersion": model,
    }
    if is_array:
        return web.json_response([chunk])
    text = web.json_response(chunk).text
    return web.Response(text=f"data: {text}\r\n\r\n", content_type="text/event-stream")
