"""Habits: the same answer, put differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asyncllm.sandbox.faults.fault import Fault


@dataclass(frozen=True)
class Framing(Fault):
    """The same content, in other bytes."""

    kind: Literal[
        "crlf",
        "cr",
        "no_space",
        "multi_line",
        "id_retry",
        "comments",
        "bom",
        "one_byte",
        "json_lines",
        "json_array",
    ]


@dataclass(frozen=True)
class BigEvent(Fault):
    """The answer's first token is `size` characters long."""

    size: int = 2_000_000


@dataclass(frozen=True)
class PlainJson(Fault):
    """One plain JSON answer, although a stream was requested (Gravityengine)."""


@dataclass(frozen=True)
class Usage(Fault):
    """Where the token counts are sent, whether or not they were requested.

    "last": in a last chunk with `choices: []`; "finish": in the chunk with the finish reason;
    "with_choices": in a last chunk whose choices are not empty; "never": nowhere.
    """

    position: Literal["last", "finish", "with_choices", "never"] = "last"


@dataclass(frozen=True)
class NoDone(Fault):
    """The stream ends without ``data: [DONE]``."""


@dataclass(frozen=True)
class NoFinishReason(Fault):
    """No chunk has a finish reason."""


@dataclass(frozen=True)
class NullContent(Fault):
    """The first and the finish chunk have ``"content": null``."""


@dataclass(frozen=True)
class UsageDetails(Fault):
    """The token counts say more: what was cached, what was thought, and what it cost.

    `form` "openai" has them in `prompt_tokens_details` and `completion_tokens_details`; "deepseek"
    also in `prompt_cache_hit_tokens`; "xai" does not count the reasoning among `completion_tokens`,
    and reports the cost in ticks, ten thousand million of which are a dollar. `cost` is in dollars,
    None for none.
    """

    form: Literal["openai", "deepseek", "xai"] = "openai"
    cached_tokens: int = 1
    cost: float | None = None


@dataclass(frozen=True)
class Fingerprint(Fault):
    """Every chunk names the server's `system_fingerprint` and `service_tier`."""

    system_fingerprint: str = "fp_sandbox"
    service_tier: str = "default"


@dataclass(frozen=True)
class Citations(Fault):
    """Every chunk has the same `citations` and `search_results` (Perplexity).

    In Gemini's format the last chunk has `groundingMetadata`.
    """


@dataclass(frozen=True)
class RefusalDeltas(Fault):
    """The text is sent as `refusal`, and there is no content."""


@dataclass(frozen=True)
class Thinking(Fault):
    """Some reasoning comes before the answer, asked for or not."""


@dataclass(frozen=True)
class ReasoningField(Thinking):
    """Some reasoning deltas are sent first, under this name.

    With `demanded` they must come back with the tool calls that followed them (DeepSeek).
    """

    name: Literal["reasoning", "reasoning_content"] = "reasoning_content"
    demanded: bool = False


@dataclass(frozen=True)
class ReasoningDetails(Thinking):
    """`reasoning` comes with `reasoning_details`, as OpenRouter writes them.

    They end with the signature of a "text", or are a summary and an "encrypted" block, and must
    come back with the tool calls that followed them. Chunks name the `provider`, and the
    `native_finish_reason`.
    """

    kind: Literal["text", "encrypted"] = "text"


@dataclass(frozen=True)
class ContentParts(Thinking):
    """The content is sent as arrays of thinking, then of text, and then as strings (Mistral).

    With `demanded` the thinking must come back with the tool calls that followed it.
    """

    demanded: bool = False


@dataclass(frozen=True)
class ThoughtSignatures(Fault):
    """The first tool call of an answer has a signature, which must come back with it (Gemini)."""


@dataclass(frozen=True)
class EmptyOutput(Fault):
    """The last event of OpenAI's Responses has `"output": []`, whatever came before it."""


@dataclass(frozen=True)
class NoArgumentDeltas(Fault):
    """The arguments of a call in OpenAI's Responses are sent whole, with the call (LM Studio)."""


@dataclass(frozen=True)
class ChangingIds(Fault):
    """An item of OpenAI's Responses has a different id in each event (GitHub's Copilot)."""


@dataclass(frozen=True)
class ToolIndex(Fault):
    """Tool-call deltas have no index, or all have index 0; each of them has its id."""

    kind: Literal["missing", "duplicate"] = "missing"
