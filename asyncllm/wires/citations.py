"""The sources that an answer names, each told once, on any wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ReplyTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm.events import Citation

_MOST_SOURCES = 10_000


class Cited:
    """What has been given out of the sources of one answer, to give out each once."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: set[tuple[str, int | None, int | None]] = set()

    def new(self, citations: Iterable[Citation]) -> list[Citation]:
        """Return those that have not been given out, in their order.

        Raises:
            ReplyTooLargeError: the answer names too many.

        """
        new = []
        for each in citations:
            key = each.url or each.title, each.start, each.end
            if key not in self._known:
                self._known.add(key)
                new.append(each)
        if len(self._known) > _MOST_SOURCES:
            raise ReplyTooLargeError(f"the answer names more than {_MOST_SOURCES} sources")
        return new
