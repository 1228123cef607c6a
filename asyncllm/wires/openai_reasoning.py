"""Reasoning that a server wants back with the next turn, put together from its pieces.

Wire facts: OpenRouter's "Preserving reasoning blocks", DeepSeek's "Thinking mode", and what the
services that took over their fields were seen to send.
"""

from __future__ import annotations

from asyncllm.errors import ReplyTooLargeError
from asyncllm.wires.loose import as_kept, as_list, as_mapping, as_text
from asyncllm.wires.tool_calls import MOST_BYTES

_TEXTS = ("text", "summary")  # those of a block's fields that come in pieces


class OpaqueReasoning:
    """What is kept of an answer's reasoning for the next request; it has the names of the wire."""

    __slots__ = ("_blocks", "_encrypted", "_size", "_texts")

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._texts: list[str] = []
        self._encrypted: object = None
        self._size = 0

    def add_text(self, text: str) -> None:
        """Add a piece of `reasoning_content`.

        Raises:
            ReplyTooLargeError: there is too much of it.

        """
        self._texts.append(text)
        self._grow(len(text))

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
            block = next((block for block in self._blocks[-1:] if block.goes_on_with(piece)), None)
            if block is None:
                block = _Block()
                self._blocks.append(block)
            block.add(piece)
            readable += "".join(as_text(piece.get(name)) for name in _TEXTS)
            self._grow(sum(map(_size_of, piece.values())))
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

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MOST_BYTES:
            raise ReplyTooLargeError(
                f"the reasoning that has to be sent back takes more than {MOST_BYTES} bytes"
            )


class _Block:
    """One of `reasoning_details`: text with a signature, a summary, or something encrypted."""

    __slots__ = ("_fields", "_pieces")

    def __init__(self) -> None:
        self._fields: dict[str, object] = {}
        self._pieces: dict[str, list[str]] = {}

    def goes_on_with(self, piece: dict[str, object]) -> bool:
        """Tell whether a piece belongs to this block: what is signed or encrypted is whole."""
        is_same = all(piece.get(name) == self._fields.get(name) for name in ("type", "index"))
        is_whole = bool(self._fields.get("data") or self._fields.get("signature"))
        return is_same and not is_whole and not piece.get("data")

    def add(self, piece: dict[str, object]) -> None:
        for name, value in piece.items():
            if name in _TEXTS and isinstance(value, str):
                self._pieces.setdefault(name, []).append(value)
            elif value or name not in self._fields:
                self._fields[name] = value

    def whole(self) -> dict[str, object]:
        return self._fields | {name: "".join(pieces) for name, pieces in self._pieces.items()}


def _size_of(value: object) -> int:
    return len(value) if isinstance(value, str) else len(repr(value))
