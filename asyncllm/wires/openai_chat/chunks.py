"""The shape of what OpenAI's chat wire sends: a chunk of a stream, or a whole answer.

What is beside the answer is `Anything`: a service that writes it otherwise must not fail for it.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Anything: TypeAlias = object  # by another name, as a chunk has a field that is named "object"


class Function(msgspec.Struct, gc=False):
    """A function that is called, or a piece of it."""

    name: str | None = None
    arguments: str | dict[str, object] | None = None


class CallDelta(msgspec.Struct, gc=False):
    """A piece of a tool call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: Anything = None  # Gemini's signature of the thought before it


class Delta(msgspec.Struct, gc=False):
    """A piece of an answer, or all of it."""

    content: str | list[object] | None = None  # Mistral's is a list where the model thinks
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallDelta] | None = None
    function_call: Function | None = None  # one call, as it was before there were several
    reasoning_details: Anything = None  # OpenRouter's
    reasoning_encrypted: Anything = None  # Venice's
    annotations: Anything = None
    images: Anything = None  # OpenRouter's
    audio: Anything = None
    provider_metadata: Anything = None  # Vercel's gateway's


class Choice(msgspec.Struct, gc=False):
    """One of the answers that were asked for."""

    index: int | None = 0
    delta: Delta | None = None
    message: Delta | None = None  # where a stream was asked for and one whole answer came
    text: str | None = None  # of a completion; Together repeats the content in it
    finish_reason: str | None = None
    logprobs: Anything = None
    error: Anything = None
    content_filter_results: Anything = None  # Azure's
    native_finish_reason: Anything = None  # OpenRouter's


class Chunk(msgspec.Struct, gc=False):
    """An event of a stream."""

    id: Anything = None
    model: Anything = None
    provider: Anything = None
    choices: list[Choice | None] | None = None
    usage: Anything = None
    error: Anything = None
    errors: Anything = None
    detail: Anything = None
    message: Anything = None
    object: Anything = None
    type: Anything = None
    code: Anything = None
    status: Anything = None
    status_code: Anything = None  # Cerebras's, of an error
    error_type: Anything = None  # TGI's
    citations: Anything = None
    search_results: Anything = None
    cost: Anything = None  # Venice's
    x_groq: Anything = None
    created: Anything = None
    system_fingerprint: Anything = None
    service_tier: Anything = None
    prompt_filter_results: Anything = None
    timings: Anything = None  # llama.cpp's
    copilot_usage: Anything = None
    latency_checkpoint: Anything = None
    generationId: Anything = None  # noqa: N815 - Vercel's gateway's


_Field: TypeAlias = tuple[str, Any] | tuple[str, Any, Any]  # a name, a type, a default

CHUNK = msgspec.json.Decoder(Chunk)


def _part_of(kind: type[msgspec.Struct], read: list[_Field], passed_over: set[str]) -> Any:
    """Return a struct with some fields of `kind`, that refuses what has another, unless it is null.

    Args:
        kind: a struct.
        read: the fields that it has.
        passed_over: those that may be there, and are not looked at.

    """
    known = passed_over.union(field[0] for field in read)
    names = [name for name in kind.__struct_fields__ if name not in known]
    refused: list[_Field] = [(name, None, None) for name in names]
    return msgspec.defstruct(f"PartOf{kind.__name__}", [*read, *refused], gc=False)


_PieceDelta = _part_of(
    Delta,
    [
        ("content", str | None, None),
        ("reasoning_content", str | None, None),
        ("reasoning", str | None, None),
        ("reasoning_details", Any, None),
        ("tool_calls", list[CallDelta] | None, None),
    ],
    {"provider_metadata"},
)
_PieceChoice = _part_of(
    Choice,
    [("delta", _PieceDelta), ("index", Literal[0], 0), ("content_filter_results", Any, None)],
    {"text", "native_finish_reason"},
)
_SAID_AT_THE_ENDS = {  # the same in each chunk, or said with the first or the last of them
    *("id", "model", "provider", "created", "system_fingerprint", "service_tier", "generationId"),
    *("prompt_filter_results", "timings", "cost", "copilot_usage", "latency_checkpoint"),
}
_SAID_OF_FAILURES = {  # and of nothing where there are choices
    *("errors", "detail", "message", "object", "type", "code"),
    *("status", "status_code", "error_type"),
}
_PieceChunk = _part_of(
    Chunk,
    [("choices", tuple[_PieceChoice])],  # type: ignore[valid-type] # made here
    _SAID_AT_THE_ENDS | _SAID_OF_FAILURES,
)

PIECE_CHUNK: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_PieceChunk)
"""Of a chunk with a piece of an answer and nothing else, as nearly all are; it refuses any other.

To look for what is hardly ever there takes longer in Python than to have it refused here.
"""
