"""Reasoning that a server wants back with the next turn, put together from its pieces.

Wire facts: OpenRouter's "Preserving reasoning blocks", DeepSeek's "Thinking mode", and what the
services that took over their fields were seen to send.
"""

from __future__ import annotations

from sys import getsizeof

from asyncllm.sizes import size_of
from asyncllm.wires.loose import as_kept, as_list, as_mapping, as_text
from asyncllm.wires.tool_calls import MOST_BYTES

_MOST_BLOCKS = 1024
_ABSENT = object()
_TEXTS = ("text", "summary")  # those of a block's fields that come in pieces


class OpaqueReasoning:
    """What is kept of an answer's reasoning for the next request; it has the names of the wire.

    An answer may be of any length: reasoning that is too large is not sent back, and no part of it,
    as a signature holds for the whole.
    """

    __slots__ = ("_blocks", "_encrypted", "_is_too_large", "_open", "_size", "_texts")

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._open: dict[tuple[str, str, str], _Block] = {}  # by type, index and id; "" the newest
        self._texts: list[str] = []
        self._encrypted: object = None
        self._size = 0  # in memory
        self._is_too_large = False

    def add_text(self, text: str) -> None:
        """Add a piece of `reasoning_content`."""
        self._texts.append(text)
        self._grow(getsizeof(text))

    def add_encrypted(self, said: object) -> None:
        """Add `reasoning_encrypted`, which is false where nothing is."""
        self._encrypted = as_kept(said, MOST_BYTES) or self._encrypted

    def add_details(self, details: object) -> str:
        """Add a delta's `reasoning_details`, and return what can be read in them."""
        readable = ""
        for each in as_list(details):
            piece = as_mapping(as_kept(each, MOST_BYTES))
            if piece:
                self._grow(self._block_of(piece).add(piece))
                readable += "".join(as_text(piece.get(name)) for name in _TEXTS)
        return readable

    def whole(self, *, has_calls: bool) -> dict[str, object]:
        """Return what goes into the assistant's message of the next request.

        Args:
            has_calls: whether the answer asks for calls. DeepSeek wants `reasoning_content` back
                with these, and some of its models refuse it otherwise.

        """
        whole: dict[str, object] = {}
        if self._texts and has_calls:
            whole["reasoning_content"] = "".join(self._texts)
        if self._encrypted is not None:
            whole["reasoning_encrypted"] = self._encrypted
        if self._blocks:
            whole["reasoning_details"] = [block.whole() for block in self._blocks]
        return whole

    def _block_of(self, piece: dict[str, object]) -> _Block:
        """Return the block that a piece belongs to: what is signed or encrypted is whole."""
        key = as_text(piece.get("type")), as_text(piece.get("index"))
        name = as_text(piece.get("id"))
        block = self._open.get((*key, ""))
        if block is not None and name and block.id and block.id != name:
            block = self._open.get((*key, name))
        if block is None or block.is_whole or piece.get("data"):
            block = _Block()
            self._blocks.append(block)
        self._open[*key, ""] = self._open[*key, name] = block
        return block

    def _grow(self, size: int) -> None:
        """Count the memory of what was added, and let go of all where it is too much."""
        self._size += size
        self._is_too_large |= self._size > MOST_BYTES or len(self._blocks) > _MOST_BLOCKS
        if self._is_too_large:
            self._blocks, self._open, self._texts = [], {}, []


class _Block:
    """One of `reasoning_details`: text with a signature, a summary, or something encrypted."""

    __slots__ = ("_fields", "_pieces")

    def __init__(self) -> None:
        self._fields: dict[str, object] = {}
        self._pieces: dict[str, list[str]] = {}

    @property
    def id(self) -> str:
        return as_text(self._fields.get("id"))

    @property
    def is_whole(self) -> bool:
        return bool(self._fields.get("data") or self._fields.get("signature"))

    def add(self, piece: dict[str, object]) -> int:
        """Add a piece, and return how many bytes of memory are kept of it."""
        size = 0
        for name, value in piece.items():
            known = self._fields.get(name, _ABSENT)
            if name in _TEXTS and isinstance(value, str):
                self._pieces.setdefault(name, []).append(value)
                size += getsizeof(value)
            elif (value or known is _ABSENT) and value != known:  # most of them are repeated
                self._fields[name] = value
                size += size_of(name) + size_of(value)
        return size

    def whole(self) -> dict[str, object]:
        return self._fields | {name: "".join(pieces) for name, pieces in self._pieces.items()}
