"""`Mask`: secrets hidden in whatever form a text quotes them.

A server quotes what it was told as it is, or as URLs, JSON, HTML and Python's `repr` write it, one
within another. So a text is decoded, each byte with the place that it came from, and the secrets,
decoded likewise, are looked up in it by their beginnings. Whatever a server sends, the time that
it takes grows with the text and with the secrets, not with their product, and both are bounded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from asyncllm.redaction.escapes import cuts, decoded, forms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm.redaction.escapes import Span

MASK = "***"
NOT_SHOWN = f"{MASK} (not shown: too much of it could be a secret)"

# The fewest characters of a secret, and of a beginning that counts as one. What is shorter is a
# port, a language, a word of any message, which would be destroyed; and it is no secret for long.
_LEAST = 8
# What is given as a key where a server wants none.
_PLACEHOLDERS = frozenset(
    {
        *("anything", "dummy-key", "fake-key", "llama-cpp", "llama.cpp", "lm-studio", "lm_studio"),
        *("localhost", "no-api-key", "no-key-needed", "no-key-required", "not-needed"),
        *("not-required", "not_needed", "placeholder", "sk-no-key-required", "test-key"),
        *("undefined", "your-api-key", "your_api_key"),
    }
)
_MOST_SECRETS = 256
_MOST_OF_SECRETS = 32 * 1024  # characters of all of them together
_MOST_TEXT = 128 * 1024  # characters that a mask looks at
_MOST_HITS = 1024  # times that a text begins like a secret


class Mask:
    """Puts `***` for each of `secrets` in the texts of one error, as given or encoded.

    At a text's end, where it may have been cut, eight characters or more of a secret's beginning
    are masked too. Not masked is what is no secret: fewer than eight characters, and what stands
    for a key where none is needed. A text that is too much to look through is not shown at all.

    Args:
        secrets: what no text may show, as it is.

    """

    def __init__(self, secrets: Iterable[str]) -> None:
        wanted = set(filter(_is_worth_hiding, secrets))
        self._is_idle = not wanted
        is_little = len(wanted) <= _MOST_SECRETS and sum(map(len, wanted)) <= _MOST_OF_SECRETS
        self._left = _MOST_TEXT if is_little else 0
        given = [secret.encode("utf-8", "surrogatepass") for secret in wanted if self._left]
        self._given = _Wanted(given)
        self._meant = _Wanted(form for secret in given for form in forms(secret))

    def __call__(self, text: str) -> str:
        """Return `text` without the secrets; the very same where it holds none."""
        if self._is_idle or len(text) < _LEAST:
            return text
        self._left -= len(text)
        if self._left < 0:
            return NOT_SHOWN
        data = text.encode("utf-8", "surrogatepass")
        said, layers = decoded(data)
        spans = self._meant.find(said)
        # As it is, too: what stands before a secret may make an escape of its beginning.
        given = self._given.find(data) if layers else []
        if spans is None or given is None:
            return NOT_SHOWN
        for layer in reversed(layers):
            spans = layer.origins(spans)
        spans = sorted((*given, *spans))
        return _without(data, spans).decode("utf-8", "surrogatepass") if spans else text


def _is_worth_hiding(secret: str) -> bool:
    return len(secret) >= _LEAST and secret.lower() not in _PLACEHOLDERS


_CLOSING = re.compile(rb"(?:[]})'\"\r\n]|\xe2\x80\xa6)*\Z")  # behind a text that is quoted, or JSON
_MOST_CLOSING = 16


class _Wanted:
    """Secrets, by what they begin with: eight bytes, read as a number.

    Args:
        secrets: as bytes; those of fewer than eight are none.

    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._by_beginning = defaultdict[int, set[bytes]](set)
        for secret in secrets:
            if len(secret) >= _LEAST:
                self._by_beginning[_numbers(secret[:_LEAST])[0]].add(secret)

    def find(self, data: bytes) -> list[Span] | None:
        """Return where in `data` secrets stand; None where that takes too long to tell."""
        hits: list[tuple[int, bytes]] = []
        for first in range(_LEAST):
            numbers = _numbers(data[first : len(data) - (len(data) - first) % _LEAST])
            if self._by_beginning.keys().isdisjoint(numbers):
                continue
            for index, number in enumerate(numbers):
                if number in self._by_beginning:
                    start = first + _LEAST * index
                    hits += [(start, secret) for secret in self._by_beginning[number]]
                    if len(hits) > _MOST_HITS:
                        return None
        return _spans(data, hits)


def _numbers(data: bytes) -> list[int]:
    return memoryview(data).cast("Q").tolist()


def _spans(data: bytes, hits: Iterable[tuple[int, bytes]]) -> list[Span]:
    """Return where secrets stand that may stand there, or of which the beginning does at an end."""
    closing = _CLOSING.search(data, max(0, len(data) - _MOST_CLOSING))
    end = closing.start() if closing is not None else len(data)
    ends = cuts(data, end)
    spans: list[Span] = []
    for start, secret in hits:
        if data.startswith(secret, start):
            spans.append((start, start + len(secret)))
        elif any(
            _LEAST <= cut - start < len(secret) and secret.startswith(data[start:cut])
            for cut in ends
        ):
            spans.append((start, end))
    return spans


def _without(data: bytes, spans: Iterable[Span]) -> bytes:
    """Return `data` with a mask for what `spans` hold, which are in order and may overlap."""
    pieces: list[bytes] = []
    shown = 0  # up to where
    for start, end in spans:
        if start >= shown:
            pieces += (data[shown:start], MASK.encode())
        shown = max(shown, end)
    return b"".join((*pieces, data[shown:]))
