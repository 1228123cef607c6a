"""Answers that quote the caller's key, whole, or cut where a text is cut before it is shown."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks.soak.trials.wire import JSON, STREAM, answer

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

_BODY, _LINE, _SHORT = 64 * 1024, 300, 200  # where an error body, an odd line, a page are cut
_PREFIX = 8  # characters of a key that count as the key


def _refused(body: str) -> bytes:
    return answer(body, status="401 Unauthorized")


def _cut_at(limit: int, key: str, dice: random.Random) -> str:
    """Return a text at whose `limit` the key stands, so that a part of it stands before."""
    return "x" * (limit - _cut(key, dice) - 1) + " " + key + " " + "y" * 100


def _cut(key: str, dice: random.Random) -> int:
    return dice.randrange(_PREFIX, len(key))


def _lost(key: str, dice: random.Random) -> bytes:
    whole = _refused(f"no such key: {key}")
    return whole[: len(whole) - len(key) + _cut(key, dice)]


def _ended(key: str, dice: random.Random) -> bytes:
    return _refused(f"no such key: {key[: _cut(key, dice)]}")


def _ignored(key: str, dice: random.Random) -> bytes:
    opening = 'data: {"choices": [{"index": 0, "delta": {"role": "assistant"}}]}'
    return answer(f"{opening}\n\n{_cut_at(_LINE, key, dice)}\n\n", STREAM)


QUOTES: Mapping[str, Callable[[str, random.Random], bytes]] = MappingProxyType(
    {
        "whole": lambda key, _: _refused(f"no such key: {key}"),
        "json": lambda key, _: answer(
            f'{{"error": {{"message": "no such key: {key}"}}}}', JSON, status="401 Unauthorized"
        ),
        "body-cut": lambda key, dice: _refused(_cut_at(_BODY, key, dice)),
        "body-lost": _lost,
        "body-ended": _ended,
        "page-cut": lambda key, dice: answer(_cut_at(_SHORT, key, dice), "Content-Type: text/html"),
        "event": lambda key, _: answer(
            f'data: {{"error": {{"message": "no such key: {key}"}}}}\n\n', STREAM
        ),
        "not-json": lambda key, _: answer(f"data: {{not JSON: {key}\n\n", STREAM),
        "ignored-line": _ignored,
    }
)
"""A kind of quotation → what makes the answer of a key."""

KEPT = QUOTES.keys() - {"body-lost", "ignored-line"}
"""Those after which the connection is kept."""
