"""What an answer of Anthropic's cost.

Wire facts: Anthropic's reference, `Usage`: `input_tokens` are those that are neither read from a
cache nor written into one; `output_tokens` include the thinking. Counts of a `message_delta` are
those of the whole message: they replace the start's, and null says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asyncllm.events import Usage
from asyncllm.wires.loose import as_count, as_kept, as_mapping, as_number

if TYPE_CHECKING:
    from collections.abc import Iterable

_Number = TypeVar("_Number", int, float)
_MOST_NAMES = 256


def usage_of(said: dict[str, object]) -> Usage:
    """Return what a message's `usage` says, as every wire counts.

    Args:
        said: all that was told of it, newest last.

    """
    read = as_count(said.get("cache_read_input_tokens"))
    written = as_count(said.get("cache_creation_input_tokens"))
    prompt = _sum((as_count(said.get("input_tokens")), read, written))
    answer = as_count(said.get("output_tokens"))
    details = as_mapping(said.get("output_tokens_details"))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=answer,
        total_tokens=_sum((prompt, answer)),
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=as_count(details.get("thinking_tokens")),
        cost=as_number(said.get("cost")),  # OpenRouter's
    )


def merged(older: dict[str, object], newer: dict[str, object]) -> dict[str, object]:
    """Return what is known when more is told of a message's `usage`, up to a number of names."""
    told = {name: value for name, value in newer.items() if as_kept(value) is not None}
    known = {**older, **told}
    return known if len(known) <= _MOST_NAMES else older


def both(one: Usage | None, other: Usage) -> Usage:
    """Return what two parts of an answer cost together.

    Args:
        one: of the first part; None where there is none.
        other: of the second.

    """
    if one is None:
        return other
    return Usage(
        *[_sum((getattr(one, name), getattr(other, name))) for name in Usage.__struct_fields__]
    )


def _sum(numbers: Iterable[_Number | None]) -> _Number | None:
    """Return the sum of those that are known; None where none is."""
    known = [number for number in numbers if number is not None]
    return sum(known[1:], known[0]) if known else None
