"""What has to go back of an answer with the next turn: its items, as they came.

Wire facts: OpenAI's "Conversation state" and "Reasoning models": where nothing is stored, reasoning
goes back with its `encrypted_content`, before the calls that it led to, and messages with their
`phase`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.sizes import size_of
from asyncllm.wires.loose import as_kept, as_list, as_mapping, as_text
from asyncllm.wires.tool_calls import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "responses"
"""The name that it has in an assistant's message."""

_MOST_ITEMS = 1024
_PLAIN = frozenset({"message", "function_call"})


class Output:
    """The items of one answer, as the next request has them.

    One that is too large goes back by its text and its calls alone.

    Args:
        is_stored: whether the server keeps the answer, and knows reasoning by its id.

    """

    __slots__ = ("_is_stored", "_is_too_large", "_items", "_size")

    def __init__(self, *, is_stored: bool) -> None:
        self._is_stored = is_stored
        self._items: list[dict[str, object]] = []
        self._size = 0
        self._is_too_large = False

    @property
    def is_empty(self) -> bool:
        """Whether no item has come."""
        return not (self._items or self._is_too_large)

    def add(self, item: Mapping[str, object]) -> None:
        """Add an item that is whole."""
        if as_kept(item, MOST_BYTES) is None:
            self._is_too_large = True
        sent = {} if self._is_too_large else _sendable(item)
        self._size += size_of(sent)
        self._is_too_large |= self._size > MOST_BYTES or len(self._items) >= _MOST_ITEMS
        if self._is_too_large:
            self._items = []
        else:
            self._items.append(sent)

    def whole(self) -> dict[str, object]:
        """Return what goes into the assistant's message; nothing where its text and calls do."""
        items = [item for item in self._items if self._can_go_back(item)]
        while items and items[-1].get("type") == "reasoning":
            items.pop()  # the server refuses one that nothing follows
        messages = [item for item in items if item.get("type") == "message"]
        is_plain = {as_text(item.get("type")) for item in items} <= _PLAIN and len(messages) <= 1
        if is_plain and not any(item.get("phase") for item in messages):
            return {}
        return {KEY: {"output": items}}

    def _can_go_back(self, item: Mapping[str, object]) -> bool:
        has_all = self._is_stored or item.get("encrypted_content") or item.get("content")
        return item.get("type") != "reasoning" or bool(has_all)


def _sendable(item: Mapping[str, object]) -> dict[str, object]:
    """Return an item without nulls, and what servers say and do not take."""
    sent = {name: value for name, value in item.items() if value is not None}
    if sent.get("type") == "reasoning":
        sent.pop("status", None)
    if sent.get("type") == "message":
        sent["content"] = [
            {name: value for name, value in as_mapping(part).items() if name != "logprobs"}
            for part in as_list(sent.get("content"))
        ]
    return sent
