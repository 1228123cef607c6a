"""Reasoning that a server wants back with the next turn, put together from its pieces.

Wire facts: OpenRouter's "Preserving reasoning blocks", DeepSeek's "Thinking mode", and what the
services that took over their fields were seen to send.
"""

from __future__ import annotations

from asyncllm.errors import ReplyTooLargeError
from asyncllm.wires.loose import as_kept, as_list, as_mapping, as_text
from asyncllm.wires.tool_calls import MOST_BYTES

_MOST_BLOCKS = 1024
_OVERHEAD = 16  # bytes of a piece, besides its text
_TEXTS = ("text", "summary")  # those of a block's fields that come in pieces


class OpaqueReasoning:
    """What is kept of an answer's reasoning for the next request; it has the names of the wire."""

    __slots__ = ("_blocks", "_encrypted", "_open", "_size", "_texts")

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._open: dict[tuple[str, str], _Block] = {}  # the newest of each type and index
        self._texts: list[str] = []
        self._encrypted: object = None
        self._size = 0

    def add_text(self, text: str) -> None:
        """Add a piece of `reasoning_content`.

        Raises:
            ReplyTooLargeError: there is too much of it.

        """
        self._texts.append(text)
        self._grow(text)

    def add_encrypted(self, said: object) -> None:
        """Add `reasoning_encrypted`, which is false where nothing is."""
        self._encrypted = as_kept(said) or self._encrypted

    def add_details(self, details: object) -> str:
        """Add a delta's `reasoning_details`, and return what can be read in them.

        Raises:
            ReplyTooLargeError: there are too many.

        """
        readable = ""
        for each in as_list(details):
            piece = as_mapping(as_kept(each))
            if piece:
                self._block_of(piece).add(piece)
                readable += "".join(as_text(piece.get(name)) for name in _TEXTS)
                self._grow(*piece, *piece.values())
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
        block = self._open.get(key)
        if block is None or block.is_whole or piece.get("data"):
            block = self._open[key] = _Block()
            self._blocks.append(block)
        return block

    def _grow(self, *values: object) -> None:
        """Count what was added, as about so many bytes of memory."""
        sizes = (len(each if isinstance(each, str) else repr(each)) for each in values)
        self._size += _OVERHEAD + sum(sizes)
        if self._size > MOST_BYTES or len(self._blocks) > _MOST_BLOCKS:
            raise ReplyTooLargeError(
                f"the reasoning that has to be sent back is of more than {_MOST_BLOCKS} blocks, or "
                f"takes more than {MOST_BYTES} bytes"
            )


class _Block:
    """One of `reasoning_details`: text with a signature, a summary, or something encrypted."""

    __slots__ = ("_fields", "_pieces")

    def __init__(self) -> None:
        self._fields: dict[str, object] = {}
        self._pieces: dict[str, list[str]] = {}

    @property
    def is_whole(self) -> bool:
        return bool(self._fields.get("data") or self._fields.get("signature"))

    def add(self, piece: dict[str, object]) -> None:
        for name, value in piece.items():
            if name in _TEXTS and isinstance(value, str):
                self._pieces.setdefault(name, []).append(value)
            elif value or name not in self._fields:
                self._fields[name] = value

    def whole(self) -> dict[str, object]:
        return self._fields | {name: "".join(pieces) for name, pieces in self._pieces.items()}
