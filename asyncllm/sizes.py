"""How much memory a value takes, with all that it holds."""

from __future__ import annotations

from itertools import chain
from sys import getsizeof
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_SMALL = 2048  # bytes of JSON
_PER_BYTE = 48  # of JSON at the most: `{"":[]}` takes 288
_encode = msgspec.json.Encoder().encode
_FLAT = {str, bytes, int, float, bool, type(None)}  # nearly all values, which are passed over


def size_of(value: object) -> int:
    """Return about how many bytes of memory a value takes.

    Args:
        value: text, bytes, numbers and structs, and lists, tuples and dictionaries of these.

    """
    return sum(sizes_of_levels(value))


def bound_of(value: object, most_levels: int = _MOST_SMALL) -> int | None:
    """Return a bound of the bytes of memory that a small value takes; None for one that is large.

    It takes a tenth of the time of `size_of`, as it asks how long the value is as JSON.

    Args:
        value: as for `size_of`; structs without bytes.
        most_levels: how deep it may be nested.

    """
    try:
        written = _encode(value)
    except (ValueError, RecursionError):  # of what has halves of characters, or is very deep
        return None
    is_flat = written.count(b"[") + written.count(b"{") <= most_levels
    return _PER_BYTE * len(written) if is_flat and len(written) <= _MOST_SMALL else None


def sizes_of_levels(value: object) -> Iterator[int]:
    """Yield the bytes of memory of a value, then of what it holds, and so on.

    It looks at a level when it is asked for it, and at values of any depth on any stack.

    Args:
        value: as for `size_of`.

    """
    level = [value]
    while level:
        yield sum(map(getsizeof, level))
        holders = [each for each in level if type(each) not in _FLAT]
        level = [inner for each in holders for inner in _held_by(each)]


def _held_by(value: object) -> Iterable[object]:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.astuple(value)
    if isinstance(value, dict):
        return chain(value, value.values())
    return value if isinstance(value, list | tuple) else ()
