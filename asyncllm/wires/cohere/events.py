"""The shape of what Cohere's chat sends: an event, by its `type`.

What is beside the answer is `Any`: who writes it otherwise must not make an answer fail.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Content(msgspec.Struct, gc=False):
    """A block of the answer, or a piece of it."""

    text: str | None = None
    thinking: str | None = None


class Message(msgspec.Struct, gc=False):
    """What an event says of the answer; where it begins, there are empty lists in it."""

    content: Content | list[Any] | None = None
    tool_plan: str | None = None
    tool_calls: Any = None
    citations: Any = None


class Delta(msgspec.Struct, gc=False):
    """What an event adds."""

    message: Message | None = None
    finish_reason: str | None = None
    error: Any = None
    error_type: Any = None
    usage: Any = None


class Event(msgspec.Struct, gc=False):
    """An event of the stream."""

    type: str | None = None
    delta: Delta | None = None
    index: Any = None
    id: Any = None
    logprobs: Any = None
    message: Any = None  # of an error; an answer's is in `delta`
    error: Any = None
    code: Any = None
    status: Any = None
    status_code: Any = None


class _PieceContent(msgspec.Struct, gc=False):
    text: str = ""
    thinking: str = ""


class _PieceMessage(msgspec.Struct, gc=False):
    content: _PieceContent


class _PieceDelta(msgspec.Struct, gc=False):
    message: _PieceMessage


class _Piece(msgspec.Struct, gc=False):
    type: Literal["content-delta"]
    delta: _PieceDelta
    index: int | None = None
    logprobs: None = None


EVENT = msgspec.json.Decoder(Event)
PIECE = msgspec.json.Decoder(_Piece)
"""Of a piece of the answer, as nearly all events are; it refuses any other."""
