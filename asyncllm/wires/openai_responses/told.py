"""Which kinds of content have come of the items of an answer."""

from __future__ import annotations

from asyncllm.errors import ReplyTooLargeError

_MOST_ITEMS = 10_000


class Told:
    """The kinds of content that have come in pieces, by the `output_index` of their item."""

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[int, set[str]] = {}

    def add(self, kind: str, index: int) -> None:
        """Note a kind of an item.

        Raises:
            ReplyTooLargeError: there are too many items.

        """
        self._kinds.setdefault(index, set()).add(kind)
        if len(self._kinds) > _MOST_ITEMS:
            raise ReplyTooLargeError(f"the answer has more than {_MOST_ITEMS} items")

    def of(self, index: int) -> set[str]:
        """Return the kinds of an item."""
        return self._kinds.get(index, set())

    def of_all(self) -> set[str]:
        """Return the kinds of all items."""
        return set[str]().union(*self._kinds.values())
