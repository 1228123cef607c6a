"""The shape of what Gemini's wire sends: a chunk of a stream, or a whole answer.

What is beside the answer is `object`: a server that writes it otherwise must not fail for it.

Wire facts: Google's reference of `GenerateContentResponse`, and streams recorded from both servers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import msgspec


class Content(msgspec.Struct, gc=False):
    """A piece of an answer; its parts are kept as they come, as some must go back unchanged."""

    parts: list[dict[str, Any] | None] | None = None


class Candidate(msgspec.Struct, gc=False, rename="camel"):
    """One of the answers that were asked for."""

    content: Content | None = None
    index: int | None = 0
    finish_reason: str | int | None = None
    finish_message: object = None
    continuation_token: object = None
    grounding_metadata: object = None
    citation_metadata: object = None
    url_context_metadata: object = None
    logprobs_result: object = None
    avg_logprobs: object = None
    safety_ratings: object = None


class Chunk(msgspec.Struct, gc=False, rename="camel"):
    """An event of a stream."""

    candidates: list[Candidate | None] | None = None
    usage_metadata: object = None
    prompt_feedback: object = None
    model_version: object = None
    response_id: object = None
    create_time: object = None
    model_status: object = None
    error: object = None
    message: object = None
    detail: object = None
    code: object = None
    status: object = None


class Counts(msgspec.Struct, gc=False, rename="camel"):
    """The counts of a `usageMetadata`; None where it does not say."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    total_token_count: int | None = None


class _PiecePart(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    text: str
    thought: bool = False


class _PieceContent(msgspec.Struct, gc=False):
    parts: tuple[_PiecePart]


class _PieceCandidate(msgspec.Struct, gc=False, rename="camel"):
    content: _PieceContent
    index: Literal[0] = 0
    finish_reason: None = None
    continuation_token: None = None
    grounding_metadata: None = None
    citation_metadata: None = None
    url_context_metadata: None = None
    logprobs_result: None = None


CHUNK = msgspec.json.Decoder(Chunk)

COUNTS = Counts.__struct_fields__
"""The counts, by the names that they have here."""


@lru_cache(maxsize=32)
def piece_decoder(counted: frozenset[str]) -> msgspec.json.Decoder[Any]:
    """Return a decoder of a chunk with a piece of text or thinking and nothing else.

    Most are such chunks, and it refuses any other: to look for what is hardly ever there takes
    longer in Python. What is the same in each chunk, or said again at the end, is not looked at.

    Args:
        counted: those of `COUNTS` that the chunk must have, with no others: its counts can then
            take the place of the older ones.

    """
    some: list[tuple[str, Any]] = [(name, int) for name in COUNTS if name in counted]
    none: list[tuple[str, Any, Any]] = [
        (name, None, None) for name in COUNTS if name not in counted
    ]
    counts = msgspec.defstruct("PieceCounts", [*some, *none], gc=False, rename="camel")
    usage = ("usage_metadata", counts) if counted else ("usage_metadata", counts | None, None)
    fields: list[Any] = [
        ("candidates", tuple[_PieceCandidate]),
        usage,
        ("prompt_feedback", None, None),
        ("error", None, None),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("PieceChunk", fields, gc=False, rename="camel"))
