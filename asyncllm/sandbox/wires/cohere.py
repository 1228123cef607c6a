"""Cohere's wire, version 2: `/v2/chat`, named events; and its list of models.

What the user says is answered as on OpenAI's wire, and tools are called for the same word. Models
whose names say that they reason do so unless `thinking` is disabled; the others have a plan before
their calls. Documents are cited.
"""

from __future__ import annotations

import uuid
from http.client import responses
from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.generation import Script, reasoning_about, tokens_of
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.cohere_answer import ChatAnswer
from asyncllm.sandbox.wires.guarded import guarded
from asyncllm.sandbox.wires.openai_errors import RequestError
from asyncllm.sandbox.wires.openai_messages import check_results
from asyncllm.sandbox.wires.openai_request import calls_of_tools, last_user_text, text_of
from asyncllm.sandbox.wires.streamed import stream_answer
from asyncllm.sandbox.wires.whole import answer_whole

if TYPE_CHECKING:
    from asyncllm.sandbox.generation import Backend

MODELS = ("command-a-03-2025", "command-a-reasoning-08-2025", "command-r7b-12-2024")
_FIELDS = frozenset(
    {
        *("model", "messages", "stream", "tools", "strict_tools", "documents", "tool_choice"),
        *("citation_options", "response_format", "safety_mode", "max_tokens", "stop_sequences"),
        *("temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "logprobs"),
        *("thinking", "priority"),
    }
)
_PARTS = ("text", "image_url", "thinking", "document")
_ROLES = ("system", "user", "assistant", "tool")
_PAGE = 2  # models, so that there are several pages


class CohereWire:
    """The wire's routes."""

    def __init__(self, backend: Backend, api_key: str | None) -> None:
        self._backend = backend
        self._api_key = api_key
        self._models = [*MODELS, *backend.models]

    def routes(self) -> list[web.RouteDef]:
        """Where it is served, but for the list of models, whose path other wires have too."""
        chat = guarded(self._backend, "stream", self._chat, _error, self._check_key)
        return [web.post("/v2/chat", chat)]

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /v1/models`."""
        listing = guarded(self._backend, "models", self._list_models, _error, self._check_key)
        return await listing(request)

    def _check_key(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._api_key is not None and given != self._api_key:
            raise RequestError("invalid api token", status=401)

    async def _list_models(self, request: web.Request, _body: JSON) -> web.StreamResponse:
        try:
            first = int(request.query.get("page_token", "0"))
        except ValueError:
            raise RequestError("invalid page_token") from None
        shown = self._models[first : first + _PAGE]
        models = [{"name": name, "endpoints": ["chat"]} for name in shown]
        is_last = first + _PAGE >= len(self._models)
        following: JSON = {} if is_last else {"next_page_token": str(first + _PAGE)}
        return web.json_response({"models": models, **following})

    async def _chat(self, request: web.Request, body: JSON) -> web.StreamResponse:
        answer = self._answer(body)
        if body.get("stream") is not True:
            return await answer_whole(self._backend, answer.pieces, answer.whole())
        script = Script(
            tokens=answer.pieces,
            event=answer.event_of,
            count=len(answer.pieces),
            ending=[*answer.ending()],
            error=answer.failing,
            opening=[*answer.opening()],
        )
        return await stream_answer(
            self._backend, request, script, headers={}, space=" ", form="named"
        )

    def _answer(self, body: JSON) -> ChatAnswer:
        """Decide on the answer to a request.

        Raises:
            RequestError: the request is not one that can be answered.

        """
        model, messages = self._checked(body)
        prompt = last_user_text(messages)
        limit = body.get("max_tokens")
        limit = limit if isinstance(limit, int) and limit > 0 else None
        answer = self._backend.answer_to(prompt, limit=limit)
        choice = {"tool_choice": "none"} if body.get("tool_choice") == "NONE" else {}
        try:
            calls = calls_of_tools({**body, **choice}, prompt, messages[-1])
        except (AttributeError, LookupError, TypeError, UnicodeError):
            raise RequestError("invalid request: tools must be a list of functions") from None
        is_off = object_in(body.get("thinking")).get("type") == "disabled"
        thinks = "reasoning" in model and not is_off
        text_end = "MAX_TOKENS" if answer.is_cut else "COMPLETE"
        return ChatAnswer(
            reason="TOOL_CALL" if calls else text_end,
            tokens=[] if calls else answer.tokens,
            thought=reasoning_about(prompt) if thinks else (),
            plan=tokens_of("I will use the tools.") if calls and not thinks else (),
            calls=calls,
            documents=[*map(object_in, list_in(body.get("documents")))],
            has_logprobs=body.get("logprobs") is True,
            prompt_tokens=sum(len(tokens_of(text_of(message))) for message in messages),
        )

    def _checked(self, body: JSON) -> tuple[str, list[object]]:
        if unknown := sorted(body.keys() - _FIELDS):
            raise RequestError(
                f"invalid request: unknown field: parameter '{unknown[0]}' is not a valid field"
            )
        model, messages = body.get("model"), list_in(body.get("messages"))
        if not isinstance(model, str) or not model:
            raise RequestError("invalid request: model is required")
        if model not in self._models:
            message = f"model '{model}' not found, make sure the correct model ID was used"
            raise RequestError(message, status=404)
        if not messages:
            raise RequestError("invalid request: messages must not be empty")
        choice = body.get("tool_choice")
        if choice not in (None, "NONE", "REQUIRED"):
            raise RequestError("invalid request: tool_choice must be REQUIRED or NONE")
        objects = [object_in(message) for message in messages]
        for place, each in enumerate(objects):
            _check_message(each, f"messages[{place}]")
        check_results(objects)
        return model, messages


def _check_message(message: JSON, where: str) -> None:
    """Refuse what Cohere would refuse in a message.

    Raises:
        RequestError: there is something.

    """
    if message.get("role") not in _ROLES:
        raise RequestError(f"invalid request: {where}.role must be one of {sorted(_ROLES)}")
    for part in map(object_in, list_in(message.get("content"))):
        kind = part.get("type")
        if kind not in _PARTS or not isinstance(part.get(str(kind)), (str, dict)):
            raise RequestError(f"invalid request: {where}.content: invalid part of type {kind!r}")
    for call in map(object_in, list_in(message.get("tool_calls"))):
        if not isinstance(object_in(call.get("function")).get("arguments"), str):
            raise RequestError(f"invalid request: {where}.tool_calls: arguments must be a string")
    if message.get("role") == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise RequestError(f"invalid request: {where} must have a tool_call_id")


def _error(status: int, message: str | None) -> web.Response:
    text = responses.get(status, "error").lower() if message is None else message
    return web.json_response({"id": str(uuid.uuid4()), "message": text}, status=status)
