"""How much memory a value takes, with all that it holds."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        level = [inner for each in level for inner in _held_by(each)]


def _held_by(value: object) -> Iterator[object]:
    if isinstance(value, msgspec.Struct):
        yield from msgspec.structs.astuple(value)
    elif isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value
