"""Values that servers may send in any shape, read as what is wanted of them.

A field beside the answer must not cost the answer: where it is something else, it is as if it were
not there.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

_T = TypeVar("_T")
_MOST_LEVELS = 32  # of what is encoded again, on stacks of any depth


def as_text(value: object) -> str:
    """Return a text; a number as it is written; "" for anything else."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else ""


def as_mapping(value: object) -> dict[str, object]:
    """Return an object of JSON; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_number(value: object) -> float | None:
    """Return a number, also one that is written as a text; None for anything else."""
    return as_kind(value, float) if isinstance(value, str | int | float) else None


def as_count(value: object) -> int | None:
    """Return a whole number; None for anything else."""
    return as_kind(value, int)


def as_kind(value: object, kind: type[_T]) -> _T | None:
    """Return what msgspec makes of `value` as `kind`; None where it is nothing of the sort."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        return None


def as_kept(value: object) -> object:
    """Return what is kept as it is and given on; None for what is nested deeper than it may be."""
    return value if _is_shallow(value, _MOST_LEVELS) else None


def _is_shallow(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner)
