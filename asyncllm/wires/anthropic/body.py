"""The body of a request to Anthropic, from messages and the parameters that all providers share.

Wire facts: Anthropic's reference of `POST /v1/messages`, its pages on effort, structured outputs
and API versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from asyncllm.errors import ConfigurationError
from asyncllm.wires.anthropic.caching import mark
from asyncllm.wires.anthropic.messages import Conversation
from asyncllm.wires.anthropic.tools import choice_of, tool_of
from asyncllm.wires.loose import as_count, as_mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

JSON: TypeAlias = dict[str, object]

_WITHOUT_SAMPLING = "2026-10-21"
"""The first version of the API that has none of these three."""

_SAMPLING = ("temperature", "top_p", "top_k")
_UNKNOWN = (
    *("seed", "presence_penalty", "frequency_penalty", "logit_bias"),
    *("logprobs", "top_logprobs"),
)
_EFFORTS = {"minimal": "low"}  # OpenAI's word → Anthropic's
_TRANSLATED = frozenset(
    {
        *("max_tokens", "max_completion_tokens", "stop", "stop_sequences", "user", "metadata", "n"),
        *("tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort"),
        *("thinking", "output_config", "cache", *_UNKNOWN),
    }
)


def body_of(
    model: str,
    messages: Sequence[Mapping[str, object]],
    params: Mapping[str, object],
    *,
    max_tokens: int,
    version: str,
) -> JSON:
    """Return what is sent.

    Args:
        model: the full id of the model.
        messages: as `check_messages` returns them.
        params: the common parameters, and Anthropic's own, by their names; `cache` says what to
            cache (see `mark`).
        max_tokens: the most tokens of the answer where `params` don't say; a budget for thinking
            is added.
        version: of the API.

    Raises:
        ConfigurationError: the wire has no place for something.

    """
    _refuse(params, version)
    conversation = Conversation(messages)
    thinking = params.get("thinking")
    effort = params.get("reasoning_effort")
    if effort == "none" and thinking is None:
        thinking = {"type": "disabled"}
    tools = [tool_of(tool, f"tools[{n}]") for n, tool in enumerate(_listed(params, "tools"))]
    system = conversation.system
    is_plain = len(system) == 1 and len(system[0]) == len(("type", "text"))
    parts: JSON = {
        "model": model,
        "max_tokens": _limit(params, thinking, max_tokens),
        "system": system[0]["text"] if is_plain else system,
        "messages": conversation.turns,
        "stream": True,
        "tools": tools,
        "tool_choice": choice_of(params, has_tools=bool(tools)),
        "thinking": thinking,
        "output_config": _output_config(params, effort),
        "stop_sequences": _stops(params),
        "metadata": _metadata(params),
        "container": conversation.container,
    }
    others = {name: value for name, value in params.items() if name not in _TRANSLATED}
    said = {name: value for name, value in parts.items() if value not in ([], {}, "", None)}
    return mark({**said, "messages": conversation.turns, **others}, params.get("cache"))


def _refuse(params: Mapping[str, object], version: str) -> None:
    for name in _UNKNOWN:
        value = params.get(name)
        if value or (name == "seed" and value is not None):
            raise ConfigurationError(
                f"Anthropic has no {name}: leave it out (extra={{{name!r}: …}} sends it anyway)"
            )
    if version >= _WITHOUT_SAMPLING:
        for name in _SAMPLING:
            if params.get(name) is not None:
                raise ConfigurationError(
                    f"version {version} of Anthropic's API has no {name}: leave it out, or pass "
                    'version="2023-06-01" to the constructor'
                )


def _limit(params: Mapping[str, object], thinking: object, default: int) -> object:
    asked = params.get("max_completion_tokens", params.get("max_tokens"))
    budget = as_count(as_mapping(thinking).get("budget_tokens")) or 0
    return default + budget if asked is None else asked


def _output_config(params: Mapping[str, object], effort: object) -> JSON:
    config: JSON = {}
    if effort not in (None, "none"):
        config["effort"] = _EFFORTS.get(str(effort), effort)
    if (form := _format(params.get("response_format"))) is not None:
        config["format"] = form
    return {**config, **_mapping(params, "output_config")}


def _format(asked: object) -> JSON | None:
    """Return the form of the answer, from OpenAI's `response_format`, or Anthropic's own."""
    said = as_mapping(asked)
    if asked is None or said.get("type") == "text":
        return None
    schema = as_mapping(said.get("json_schema")).get("schema", said.get("schema"))
    if said.get("type") == "json_schema" and isinstance(schema, dict):
        return {"type": "json_schema", "schema": schema}
    raise ConfigurationError(
        "response_format must have a schema for Anthropic: write "
        '{"type": "json_schema", "json_schema": {"name": …, "schema": {…}}}'
    )


def _stops(params: Mapping[str, object]) -> list[object]:
    stop = params.get("stop")
    own = [stop] if isinstance(stop, str) else _listed(params, "stop")
    return [*filter(None, own), *_listed(params, "stop_sequences")]


def _metadata(params: Mapping[str, object]) -> JSON:
    user = params.get("user")
    return {**({} if user is None else {"user_id": user}), **_mapping(params, "metadata")}


def _listed(params: Mapping[str, object], name: str) -> list[object]:
    value = params.get(name)
    if value is not None and not isinstance(value, list | tuple):
        raise ConfigurationError(f"{name} must be a list, not {type(value).__name__}")
    return list(value or ())


def _mapping(params: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = params.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be a mapping, not {type(value).__name__}")
    return value or {}
