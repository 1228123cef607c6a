"""Characters that a server cut in two: joins their halves again.

A string of JavaScript or Java counts in units of UTF-16, and a character beyond U+FFFF, an emoji
say, is two of them: a pair of surrogates. Servers in those languages cut their text between any two
units, and escape each half by itself.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from asyncllm.events import Finish, Reasoning, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm.events import Item

_T = TypeVar("_T")
_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE = "\ufffd"
_TEXTS = (Reasoning, Refusal, str)


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
        return msgspec.convert(_loaded(data), kind)
    except (ValueError, RecursionError):
        return None


def _loaded(data: bytes) -> object:
    """Return what JSON holds; numbers that msgspec does not take either are a `ValueError`."""
    return json.loads(data.decode(), parse_float=_finite, parse_constant=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is out of range, or not a number")
    return number


def without_halves(text: str) -> str:
    """Return `text` with each pair of surrogates as its character, and a lone one as U+FFFD.

    Args:
        text: may have surrogates.

    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Joiner:
    """Joins the halves in the items of one answer; of each kind of text by itself.

    A first half that a text ends with is kept until more of the same kind comes, or the finish.
    """

    __slots__ = ("_halves",)

    def __init__(self) -> None:
        self._halves: dict[type[str | Reasoning | Refusal], str] = {}  # those that wait

    def join(self, items: Iterable[Item]) -> list[Item]:
        """Return `items`, which are the next ones, with no surrogate left in them."""
        joined: list[Item] = []
        for item in items:
            match item:
                case str() | Reasoning() | Refusal():
                    kind = type(item)
                    text = self._halves.pop(kind, "") + (
                        item if isinstance(item, str) else item.text
                    )
                    text, half = _split(text)
                    joined += [kind(text)] if text else []
                    self._halves |= {kind: half} if half else {}
                case Finish():
                    joined += [*self._flush(), _mended(item)]
                case _:
                    joined.append(_mended(item))
        return joined

    def _flush(self) -> list[Item]:
        left: list[Item] = [kind(_LONE) for kind in _TEXTS if kind in self._halves]
        self._halves.clear()
        return left


def _mended(value: _T) -> _T:
    """Return `value` with no surrogate left in any of its texts."""
    mended: object = value
    match value:
        case str():
            mended = without_halves(value)
        case list() | tuple():
            mended = type(value)(_mended(each) for each in value)
        case dict():
            mended = {_mended(key): _mended(each) for key, each in value.items()}
        case msgspec.Struct():
            fields = {name: _mended(getattr(value, name)) for name in value.__struct_fields__}
            mended = type(value)(**fields)
    return cast("_T", mended)


def _split(text: str) -> tuple[str, str]:
    """Return `text` without halves, and apart from it the first half that it ends with."""
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return without_halves(text.removesuffix(half)), half
