"""The blocks of an answer of Anthropic's, from their starts and pieces to items.

Wire facts: as in `translator`. Tools of the server's own are told as their results; what a model
that gave way to another (`fallback`) wanted called is nobody's to answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from asyncllm.events import Reasoning
from asyncllm.sizes import size_of
from asyncllm.wires.anthropic.blocks import Blocks, as_json
from asyncllm.wires.anthropic.pieces import PIECE_NAME, Delta, InputDelta, TextDelta, ThinkingDelta
from asyncllm.wires.anthropic.told import citations_of, is_result, result_of
from asyncllm.wires.loose import as_count, as_kept, as_mapping, as_text
from asyncllm.wires.tool_calls import ToolCalls

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncllm.events import Item, ToolCall
    from asyncllm.wires.anthropic.blocks import Block
    from asyncllm.wires.anthropic.turn import Turn

OF_BLOCKS = ("content_block_start", PIECE_NAME, "content_block_stop")
"""The types of the events that are about a block."""

_COMMON: dict[str, tuple[str, Callable[[str], Delta]]] = {
    "text_delta": ("text", TextDelta),
    "thinking_delta": ("thinking", ThinkingDelta),
    "input_json_delta": ("partial_json", InputDelta),
}
_KINDS = {TextDelta: "text", ThinkingDelta: "thinking", InputDelta: ""}  # of what has no start
_NO_BLOCK = -1


class BlockReader:
    """Reads the blocks of one message.

    Args:
        turn: the answer that it is a part of.

    Attributes:
        blocks: what has come.
        is_building: whether something came that is not given out before it is whole; for its owner
            to set back.
        model: the one that a model which answered first gave way to; "" where none did.

    """

    __slots__ = ("_block", "_calls", "_index", "_turn", "blocks", "is_building", "model")

    def __init__(self, turn: Turn) -> None:
        self.blocks = Blocks(turn.blocks)
        self.is_building = False
        self.model = ""
        self._turn = turn
        self._calls: ToolCalls | None = None  # few answers have any
        self._block: Block | None = None  # of the newest piece
        self._index = _NO_BLOCK

    def calls(self) -> list[ToolCall]:
        """Return the calls; the arguments of one that has none are an empty object."""
        calls = self._calls.whole() if self._calls is not None else []
        given = self.blocks.inputs
        return [
            call
            if call.arguments
            else structs.replace(call, arguments=as_json(given.get(call.id, {})))
            for call in calls
        ]

    def take(self, kind: object, event: dict[str, object], batch: list[Item]) -> None:
        """Append what an event says; its type is one of `OF_BLOCKS`."""
        index = as_count(event.get("index"))
        index = _NO_BLOCK if index is None else index
        if kind == "content_block_start":
            self.start(index, event.get("content_block"), batch)
        elif kind == "content_block_stop":
            self.stop(index, batch)
        else:
            self._take_delta(index, as_mapping(event.get("delta")), batch)

    def start(self, index: int, said: object, batch: list[Item]) -> None:
        """Take the beginning of a block, which may be all of it.

        Raises:
            ReplyTooLargeError: there are too many, or too many calls.

        """
        self.settle()
        block = self.blocks.begin(index, said, self._turn.size)
        self._block, self._index = block, index
        name, called = as_text(block.fields.get("name")), as_text(block.fields.get("id"))
        match block.kind:
            case "text":
                batch += block.pieces
            case "thinking":
                batch += map(Reasoning, block.pieces)
            case "tool_use":
                self._add_to_call(index, called, name, "")
            case "fallback":  # to another model, which may have to begin its calls anew
                self._calls = None
                self.blocks.forget_calls()
                self.model = as_text(as_mapping(block.fields.get("to")).get("model"))
            case "redacted_thinking":
                self.is_building = True
        if name and called and not self.blocks.is_too_large:
            self._turn.names[called] = name
        if is_result(block):
            batch.append(result_of(block, self._turn.names))

    def take_piece(self, index: int, delta: Delta, batch: list[Item]) -> None:
        """Take a piece of a block, of which there are as many as tokens."""
        block = self._block
        if block is None or index != self._index:
            block = self._go_to(index, delta)
        if type(delta) is TextDelta:
            if delta.text and (block.kind == "text" or block.takes("text")):
                block.pieces.append(delta.text)
                batch.append(delta.text)
        elif type(delta) is ThinkingDelta:
            if delta.thinking and (block.kind == "thinking" or block.takes("thinking")):
                block.pieces.append(delta.thinking)
                batch.append(Reasoning(delta.thinking))
        elif type(delta) is InputDelta and delta.partial_json:
            if block.kind == "tool_use":
                self._add_to_call(index, "", "", delta.partial_json)
            elif block.takes("input"):
                block.pieces.append(delta.partial_json)
                self.is_building = True

    def _take_delta(self, index: int, delta: dict[str, object], batch: list[Item]) -> None:
        """Take any delta; one that is unknown makes the block one that can't be sent back."""
        kind = as_text(delta.get("type"))
        if kind in _COMMON:
            field, make = _COMMON[kind]
            self.take_piece(index, make(as_text(delta.get(field))), batch)
            return
        block = self.blocks.find(index)
        if block is None:
            return
        match kind:
            case "signature_delta":
                block.fields["signature"] = as_text(delta.get("signature"))
            case "citations_delta":
                block.cite(as_kept(delta.get("citation")))
            case "compaction_delta":
                block.fields |= {name: each for name, each in delta.items() if name != "type"}
            case _:
                block.is_odd = True
        self.blocks.grow(size_of(delta))
        self.is_building = True

    def stop(self, index: int, batch: list[Item]) -> None:
        """Take the end of a block; its sources are told now: they come before what cites them."""
        self.settle()
        block = self.blocks.find(index)
        if block is not None and block.kind == "text":
            batch += citations_of(block.untold_sources(), block.start, self._turn.size)

    def _go_to(self, index: int, delta: Delta) -> Block:
        """Return the block of a piece, which is another than that of the newest."""
        self.settle()
        block = self.blocks.find(index)
        if block is None:
            block = self.blocks.begin(index, {"type": _KINDS[type(delta)]}, self._turn.size)
        self._block, self._index = block, index
        return block

    def settle(self) -> None:
        """Count what has come of the newest block."""
        block = self._block
        if block is not None and block.pieces:
            size = self.blocks.settle(block)
            self._turn.size += size if block.kind == "text" else 0

    def _add_to_call(self, index: int, call_id: str, name: str, piece: str) -> None:
        self._calls = self._calls or ToolCalls()
        self.is_building |= self._calls.add(call_id, index, name, piece)
