"""OpenAI's Responses: what its newer models can do, at OpenAI and whoever else speaks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from typing_extensions import override

from asyncllm.base.ask import Ask, Next
from asyncllm.base.carried import EVERYTHING
from asyncllm.base.common import on_the_wire
from asyncllm.errors import ConfigurationError, HTTPStatusError, StreamInterrupted, TransportError
from asyncllm.options import Timeouts
from asyncllm.providers.openai import OpenAI
from asyncllm.wires.openai_responses import (
    ResponsesTranslator,
    flat_choice,
    flat_format,
    flat_tools,
    responses_input,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm.base.request import Request
    from asyncllm.errors import AsyncLLMError, BadRequestError
    from asyncllm.wires import Translator

_PATH = "/responses"
_ENCRYPTED = "reasoning.encrypted_content"
_LIKELY = "message.output_text.logprobs"
_PADDING = "stream_options"
_SUMMARY = "reasoning.summary"
_NEVER_REASONS = re.compile(r"(?:ft:)?(?:chatgpt-4|gpt-3\.5|gpt-4)").match
_REFUSES_ENCRYPTED = re.compile(
    r"encrypted[ _]content\W+(?:is )?not supported|reasoning\.encrypted_content|'include'"
).search
_REFUSES_SUMMARY = re.compile(r"reasoning[._ ]summar").search
_SAME = ("temperature", "top_p", "user", "parallel_tool_calls", "tools", "tool_choice")
_TRANSLATED = ("response_format", "reasoning_effort", "logprobs", "top_logprobs")
_NAMES = {name: name for name in (*_SAME, *_TRANSLATED)} | dict.fromkeys(
    ("max_tokens", "max_completion_tokens"), "max_output_tokens"
)


class OpenAIResponses(OpenAI):
    """OpenAI's Responses API, with the key, the account and the address of `OpenAI`.

    Nothing is stored on the server unless you set `store=True` or `background=True`. The model's
    reasoning is requested in encrypted form, and `Reply.message` returns it with the next turn.
    Parameters are those of a chat completion, and the API's own by their names; tools may have
    either form.

    With `background=True` the answer is generated whether or not somebody reads it, and if its
    connection breaks, asyncllm continues where it broke.

    Args:
        options: as for every provider.

    """

    wire = "responses"
    carries = EVERYTHING - {"prefill"}
    path: ClassVar[str] = _PATH
    default_timeouts = Timeouts(first_token=600.0, stall=600.0)

    @property
    @override
    def _label(self) -> str:
        return type(self).__name__

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: a key or a model is missing, or the API has no place for something.

        """
        self._check_askable(request)
        given = request.given
        params = on_the_wire(request.params, _NAMES, "OpenAI's Responses")
        instructions, items = responses_input(
            request.messages, has_instructions="instructions" in given
        )
        body = {
            **({"model": request.model} if request.model else {}),
            **({"instructions": instructions} if instructions else {}),
            "input": items,
            "stream": True,
            "store": _is_stored(request),
            **_without_padding(request),
            **_translated(params, request),
        }
        return Ask(self.path, body)

    @override
    def translator(self, request: Request) -> ResponsesTranslator:
        """Return what reads one answer."""
        return ResponsesTranslator(is_stored=_is_stored(request))

    @override
    def refused_field(self, request: Request, error: BadRequestError) -> str:
        """Return what is asked for by ourselves, where the server or the model has none of it."""
        said, given = error.body.lower(), request.given
        if _PADDING in said and _PADDING not in given:
            return _PADDING
        if _REFUSES_ENCRYPTED(said) and _asks_for_encrypted(request):
            return _of_model(_ENCRYPTED, request)
        if _REFUSES_SUMMARY(said) and _adds_summary(request):
            return _of_model(_SUMMARY, request)
        return ""

    @override
    def go_on(
        self, request: Request, translator: Translator, error: AsyncLLMError | None
    ) -> Next | None:
        """Return how to take up an answer in the background whose connection has broken."""
        is_refused = isinstance(error, HTTPStatusError) and error.method and error.is_passing
        is_broken = is_refused or isinstance(error, StreamInterrupted | TransportError)
        if not (is_broken and request.given.get("background") is True):
            return None
        if not isinstance(translator, ResponsesTranslator) or not translator.can_be_taken_up():
            return None
        query = {"stream": "true", "starting_after": str(translator.sequence_number)}
        name = quote(translator.facts.id, safe="")
        ask = Ask(f"{self.path}/{name}", method="GET", query=query)
        return Next(ask, translator, wait=float(translator.breaks - 1))


def _is_stored(request: Request) -> bool:
    """Tell whether the server is to keep the answer: one in the background can't be had without."""
    stored = request.given.get("store")
    return request.given.get("background") is True if stored is None else stored is True


def _without_padding(request: Request) -> dict[str, object]:
    """Return what leaves out `obfuscation`, which is half of what comes and says nothing."""
    is_refused = _PADDING in request.without
    return {} if is_refused else {_PADDING: {"include_obfuscation": False}}


def _asks_for_encrypted(request: Request) -> bool:
    is_known = not _NEVER_REASONS(request.model)  # these refuse to be asked
    is_refused = _of_model(_ENCRYPTED, request) in request.without
    return is_known and not is_refused and not _is_stored(request)


def _adds_summary(request: Request) -> bool:
    """Tell whether to ask for a summary: where somebody says how hard to think, and no more."""
    given = request.given
    effort = given.get("reasoning_effort")
    is_said = "reasoning" in request.extra or "summary" in _mapping(given, "reasoning")
    is_refused = _of_model(_SUMMARY, request) in request.without
    return effort not in (None, "none") and not is_said and not is_refused


def _of_model(field: str, request: Request) -> str:
    """Return what a field is remembered by that one model of a server refuses and others take."""
    return f"{field} of {request.model}"


def _translated(params: dict[str, object], request: Request) -> dict[str, object]:
    """Return parameters of the API's names as it has them, some of which belong together."""
    asked = {name: value for name, value in params.items() if name not in _TRANSLATED}
    if isinstance(tools := asked.get("tools"), list | tuple):
        asked["tools"] = flat_tools(tools)
    if "tool_choice" in asked:
        asked["tool_choice"] = flat_choice(asked["tool_choice"])
    text = dict(_mapping(params, "text"))
    if form := _mapping(params, "response_format"):
        text["format"] = flat_format(form)
    if "verbosity" in params:
        text["verbosity"] = asked.pop("verbosity")
    reasoning: dict[str, object] = {}
    if "reasoning_effort" in params:
        reasoning["effort"] = params["reasoning_effort"]
    if _adds_summary(request):
        reasoning["summary"] = "auto"
    asked |= {"text": text} if text else {}
    reasoning |= _mapping(params, "reasoning")
    asked |= {"reasoning": reasoning} if reasoning else {}
    if "top_logprobs" in params:
        asked["top_logprobs"] = params["top_logprobs"]
    include = dict.fromkeys([*_listed(params.get("include")), *_included(params, request)])
    return {**asked, **({"include": list(include)} if include else {})}


def _included(params: Mapping[str, object], request: Request) -> Iterable[str]:
    if _asks_for_encrypted(request):
        yield _ENCRYPTED
    if params.get("logprobs") or params.get("top_logprobs"):
        yield _LIKELY


def _mapping(params: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return a parameter that is a mapping; an empty one where nothing is given.

    Raises:
        ConfigurationError: it is something else.

    """
    value = params.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be a mapping, not {type(value).__name__}")
    return value or {}


def _listed(asked: object) -> list[str]:
    names = (
        [each for each in asked if isinstance(each, str)] if isinstance(asked, list | tuple) else []
    )
    if asked is not None and (not isinstance(asked, list | tuple) or len(names) < len(asked)):
        raise ConfigurationError(f"include must be a list of str, not {asked!r:.50}")
    return names
