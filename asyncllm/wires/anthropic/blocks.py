"""The blocks of one answer as they came, to be sent back unchanged with the next request.

Wire facts: Anthropic's reference of `POST /v1/messages`, "Streaming messages", and its pages on
thinking, server tools and fallbacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asyncllm.errors import ReplyTooLargeError
from asyncllm.events import object_in
from asyncllm.framing.surrogates import without_halves
from asyncllm.sizes import size_of
from asyncllm.wires.loose import as_kept, as_list, as_mapping, as_text
from asyncllm.wires.tool_calls import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asyncllm.events import ToolCall

OPAQUE = "anthropic"
"""The key of a message that has the blocks of the answer that it was."""

_MOST_BLOCKS = 10_000
_IN_PIECES = {"text": "text", "thinking": "thinking"}  # by kind: the field that comes in pieces
_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_PIECES_OF = {"text": {"text"}, "thinking": {"thinking"}, "input": _CALLS}
_PLAIN = frozenset({"text", "tool_use"})  # which a message says without them
_INPUT = "input"


class Block:
    """A block, from its start and its deltas.

    Attributes:
        kind: its type, such as "text", "thinking" or "tool_use".
        fields: what is known of it besides what comes in pieces.
        pieces: what has come in pieces, since it was last joined.
        start: where in the answer's text it begins.
        is_odd: whether something came of it that is unknown here, so that it can't be sent back.

    """

    __slots__ = ("_joined", "_told", "fields", "is_odd", "kind", "pieces", "start")

    def __init__(self, fields: dict[str, object], start: int) -> None:
        self.kind = as_text(fields.get("type"))
        self.fields: dict[str, object] = fields
        self.start = start
        self.is_odd = False
        named = as_text(fields.get(_IN_PIECES.get(self.kind, "")))
        self.pieces: list[str] = [named] if named else []
        self._joined: list[str] = []
        self._told = 0  # of its sources

    def settle(self) -> str:
        """Join the newest pieces, and return what they are together."""
        joined = self.pieces[0] if len(self.pieces) == 1 else "".join(self.pieces)
        self.pieces = []
        self._joined.append(joined)
        return joined

    @property
    def said(self) -> str:
        """All that has come in pieces."""
        self.settle()
        self._joined = ["".join(self._joined)]
        return self._joined[0]

    def takes(self, piece: str) -> bool:
        """Tell whether it is made of such pieces; one that is not can't be sent back.

        Args:
            piece: "text", "thinking" or "input".

        """
        is_its_own = self.kind in _PIECES_OF[piece]
        self.is_odd |= not is_its_own
        return is_its_own

    def cite(self, source: object) -> None:
        """Add a source."""
        known = self.fields.get("citations")
        if not isinstance(known, list):
            self.fields["citations"] = known = list[object]()
        known.append(source)

    def untold_sources(self) -> list[object]:
        """Return the sources that have come since it was last asked for them."""
        new = as_list(self.fields.get("citations"))[self._told :]
        self._told += len(new)
        return new

    def drop(self) -> None:
        """Let go of what has come of it."""
        self.fields = {"type": self.kind}
        self.is_odd = True
        self.pieces, self._joined = [], []

    def whole(self, arguments: Mapping[str, str]) -> dict[str, object]:
        """Return it as it goes back.

        Args:
            arguments: those of the caller's calls, by id.

        """
        said = _sound(self.said)
        if self.kind in _IN_PIECES:
            of_pieces: dict[str, object] = {_IN_PIECES[self.kind]: said}
            return {**self.fields, **of_pieces}
        if self.kind in _CALLS:
            said = said or arguments.get(as_text(self.fields.get("id")), "")
            given: object = input_of(said) if said else self.given_input
            return {**self.fields, _INPUT: given}
        return self.fields

    @property
    def given_input(self) -> dict[str, object]:
        """The arguments that its start has; few servers give them there."""
        return as_mapping(self.fields.get(_INPUT))


class Blocks:
    """The blocks of one answer, by their index; those that are too large are not kept.

    An answer may be of any length: of one that is too large nothing goes back but what a message
    says by itself, as a signature holds for the whole.

    Args:
        before: those of the part of the answer that was paused, whole.

    Attributes:
        is_too_large: whether nothing more is kept.

    """

    __slots__ = ("_before", "_by_index", "_size", "is_too_large")

    def __init__(self, before: Iterable[dict[str, object]] = ()) -> None:
        self._before = list(before)
        self._by_index: dict[int, Block] = {}
        self._size = size_of(self._before)
        self.is_too_large = False

    def begin(self, index: int, said: object, start: int) -> Block:
        """Return the block that begins.

        Args:
            index: its place.
            said: its `content_block`.
            start: where in the answer's text it begins.

        """
        fields = as_mapping(said)
        kept = as_mapping(as_kept(fields, MOST_BYTES))
        if fields and not kept:
            kept = {name: fields[name] for name in ("type", "id", "name") if name in fields}
            self._forget()
        block = self._by_index[index] = Block(dict(kept), start)
        self.grow(size_of(kept))
        if len(self._by_index) > _MOST_BLOCKS:
            raise ReplyTooLargeError(f"the answer has more than {_MOST_BLOCKS} blocks")
        return block

    def find(self, index: int) -> Block | None:
        """Return the block of an index, if it has begun."""
        return self._by_index.get(index)

    def settle(self, block: Block) -> int:
        """Count what came of a block with one read, and return how many characters it has."""
        joined = block.settle()
        self.grow(joined.__sizeof__())
        if self.is_too_large:
            block.drop()
        return len(joined)

    @property
    def is_empty(self) -> bool:
        """Whether none has begun."""
        return not self._by_index

    @property
    def text(self) -> str:
        """The text in them, as far as it is kept."""
        return "".join(block.said for block in self._by_index.values() if block.kind == "text")

    @property
    def inputs(self) -> dict[str, dict[str, object]]:
        """The arguments of calls that came whole with their start, by the ids of the calls."""
        calls = [block for block in self._by_index.values() if block.kind == "tool_use"]
        return {as_text(block.fields.get("id")): block.given_input for block in calls}

    def forget_calls(self) -> None:
        """Let go of the calls of a model that gave way to another, which nobody is to answer."""
        for block in self._by_index.values():
            if block.kind == "tool_use":
                block.drop()

    def whole(self, calls: Iterable[ToolCall] = ()) -> list[dict[str, object]]:
        """Return all of them, to go on with; none where they are too large.

        Args:
            calls: the caller's, which have the arguments.

        """
        if self.is_too_large:
            return []
        arguments = {call.id: call.arguments for call in calls}
        came = [self._by_index[index] for index in sorted(self._by_index)]
        own = [block.whole(arguments) for block in came if block.kind and not block.is_odd]
        return [*self._before, *filter(_is_sent, own)]

    def grow(self, size: int) -> None:
        """Count the memory of what has come, and let go of all where it is too much."""
        self._size += size
        if self._size > MOST_BYTES:
            self._forget()

    def _forget(self) -> None:
        """Let go of all that is kept."""
        self.is_too_large = True
        self._before = []
        for block in self._by_index.values():
            block.drop()


def for_next_turn(blocks: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the blocks where text and calls would not say all that is in them; otherwise none."""
    kinds = [block.get("type") for block in blocks]
    is_mixed = "tool_use" in kinds and "text" in kinds[kinds.index("tool_use") :]
    return blocks if is_mixed or any(map(_says_more, blocks)) else []


def server_calls(blocks: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the calls among the blocks that the server answers itself."""
    return [each for each in blocks if each.get("type") in _CALLS and each["type"] != "tool_use"]


def _says_more(block: dict[str, object]) -> bool:
    """Tell whether a block has more than a message says without it."""
    caller = as_text(as_mapping(block.get("caller")).get("type"))
    is_plain = block.get("type") in _PLAIN and caller in {"", "direct"}
    return not is_plain or bool(as_list(block.get("citations")))


def _is_sent(block: dict[str, object]) -> bool:
    """Tell whether the server takes a block back: a text that is empty it refuses."""
    return block.get("type") != "text" or bool(block.get("text"))


def input_of(arguments: str) -> dict[str, object]:
    """Return the arguments of a call as the object that this wire wants.

    Args:
        arguments: as the model wrote them; where they are no object, as of an answer that was cut
            off amid them, they are put into one, as Anthropic advises.

    """
    found = object_in(arguments or "{}")
    return {"INVALID_JSON": arguments} if found is None else found


def as_json(value: object) -> str:
    """Return what came as an object of JSON, as JSON again."""
    try:
        return msgspec.json.encode(value).decode()
    except (ValueError, RecursionError):  # of halves of characters, or very deep
        return ""


def _sound(text: str) -> str:
    """Return a text with no half of a character in it, which JSON has no place for."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return without_halves(text)
    return text
