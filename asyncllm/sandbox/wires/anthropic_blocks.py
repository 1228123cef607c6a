"""Blocks of Anthropic's, each as the row of events that it is streamed in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from asyncllm.sandbox.generation import tokens_of
from asyncllm.sandbox.wires.body import list_in
from asyncllm.sandbox.wires.openai_style import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncllm.sandbox.wires.body import JSON

_PIECE = 8  # characters of a tool's arguments


def events_of(index: int, block: JSON) -> Iterator[str]:
    """Write a block: its start, what comes in pieces, and its end."""
    yield start_of(index, block)
    for delta in _deltas(block):
        yield delta_of(index, delta)
    yield stop_of(index)


def start_of(index: int, block: JSON) -> str:
    """Write the start of a block, without what comes in pieces."""
    empty: JSON = {}
    match block["type"]:
        case "text":
            empty = {"text": "", **({"citations": []} if "citations" in block else {})}
        case "thinking":
            empty = {"thinking": "", "signature": ""}
        case "tool_use" | "server_tool_use":
            empty = {"input": {}}
    return encode(
        {"type": "content_block_start", "index": index, "content_block": {**block, **empty}}
    )


def delta_of(index: int, delta: JSON) -> str:
    """Write a piece of a block."""
    return encode({"type": "content_block_delta", "index": index, "delta": delta})


def stop_of(index: int) -> str:
    """Write the end of a block."""
    return encode({"type": "content_block_stop", "index": index})


def citation_deltas(block: JSON) -> Iterator[JSON]:
    """Make the deltas of a text's sources, which come before it."""
    for citation in list_in(block.get("citations")):
        yield {"type": "citations_delta", "citation": citation}


def _deltas(block: JSON) -> Iterator[JSON]:
    match block["type"]:
        case "text":
            yield from citation_deltas(block)
            for token in tokens_of(str(block["text"])):
                yield {"type": "text_delta", "text": token}
        case "thinking":
            for token in tokens_of(str(block["thinking"])) or [""]:
                yield {"type": "thinking_delta", "thinking": token}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use" | "server_tool_use":
            arguments = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
            pieces = [arguments[n : n + _PIECE] for n in range(0, len(arguments), _PIECE)]
            # The first piece is always empty, and the only one of a call without arguments.
            for piece in ("", *pieces):
                yield {"type": "input_json_delta", "partial_json": piece}
