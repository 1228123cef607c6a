"""Anthropic's wire: `/v1/messages`, and the models of those who name a version of it.

What the user says is answered as on OpenAI's wire, and tools are called for the same word. The
model thinks where it is asked to think or to make an effort. A search of the server's own is made
where there is a tool for it and the user's text has the word "search"; documents are cited where
they are to be.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from http import HTTPStatus
from http.client import responses
from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.faults import PauseTurn, PlainJson, RedactedThinking, RefusalStop
from asyncllm.sandbox.generation import Script, call_of, reasoning_about, tokens_of
from asyncllm.sandbox.wires.anthropic_demands import Demands
from asyncllm.sandbox.wires.anthropic_message import Message, failing
from asyncllm.sandbox.wires.anthropic_request import (
    VERSIONS,
    blocks_in,
    calls_of_tools,
    check_body,
    is_cached,
    text_in,
    thinks,
)
from asyncllm.sandbox.wires.anthropic_search import (
    document_sources,
    is_paused,
    search,
    sources_of,
    wants_search,
)
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.guarded import guarded
from asyncllm.sandbox.wires.openai_details import signature_of
from asyncllm.sandbox.wires.openai_errors import RequestError
from asyncllm.sandbox.wires.streamed import stream_answer
from asyncllm.sandbox.wires.whole import answer_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncllm.sandbox.generation import Backend

MODELS = (
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-opus-4-7",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
)
_PAGE = 2  # models at the most, so that there are several pages
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicWire:
    """The wire's routes; its only state is what it wants back, and what it has in its cache."""

    def __init__(self, backend: Backend, api_key: str | None) -> None:
        self._backend = backend
        self._api_key = api_key
        self._models = [*MODELS, *backend.models]
        self._demands = Demands()
        self._cached: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """Where it is served, but for the list of models, whose path other wires have too."""
        answer = guarded(self._backend, "stream", self._answer, _error, self._check)
        return [web.post("/v1/messages", answer)]

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /v1/models`."""
        listing = guarded(self._backend, "models", self._list_models, _error, self._check)
        return await listing(request)

    def _check(self, request: web.Request) -> None:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = request.headers.get("x-api-key", "") or bearer
        if self._api_key is not None and given != self._api_key:
            raise RequestError("invalid x-api-key", status=401)
        version = request.headers.get("anthropic-version")
        if version not in VERSIONS:
            what = "header is required" if version is None else "is not a valid version"
            raise RequestError(f"anthropic-version: {what}")

    async def _list_models(self, request: web.Request, _body: JSON) -> web.StreamResponse:
        after = request.query.get("after_id")
        if after is not None and after not in self._models:
            raise RequestError("after_id: no such model")
        first = 0 if after is None else self._models.index(after) + 1
        shown = self._models[first : first + _PAGE]
        data = [
            {
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": "2026-01-01T00:00:00Z",
            }
            for name in shown
        ]
        ends: JSON = {"first_id": None, "last_id": None}
        if shown:
            ends = {"first_id": shown[0], "last_id": shown[-1]}
        has_more = first + _PAGE < len(self._models)
        return web.json_response({"data": data, "has_more": has_more, **ends})

    async def _answer(self, request: web.Request, body: JSON) -> web.StreamResponse:
        message = self._message(body, request.headers["anthropic-version"])
        headers = {
            "request-id": f"req_{uuid.uuid4().hex}",
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-01-01T00:01:00Z",
        }
        is_plain = self._backend.faults.take(PlainJson, "stream") is not None
        if body.get("stream") is not True or is_plain:
            answer = await answer_whole(self._backend, message.pieces, message.whole())
            answer.headers.update(headers)
            return answer
        script = Script(
            tokens=message.pieces,
            event=message.event_of,
            count=len(message.pieces),
            ending=[*message.ending()],
            error=failing,
            opening=[*message.opening()],
        )
        headers["Cache-Control"] = "no-cache"
        return await stream_answer(
            self._backend, request, script, headers=headers, space=" ", form="named"
        )

    def _message(self, body: JSON, version: str) -> Message:
        """Decide on the answer to a request.

        Raises:
            RequestError: the request is not one that can be answered.

        """
        messages = check_body(body, version)
        model = str(body["model"])
        if model not in self._models:
            raise RequestError(f"model: {model}", status=404)
        is_thinking = thinks(body)
        self._demands.check(messages, is_thinking=is_thinking)
        prompt = text_in(_last_said(messages))
        said = blocks_in(messages[-1].get("content")) if is_paused(messages) else []
        before = [] if said else self._thoughts(body, prompt)
        counts = self._counts(body, messages)
        thought = len(before) and len(reasoning_about(prompt))
        if wants_search(body, prompt):
            pauses = self._backend.faults.take(PauseTurn, "stream") is not None
            if pauses or not said:
                before += search(f"{prompt}{len(said)}")
            if pauses:
                return Message(model, "pause_turn", before, counts=counts, thinking_tokens=thought)
        calls = calls_of_tools(body, prompt, messages[-1])
        self._demands.remember(before, calls)
        if calls:
            return Message(
                model, "tool_use", before, (), calls, counts=counts, thinking_tokens=thought
            )
        cited = sources_of([*said, *before])
        return self._said(
            body,
            messages,
            Message(
                model,
                "end_turn",
                before,
                citations=cited or document_sources(messages),
                counts=counts,
                thinking_tokens=thought,
            ),
        )

    def _said(self, body: JSON, messages: Sequence[JSON], message: Message) -> Message:
        """Put a text into a message, as far as it is allowed to come."""
        prompt, limit = text_in(_last_said(messages)), body["max_tokens"]
        assert isinstance(limit, int)
        answer = self._backend.answer_to(prompt, limit=limit)
        tokens, stop = answer.tokens, "end_turn"
        details: JSON | None = None
        found: str | None = None
        form = object_in(object_in(body.get("output_config")).get("format"))
        if form:
            properties = object_in(object_in(form.get("schema")).get("properties"))
            tokens = tokens_of(call_of("", properties, prompt, 0).arguments)
        elif answer.is_cut:
            stop = "max_tokens"
        begun = text_in(blocks_in(messages[-1].get("content")))
        if messages[-1].get("role") == "assistant" and begun and answer.text.startswith(begun):
            tokens = tokens_of(answer.text.removeprefix(begun))
        for sequence in map(str, list_in(body.get("stop_sequences"))):
            if sequence in "".join(tokens):
                tokens, stop = tokens_of("".join(tokens).partition(sequence)[0]), "stop_sequence"
                found = sequence
        refusal = self._backend.faults.take(RefusalStop, "stream")
        if refusal is not None:
            tokens, stop, found = tokens[: refusal.after], "refusal", None
            details = {"type": "refusal", "category": None, "explanation": refusal.explanation}
        return replace(
            message,
            tokens=tokens,
            stop_reason=stop,
            stop_sequence=found,
            stop_details=details,
        )

    def _thoughts(self, body: JSON, prompt: str) -> list[JSON]:
        """Think, if the request wants that, or a fault."""
        thought = "".join(reasoning_about(prompt))
        is_redacted = self._backend.faults.take(RedactedThinking, "stream") is not None
        blocks: list[JSON] = []
        if thinks(body):
            is_hidden = object_in(body.get("thinking")).get("display") == "omitted"
            shown, signature = "" if is_hidden else thought, signature_of(thought)
            blocks.append({"type": "thinking", "thinking": shown, "signature": signature})
        if is_redacted:
            blocks.append({"type": "redacted_thinking", "data": signature_of(f"r{thought}")})
        return blocks

    def _counts(self, body: JSON, messages: Sequence[JSON]) -> JSON:
        """Count what was sent; what is cached stands beside the rest, and is written once."""
        texts = [text_in(blocks_in(message.get("content"))) for message in messages]
        size = sum(len(tokens_of(text)) for text in texts)
        kept = len(tokens_of(text_in(blocks_in(body.get("system"))))) + len(tokens_of(texts[0]))
        if not is_cached(body):
            return {**_NOT_CACHED, "input_tokens": size + kept}
        place = repr((body.get("system"), body.get("tools"), texts[0]))
        name = "cache_read" if place in self._cached else "cache_creation"
        self._cached.add(place)
        return {**_NOT_CACHED, "input_tokens": size, f"{name}_input_tokens": kept}


_NOT_CACHED: JSON = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def _last_said(messages: Sequence[JSON]) -> list[JSON]:
    """Find what the user said last, results of tools apart."""
    said = [blocks_in(each.get("content")) for each in messages if each.get("role") == "user"]
    with_text = [blocks for blocks in said if text_in(blocks)]
    return with_text[-1] if with_text else []


def _error(status: int, message: str | None) -> web.Response:
    default = "api_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _TYPES[400]
    text = responses.get(status, "Error") if message is None else message
    error = {"type": _TYPES.get(status, default), "message": text}
    name = f"req_{uuid.uuid4().hex}"
    body = {"type": "error", "error": error, "request_id": name}
    return web.json_response(body, status=status, headers={"request-id": name})
