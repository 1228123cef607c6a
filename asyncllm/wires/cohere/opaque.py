"""What Cohere wants back with an answer's text and calls: its thinking, its plan, its sources."""

from __future__ import annotations

from sys import getsizeof

import msgspec

from asyncllm.sizes import size_of
from asyncllm.wires.cohere.messages import OWN
from asyncllm.wires.loose import as_kept, as_list
from asyncllm.wires.tool_calls import MOST_BYTES

_BLOCK_BYTES = 256  # more than an empty one takes


class Kept:
    """What is kept of an answer for the next request; of its text, where it stood.

    An answer may be of any length: one that is too large is sent back as text and calls alone.
    """

    __slots__ = ("_blocks", "_citations", "_open", "_plan", "_size")

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._open: _Block | None = None
        self._plan: list[str] = []
        self._citations: list[object] = []
        self._size = 0  # in memory

    def begin(self) -> None:
        """Begin a block, with whatever comes next."""
        self._open = None

    def write(self, length: int) -> None:
        """Add so many characters of text."""
        block = self._open
        if block is None or block.thinking:
            block = self._new()
        block.length += length

    def think(self, piece: str) -> None:
        """Add a piece of thinking."""
        block = self._open
        if block is None or block.length:
            block = self._new()
        if self._has_room_for(getsizeof(piece)):
            block.thinking.append(piece)

    def plan(self, piece: str) -> None:
        """Add a piece of the plan before the calls."""
        if self._has_room_for(getsizeof(piece)):
            self._plan.append(piece)

    def cite(self, said: object) -> None:
        """Add a citation as it came, or several."""
        for each in as_list(said) or [said]:
            if as_kept(each) is not None and self._has_room_for(size_of(each)):
                self._citations.append(each)

    def whole(self, call_ids: list[str]) -> dict[str, object]:
        """Return what goes into the assistant's message of the next request.

        It is nothing where text and calls say it all.

        Args:
            call_ids: those of the answer's calls.

        """
        thinks = any(block.thinking for block in self._blocks)
        if self._size > MOST_BYTES or not (thinks or self._plan or self._citations):
            return {}
        said = {
            "content": [block.whole() for block in self._blocks],
            "tool_plan": "".join(self._plan),
            "citations": self._citations,
            "tool_call_ids": call_ids,
        }
        return {OWN: {name: value for name, value in said.items() if value}}

    def _new(self) -> _Block:
        block = self._open = _Block()
        if self._has_room_for(_BLOCK_BYTES):
            self._blocks.append(block)
        return block

    def _has_room_for(self, size: int) -> bool:
        """Count the memory of what is to be added, and let go of all where it is too much."""
        self._size += size
        if self._size > MOST_BYTES:
            self._blocks, self._plan, self._citations = [], [], []
        return self._size <= MOST_BYTES


class _Block(msgspec.Struct):
    """A block of the content: of thinking, or of text, of which the length is kept."""

    thinking: list[str] = []
    length: int = 0

    def whole(self) -> dict[str, object]:
        if self.thinking:
            return {"type": "thinking", "thinking": "".join(self.thinking)}
        return {"type": "text", "length": self.length}
