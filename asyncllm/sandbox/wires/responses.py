"""OpenAI's Responses: `POST /v1/responses`, and `GET /v1/responses/{id}` of one in the background.

Models whose names begin with "gpt-5" or "o" think before they answer, unless `reasoning.effort` is
"none".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.faults import (
    ChangingIds,
    Citations,
    EmptyOutput,
    NoArgumentDeltas,
    PlainJson,
    RefusalDeltas,
    UsageDetails,
)
from asyncllm.sandbox.generation import Script, reasoning_about, tokens_of
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_errors import RequestError
from asyncllm.sandbox.wires.openai_guard import Guard
from asyncllm.sandbox.wires.responses_answer import Habits, ResponseAnswer, secret_of
from asyncllm.sandbox.wires.responses_events import error_events, events_of
from asyncllm.sandbox.wires.responses_request import (
    calls_for,
    check_parameters,
    items_of,
    text_in,
    user_text_in,
)
from asyncllm.sandbox.wires.streamed import stream_answer
from asyncllm.sandbox.wires.whole import answer_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncllm.sandbox.faults import ErrorInStream
    from asyncllm.sandbox.generation import Backend

_MOST_KEPT = 1000
_ENCRYPTED = "reasoning.encrypted_content"
_HEADERS = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class _Kept:
    """An answer that the server keeps, and the events that it consists of."""

    id: str
    item_ids: frozenset[object]
    payloads: Sequence[str]


class ResponsesWire:
    """The API's routes; its only state is what it keeps, and what belongs together."""

    def __init__(self, backend: Backend, api_key: str | None, models: Sequence[str]) -> None:
        self._backend = backend
        self._guard = Guard(backend, api_key)
        self._models = frozenset(models)
        self._kept: deque[_Kept] = deque(maxlen=_MOST_KEPT)
        # The reasoning that an item came behind, by their ids: of the newest answers.
        self._led_by: dict[object, object] = {}

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served."""
        return [
            web.post("/v1/responses", self._guard.before("stream", self._respond)),
            web.get("/v1/responses/{id}", self._guard.before("resume", self._resume)),
        ]

    async def _respond(self, request: web.Request, body: JSON) -> web.StreamResponse:
        answer = self._answer(body)
        first, tokens, last = events_of(answer)
        payloads = [*first, *tokens, *last]
        if answer.is_stored:
            ids = frozenset(item["id"] for item in answer.output)
            self._kept.append(_Kept(answer.id, ids, payloads))
        if body.get("stream") is not True:
            return await answer_whole(self._backend, tokens, answer.whole())
        if self._backend.faults.take(PlainJson, "stream") is not None:
            return web.json_response(answer.whole())

        def error(fault: ErrorInStream) -> Sequence[str]:
            return error_events(answer, fault, len(first) + min(fault.after, len(tokens)))

        return await self._stream(request, tokens, last, first, error)

    async def _resume(self, request: web.Request, _body: JSON) -> web.StreamResponse:
        wanted = request.match_info["id"]
        kept = next((each for each in self._kept if each.id == wanted), None)
        if kept is None:
            raise RequestError(f"Response with id '{wanted}' not found.", status=404)
        if request.query.get("stream") != "true":
            raise RequestError("the sandbox gives a kept response as a stream only")
        after = int(request.query.get("starting_after", "-1"))
        return await self._stream(request, kept.payloads[after + 1 :], [], [], None)

    async def _stream(
        self,
        request: web.Request,
        tokens: Sequence[str],
        last: Sequence[str],
        first: Sequence[str],
        error: object,
    ) -> web.StreamResponse:
        script = Script(
            tokens=tokens,
            event=str,
            count=len(tokens),
            ending=last,
            error=error,  # type: ignore[arg-type] # what is resumed has none
            opening=first,
        )
        return await stream_answer(
            self._backend, request, script, headers=_HEADERS, space=" ", form="named"
        )

    def _answer(self, body: JSON) -> ResponseAnswer:
        """Decide on the answer to a request.

        Raises:
            RequestError: the request is not one that can be answered.

        """
        model, thinks = self._checked_model(body)
        check_parameters(body)
        items = items_of(body)
        self._check_reasoning(items)
        prompt = user_text_in(items)
        limit = body.get("max_output_tokens")
        answer = self._backend.answer_to(
            prompt, limit=limit if isinstance(limit, int) and limit > 0 else None
        )
        tools = map(object_in, list_in(body.get("tools")))
        said = [str(body.get("instructions") or ""), *map(text_in, items)]
        decided = ResponseAnswer(
            model=model,
            tokens=answer.tokens,
            is_cut=answer.is_cut,
            prompt_tokens=sum(len(tokens_of(text)) for text in said),
            habits=self._habits(body),
            thought=reasoning_about(prompt) if thinks else (),
            calls=calls_for(body, prompt, items[-1]),
            custom=frozenset(str(x.get("name")) for x in tools if x.get("type") == "custom"),
            is_background=body.get("background") is True,
            is_stored=body.get("store") is not False,
        )
        self._remember(decided)
        return decided

    def _checked_model(self, body: JSON) -> tuple[str, bool]:
        model = body.get("model")
        if not isinstance(model, str):
            raise RequestError("Missing required parameter: 'model'.")
        if model not in self._models:
            raise RequestError(
                f"The requested model '{model}' does not exist.", code="model_not_found"
            )
        can_think = model.startswith(("gpt-5", "o"))
        reasoning = object_in(body.get("reasoning"))
        if not can_think and _ENCRYPTED in list_in(body.get("include")):
            raise RequestError("Encrypted content is not supported with this model.")
        if not can_think and reasoning:
            raise RequestError(
                "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
                code="unsupported_parameter",
            )
        return model, can_think and reasoning.get("effort") != "none"

    def _habits(self, body: JSON) -> Habits:
        faults = self._backend.faults
        details = faults.take(UsageDetails, "stream")
        return Habits(
            has_summary=object_in(body.get("reasoning")).get("summary") is not None,
            has_secret=_ENCRYPTED in list_in(body.get("include")),
            is_refusing=faults.take(RefusalDeltas, "stream") is not None,
            is_citing=faults.take(Citations, "stream") is not None,
            has_output=faults.take(EmptyOutput, "stream") is None,
            has_argument_deltas=faults.take(NoArgumentDeltas, "stream") is None,
            changes_ids=faults.take(ChangingIds, "stream") is not None,
            cached_tokens=details.cached_tokens if details is not None else 0,
        )

    def _remember(self, answer: ResponseAnswer) -> None:
        """Remember which reasoning the items of an answer belong to."""
        reasoning = next((x for x in answer.output if x["type"] == "reasoning"), None)
        for item in answer.output:
            if reasoning is not None and item is not reasoning:
                self._led_by[item["id"]] = reasoning["id"]
        for oldest in [*self._led_by][:-_MOST_KEPT]:
            del self._led_by[oldest]

    def _check_reasoning(self, items: Sequence[JSON]) -> None:
        """See that reasoning comes back as it was, with what it led to behind it.

        Raises:
            RequestError: it does not.

        """
        stored = frozenset[object]().union(*(kept.item_ids for kept in self._kept))
        there = {item.get("id") for item in items if item.get("type") == "reasoning"}
        for item, following in pairwise([*items, {}]):
            name = item.get("id")
            if item.get("type") == "reasoning":
                self._check_secret(item, is_stored=name in stored)
                if following.get("type", "message" if following else None) is None:
                    raise RequestError(
                        f"Item '{name}' of type 'reasoning' was provided without its required "
                        "following item."
                    )
            elif self._led_by.get(name, name) != name and self._led_by[name] not in there:
                raise RequestError(
                    f"Item '{name}' of type '{item.get('type')}' was provided without its required "
                    f"'reasoning' item: '{self._led_by[name]}'."
                )

    def _check_secret(self, item: JSON, *, is_stored: bool) -> None:
        name, secret = item.get("id"), item.get("encrypted_content")
        if secret is None and not is_stored:
            raise RequestError(
                f"Item with id '{name}' not found. Items are not persisted when `store` is set to "
                "false. Try again with `store` set to true, or remove this item from your input.",
                status=404,
            )
        if secret is not None and secret != secret_of(str(name)):
            raise RequestError(
                f"The encrypted content {str(secret)[:8]}... could not be verified.",
                code="invalid_encrypted_content",
            )
