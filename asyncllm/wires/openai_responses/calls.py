"""The calls of an answer: of functions, and of tools that take text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.wires.loose import as_text
from asyncllm.wires.tool_calls import ToolCalls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.events import ToolCall

_WRITTEN = {"function_call": "arguments", "custom_tool_call": "input"}


class Calls:
    """What has come of the calls of one answer, by the `output_index` of each.

    Its methods that add something raise `ReplyTooLargeError` where it is too much.
    """

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: ToolCalls | None = None  # few answers have any

    def begin(self, item: Mapping[str, object], index: int) -> bool:
        """Take the beginning of an item, and tell whether it is a call."""
        is_call = as_text(item.get("type")) in _WRITTEN
        if is_call:
            self._known().add(_id_of(item), index, as_text(item.get("name")), None)
        return is_call

    def add(self, piece: object, index: int) -> None:
        """Add a piece of what a call says."""
        self._known().add("", index, "", as_text(piece))

    def settle(self, written: object, index: int) -> None:
        """Take all that a call says, in the place of its pieces."""
        self._known().settle("", index, "", as_text(written))

    def take(self, item: Mapping[str, object], index: int) -> bool:
        """Take a whole item, and tell whether it is a call."""
        written = _WRITTEN.get(as_text(item.get("type")))
        if written is not None:
            name, said = as_text(item.get("name")), as_text(item.get(written))
            self._known().settle(_id_of(item), index, name, said)
        return written is not None

    def whole(self) -> list[ToolCall]:
        """Return the calls, in the order in which they began."""
        return self._calls.whole() if self._calls is not None else []

    def _known(self) -> ToolCalls:
        if self._calls is None:
            self._calls = ToolCalls()
        return self._calls


def _id_of(item: Mapping[str, object]) -> str:
    return as_text(item.get("call_id"))  # not `id`: results are of this one
