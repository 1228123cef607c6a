"""How much memory a value takes, with all that it holds."""

from __future__ import annotations

from itertools import chain
from sys import getsizeof
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FLAT = {str, bytes, int, float, bool, type(None)}  # nearly all values, which are passed over


def size_of(value: object) -> int:
    """Return about how many bytes of memory a value takes.

    Args:
        value: text, bytes, numbers and structs, and lists, tuples and dictionaries of these.

    """
    return sum(sizes_of_levels(value))


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
