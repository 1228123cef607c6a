"""Values that servers may send in any shape, read as what is wanted of them.

A field beside the answer must not cost the answer: where it is something else, it is as if it were
not there.
"""

from __future__ import annotations

import base64
from math import isfinite
from sys import getsizeof
from typing import TypeVar

import msgspec

from asyncllm.sizes import bound_of, sizes_of_levels

_T = TypeVar("_T")
_NUMBERS = (int, float)  # made once: a union takes longer than all else
_MOST_LEVELS = 32  # of what is compared, encoded and pickled, on stacks of any depth
_MOST_BYTES = 64 * 1024


def as_text(value: object) -> str:
    """Return a text; a number as it is written; "" for anything else."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, _NUMBERS) and not isinstance(value, bool)
    return str(value) if is_number else ""


def as_mapping(value: object) -> dict[str, object]:
    """Return an object of JSON; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_number(value: object) -> float | None:
    """Return a number, also one that is written as a text; None for anything else, such as NaN."""
    number = as_kind(value, float) if isinstance(value, (str, *_NUMBERS)) else None
    return number if number is not None and isfinite(number) else None


def as_bytes(value: object) -> bytes | None:
    """Return what a text is in base64; None for anything else, or where it is empty."""
    try:
        return base64.b64decode(value) if isinstance(value, str) and value else None
    except ValueError:
        return None


def as_count(value: object) -> int | None:
    """Return a whole number; None for anything else."""
    if value is None or type(value) is int:  # as nearly all are
        return value
    return as_kind(value, int)


def as_kind(value: object, kind: type[_T]) -> _T | None:
    """Return what msgspec makes of `value` as `kind`; None where it is nothing of the sort."""
    if value is None:  # as most are, where an error costs more than all else
        return None
    try:
        return msgspec.convert(value, kind, strict=False)
    except (msgspec.ValidationError, RecursionError, UnicodeEncodeError):  # the last: of halves
        return None


def is_same(one: object, other: object) -> bool:
    """Tell whether two values are equal; those that are nested too deep to be compared are not."""
    try:
        return one == other
    except RecursionError:
        return False


def as_kept(value: object, most_bytes: int = _MOST_BYTES) -> object:
    """Return what is kept as it is and given on; None for what is too large or nested too deep.

    Args:
        value: what came.
        most_bytes: the most memory that it may take.

    """
    if isinstance(value, _NUMBERS):
        return value
    if isinstance(value, str):
        return value if getsizeof(value) <= most_bytes else None
    small = bound_of(value, _MOST_LEVELS)
    if small is not None and small <= most_bytes:
        return value
    size = 0
    for level, bytes_of_level in enumerate(sizes_of_levels(value)):
        size += bytes_of_level
        if level > _MOST_LEVELS or size > most_bytes:
            return None
    return value
