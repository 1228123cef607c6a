"""The frequent event of Anthropic's wire, a piece of a block, by typed decoders of its own.

All other events are few, and are read as the objects that they are.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

PIECE_NAME = "content_block_delta"


class TextDelta(msgspec.Struct, gc=False, tag_field="type", tag="text_delta"):
    """A piece of text."""

    text: str


class ThinkingDelta(msgspec.Struct, gc=False, tag_field="type", tag="thinking_delta"):
    """A piece of thinking; "" where it is not shown."""

    thinking: str


class InputDelta(msgspec.Struct, gc=False, tag_field="type", tag="input_json_delta"):
    """A piece of a tool's arguments, as JSON."""

    partial_json: str


Delta: TypeAlias = TextDelta | ThinkingDelta | InputDelta


class Piece(msgspec.Struct, gc=False, tag_field="type", tag=PIECE_NAME):
    """A piece of the block with an index."""

    index: int
    delta: Delta


PIECE = msgspec.json.Decoder(Piece)
"""Of a piece that comes many times; it refuses any other event, and any other piece."""

EVENT = msgspec.json.Decoder(dict[str, object])
"""Of any event."""
