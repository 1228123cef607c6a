"""Ollama's wire: `/api/chat`, a JSON object a line; `/api/tags` and `/api/pull`.

What the user says is answered as on OpenAI's wire, and tools are called for the same word. Models
that can think do so unless `think` is false; of the others it is refused.
"""

from __future__ import annotations

import zlib
from http.client import responses
from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.generation import Script, reasoning_about, tokens_of
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.guarded import guarded
from asyncllm.sandbox.wires.ollama_answer import ChatAnswer
from asyncllm.sandbox.wires.ollama_messages import check_chat
from asyncllm.sandbox.wires.openai_errors import RequestError
from asyncllm.sandbox.wires.openai_request import calls_of_tools, last_user_text, text_of
from asyncllm.sandbox.wires.openai_style import encode
from asyncllm.sandbox.wires.streamed import stream_answer
from asyncllm.sandbox.wires.whole import answer_whole

if TYPE_CHECKING:
    from asyncllm.sandbox.faults import ErrorInStream
    from asyncllm.sandbox.generation import Backend

MODELS = {  # and what each can do besides
    "llama3.2": ("tools",),
    "qwen3": ("tools", "thinking"),
    "gpt-oss": ("tools", "thinking"),
    "gemma3": ("vision",),
}
_EVERYTHING = ("tools", "thinking", "vision")
_LAYERS = (3_000_000, 12_000, 500)  # bytes of what is pulled


class OllamaWire:
    """The wire's routes; its only state is which models it has."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._models = MODELS | dict.fromkeys(backend.models, _EVERYTHING)

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served."""
        return [
            web.post("/api/chat", guarded(self._backend, "stream", self._chat, _error)),
            web.post("/api/pull", guarded(self._backend, "stream", self._pull, _error)),
            web.get("/api/tags", guarded(self._backend, "models", self._tags, _error)),
        ]

    async def _tags(self, _request: web.Request, _body: JSON) -> web.StreamResponse:
        models = [
            {"name": _tagged(name), "model": _tagged(name), "size": 0} for name in self._models
        ]
        return web.json_response({"models": models})

    async def _chat(self, request: web.Request, body: JSON) -> web.StreamResponse:
        answer = self._answer(body)
        if body.get("stream") is False:
            return await answer_whole(self._backend, answer.pieces, answer.whole())
        script = Script(
            tokens=answer.pieces,
            event=answer.line_of,
            count=len(answer.pieces),
            ending=[answer.last()],
            error=_error_lines,
            opening=[*answer.thinking()],
        )
        return await stream_answer(self._backend, request, script, headers={}, form="lines")

    def _answer(self, body: JSON) -> ChatAnswer:
        """Decide on the answer to a request.

        Raises:
            RequestError: the request is not one that can be answered.

        """
        name, abilities = self._model(body)
        check_chat(body, name, abilities)
        messages = list_in(body.get("messages"))
        if not messages:
            reason = "unload" if body.get("keep_alive") == 0 else "load"
            return ChatAnswer(name, reason)
        prompt = last_user_text(messages)
        limit = object_in(body.get("options")).get("num_predict")
        limit = limit if isinstance(limit, int) and limit > 0 else None
        answer = self._backend.answer_to(prompt, limit=limit)
        thinks = "thinking" in abilities and body.get("think", True) is not False
        try:
            calls = calls_of_tools(body, prompt, messages[-1])
        except (AttributeError, LookupError, TypeError, UnicodeError):
            raise RequestError("json: cannot unmarshal tools") from None
        return ChatAnswer(
            model=name,
            reason="length" if answer.is_cut and not calls else "stop",
            tokens=[] if calls else answer.tokens,
            thought=reasoning_about(prompt) if thinks else (),
            calls=calls,
            prompt_tokens=sum(len(tokens_of(text_of(message))) for message in messages),
        )

    def _model(self, body: JSON) -> tuple[str, tuple[str, ...]]:
        name = body.get("model")
        if not isinstance(name, str) or not name:
            raise RequestError("model is required")
        known = name.removesuffix(":latest")
        if known not in self._models:
            raise RequestError(f"model '{name}' not found", status=404)
        return name, self._models[known]

    async def _pull(self, request: web.Request, body: JSON) -> web.StreamResponse:
        name = body.get("model") or body.get("name")
        if not isinstance(name, str) or not name:
            raise RequestError("invalid model name")
        if name.removesuffix(":latest") not in self._models:
            missing = "pull model manifest: file does not exist"
            written = [encode({"status": "pulling manifest"}), encode({"error": missing})]
        else:
            written = [*map(encode, _progress(name))]
        script = Script(written, str, len(written), [], _error_lines)
        return await stream_answer(self._backend, request, script, headers={}, form="lines")


def _progress(name: str) -> list[JSON]:
    """Tell how a model comes: each of its files in some steps, and what is done with them."""
    lines: list[JSON] = [{"status": "pulling manifest"}]
    for number, size in enumerate(_LAYERS):
        digest = f"{zlib.crc32(f'{name}{number}'.encode()):08x}" * 8
        of_layer: JSON = {
            "status": f"pulling {digest[:12]}",
            "digest": f"sha256:{digest}",
            "total": size,
        }
        lines.append(of_layer)  # nothing yet, and zeros are left out
        lines += [{**of_layer, "completed": size * step // 2} for step in (1, 2)]
    done = ("verifying sha256 digest", "writing manifest", "success")
    for status in done:
        lines.append({"status": status})
    return lines


def _tagged(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _error(status: int, message: str | None) -> web.Response:
    text = responses.get(status, "error").lower() if message is None else message
    return web.json_response({"error": text}, status=status)


def _error_lines(fault: ErrorInStream) -> list[str]:
    return [encode({"error": fault.message})]
