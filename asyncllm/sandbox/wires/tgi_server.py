"""TGI's own server: `/generate_stream`, `/generate` and `/info`, for one model."""

from __future__ import annotations

from http.client import responses
from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.generation import tokens_of
from asyncllm.sandbox.wires.body import JSON, object_in
from asyncllm.sandbox.wires.guarded import guarded
from asyncllm.sandbox.wires.openai_errors import RequestError
from asyncllm.sandbox.wires.streamed import stream_answer
from asyncllm.sandbox.wires.tgi import details_of, error_type_of, script_of
from asyncllm.sandbox.wires.whole import answer_whole

if TYPE_CHECKING:
    from asyncllm.sandbox.generation import Answer, Backend

MODEL = "tiiuae/falcon-7b-instruct"
_MOST_TOKENS = 4096
_TOP_TOKENS = 5
_STOPS = 4


class TGIWire:
    """The wire's routes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._model = next(iter(backend.models), MODEL)

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served."""
        stream = guarded(self._backend, "stream", self._stream, _error)
        return [
            web.post("/generate_stream", stream),
            web.post("/generate", guarded(self._backend, "stream", self._generate, _error)),
            web.get("/info", guarded(self._backend, "models", self._info, _error)),
        ]

    async def _info(self, _request: web.Request, _body: JSON) -> web.StreamResponse:
        return web.json_response({"model_id": self._model, "max_total_tokens": _MOST_TOKENS})

    async def _stream(self, request: web.Request, body: JSON) -> web.StreamResponse:
        answer, prompt_tokens = self._answer(body)
        script = script_of(answer, prompt_tokens=prompt_tokens, top=_top_of(body))
        return await stream_answer(self._backend, request, script, headers={})

    async def _generate(self, _request: web.Request, body: JSON) -> web.StreamResponse:
        answer, prompt_tokens = self._answer(body)
        details: JSON = {**details_of(answer, prompt_tokens), "prefill": [], "tokens": []}
        whole: JSON = {"generated_text": answer.text, "details": details}
        return await answer_whole(self._backend, answer.tokens, whole)

    def _answer(self, body: JSON) -> tuple[Answer, int]:
        """Decide on the answer to a request, and count its prompt.

        Raises:
            RequestError: the request is not one that can be answered.

        """
        prompt, parameters = body.get("inputs"), object_in(body.get("parameters"))
        if not isinstance(prompt, str):
            raise _invalid("missing field `inputs`")
        if not prompt:
            raise _invalid("`inputs` cannot be empty")
        _check_parameters(parameters)
        count, limit = len(tokens_of(prompt)), parameters.get("max_new_tokens")
        limit = limit if isinstance(limit, int) else None
        if count + (limit or 0) > _MOST_TOKENS:
            raise _invalid(
                f"`inputs` tokens + `max_new_tokens` must be <= {_MOST_TOKENS}. Given: {count} "
                f"`inputs` tokens and {limit} `max_new_tokens`"
            )
        return self._backend.answer_to(prompt, limit=limit), count


def _top_of(body: JSON) -> int:
    """Return how many tokens to tell in the place of each.

    Raises:
        RequestError: there are more than a server tells.

    """
    asked = object_in(body.get("parameters")).get("top_n_tokens")
    top = asked if isinstance(asked, int) else 0
    if not 0 <= top <= _TOP_TOKENS:
        raise _invalid(f"`top_n_tokens` must be >= 0 and <= {_TOP_TOKENS}. Given: {top}")
    return top


def _check_parameters(parameters: JSON) -> None:
    """Refuse what TGI would refuse.

    Raises:
        RequestError: there is something.

    """

    def number(name: str) -> float | None:
        value = parameters.get(name)
        return value if isinstance(value, int | float) else None

    for name in ("temperature", "repetition_penalty"):
        if (value := number(name)) is not None and value <= 0:
            raise _invalid(f"`{name}` must be strictly positive")
    for name in ("top_p", "typical_p"):
        if (value := number(name)) is not None and not 0 < value < 1:
            raise _invalid(f"`{name}` must be > 0.0 and < 1.0")
    for name in ("top_k", "max_new_tokens"):
        if (value := number(name)) is not None and value <= 0:
            raise _invalid(f"`{name}` must be strictly positive")
    if (number("best_of") or 1) > 1:
        raise _invalid("`best_of` != 1 is not allowed when streaming tokens")
    stop = parameters.get("stop", [])
    if not isinstance(stop, list) or len(stop) > _STOPS:
        raise _invalid(f"`stop` supports up to {_STOPS} stop sequences")


def _invalid(message: str) -> RequestError:
    return RequestError(f"Input validation error: {message}", status=422)


def _error(status: int, message: str | None) -> web.Response:
    usual = {424: "Request failed during generation", 429: "Model is overloaded"}
    text = message or usual.get(status) or responses.get(status, "Error")
    return web.json_response({"error": text, "error_type": error_type_of(status)}, status=status)
