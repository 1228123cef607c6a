"""How a server writes its completions, as the declared faults and the request say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from asyncllm.sandbox.faults import (
    Citations,
    Fingerprint,
    NoDone,
    NoFinishReason,
    NullContent,
    ReasoningField,
    RefusalDeltas,
    Thinking,
    ThoughtSignatures,
    ToolIndex,
    Usage,
    UsageDetails,
)
from asyncllm.sandbox.wires.body import JSON, object_in
from asyncllm.sandbox.wires.openai_request import top_logprobs_of
from asyncllm.sandbox.wires.openai_style import Style, style_of

if TYPE_CHECKING:
    from asyncllm.sandbox.faults.book import FaultBook
    from asyncllm.sandbox.wires.openai_calls import ToolIndexKind

_SOURCES = [
    {
        "title": f"Source {number}",
        "url": f"https://example.org/{number}",
        "snippet": f"What the source {number} says.",
        "date": None,
        "source": "web",
    }
    for number in (1, 2)
]


@dataclass(frozen=True)
class Habits:
    """How a server writes its completions, where servers differ.

    `usage` `None` is what OpenAI does unasked: no usage in a stream, but in a whole completion.
    `top_logprobs` `None` is no logprobs at all; `extras` are in every chunk.
    """

    usage: Literal["last", "finish", "with_choices", "never"] | None = None
    is_usage_asked: bool = False
    usage_details: UsageDetails | None = None
    has_done: bool = True
    has_finish_reason: bool = True
    has_null_content: bool = False
    is_refusing: bool = False
    has_signatures: bool = False
    tool_index: ToolIndexKind = "right"
    top_logprobs: int | None = None
    style: Style = field(default_factory=Style)
    extras: JSON = field(default_factory=dict[str, object])


def habits_of(faults: FaultBook, body: JSON) -> Habits:
    """Take what is due for a request.

    Raises:
        RequestError: as `top_logprobs_of` does.
        TypeError: a way to write reasoning is declared that nobody knows.

    """
    is_asked = object_in(body.get("stream_options")).get("include_usage") is True
    usage = faults.take(Usage, "stream")
    tool_index = faults.take(ToolIndex, "stream")
    thinking = faults.take(Thinking, "stream")
    if thinking is None and body.get("reasoning_effort") is not None:
        thinking = ReasoningField()
    style = style_of(thinking)
    return Habits(
        usage=usage.position if usage is not None else "last" if is_asked else None,
        is_usage_asked=is_asked,
        usage_details=faults.take(UsageDetails, "stream"),
        has_done=faults.take(NoDone, "stream") is None,
        has_finish_reason=faults.take(NoFinishReason, "stream") is None,
        has_null_content=faults.take(NullContent, "stream") is not None,
        is_refusing=faults.take(RefusalDeltas, "stream") is not None,
        has_signatures=faults.take(ThoughtSignatures, "stream") is not None,
        tool_index=tool_index.kind if tool_index is not None else "right",
        top_logprobs=top_logprobs_of(body),
        style=style,
        extras=_extras(faults, style),
    )


def _extras(faults: FaultBook, style: Style) -> JSON:
    extras: JSON = {}
    fingerprint = faults.take(Fingerprint, "stream")
    if fingerprint is not None:
        extras["system_fingerprint"] = fingerprint.system_fingerprint
        extras["service_tier"] = fingerprint.service_tier
    if faults.take(Citations, "stream") is not None:
        extras["citations"] = [source["url"] for source in _SOURCES]
        extras["search_results"] = _SOURCES
    if style.provider is not None:
        extras["provider"] = style.provider
    return extras
