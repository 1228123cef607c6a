"""Characters that a server cut in two: joins their halves again.

A string of JavaScript or Java counts in units of UTF-16, and a character beyond U+FFFF, an emoji
say, is two of them: a pair of surrogates. Servers in those languages cut their text between any two
units, and escape each half by itself.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from asyncllm.events import Finish, Reasoning, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm.events import Item

_T = TypeVar("_T")
_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE = "\ufffd"


def decode_with_halves(data: bytes, kind: type[_T]) -> _T | None:
    """Return what JSON holds that strict decoders refuse for its lone surrogates.

    They stay as they are in the strings of what is returned.

    Args:
        data: the JSON.
        kind: what it holds.

    Returns:
        None where there is no surrogate, or something else is wrong with it.

    """
    if _ESCAPE.search(data) is None:
        return None
    try:
        return msgspec.convert(json.loads(data.decode()), kind)
    except (ValueError, RecursionError):
        return None


def without_halves(text: str) -> str:
    """Return `text` with each pair of surrogates as its character, and a lone one as U+FFFD.

    Args:
        text: may have surrogates.

    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Joiner:
    """Joins the halves in the items of one answer; of text and of reasoning, each by itself.

    A first half that a text ends with is kept until more of the same kind comes, or the finish.
    """

    __slots__ = ("_reasoning", "_text")

    def __init__(self) -> None:
        self._text = self._reasoning = ""  # the half that waits

    def join(self, items: Iterable[Item]) -> list[Item]:
        """Return `items`, which are the next ones, with no surrogate left in them."""
        joined: list[Item] = []
        for item in items:
            match item:
                case str():
                    text, self._text = _split(self._text + item)
                    joined += [text] if text else []
                case Reasoning():
                    text, self._reasoning = _split(self._reasoning + item.text)
                    joined += [Reasoning(text)] if text else []
                case ToolCall():
                    parts = (item.id, item.name, item.arguments)
                    joined.append(ToolCall(*map(without_halves, parts)))
                case Finish():
                    joined += [*self._flush(), Finish(without_halves(item.reason))]
                case _:
                    joined.append(item)
        return joined

    def _flush(self) -> list[Item]:
        reasoning: list[Item] = [Reasoning(_LONE)] if self._reasoning else []
        text: list[Item] = [_LONE] if self._text else []
        self._text = self._reasoning = ""
        return reasoning + text


def _split(text: str) -> tuple[str, str]:
    """Return `text` without halves, and apart from it the first half that it ends with."""
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return without_halves(text.removesuffix(half)), half
