"""Secrets: found where a request holds them, and masked in whatever form a text quotes them.

A server quotes what it was told as it is, or as URLs, JSON, HTML and Python's `repr` write it, one
within another. So a text is decoded, each byte with the place that it came from, and the secrets,
decoded likewise, are looked up in it by their beginnings. Whatever a server sends, the time that
it takes grows with the text and with the secrets, not with their product, and both are bounded.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Span: TypeAlias = tuple[int, int]

MASK = "***"
NOT_SHOWN = f"{MASK} (not shown: too much of it could be a secret)"

_SECRET_NAME = re.compile(
    "auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE
)
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
_MOST_LAYERS = 6  # encodings within each other; one over and over is a single one


def is_secret(name: str) -> bool:
    """Tell whether a header or a query field of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def secrets_in(fields: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets of headers or of query fields: values, and what they are made of."""
    for name, value in fields.items():
        if not is_secret(name):
            continue
        if "cookie" in name.lower():
            for pair in value.split(";"):
                said = pair[pair.find("=") + 1 :].strip()  # all of it where it has no name
                yield from (said, said.strip('"'))
        else:
            yield value
            yield value.rpartition(" ")[2]  # what follows `Bearer`, say


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
        self._meant = _Wanted(form for secret in given for form in _forms(secret))

    def __call__(self, text: str) -> str:
        """Return `text` without the secrets; the very same where it holds none."""
        if self._is_idle or len(text) < _LEAST:
            return text
        self._left -= len(text)
        if self._left < 0:
            return NOT_SHOWN
        data = text.encode("utf-8", "surrogatepass")
        decoded, layers = _decoded(data)
        spans = self._meant.find(decoded)
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


# --- what a text says -------------------------------------------------------------------------

_HEX = b"[0-9A-Fa-f]"
_ESCAPE = rb"""
    %(?:25)*(?P<byte>HH)                                        # encoded over and over, perhaps
  | (?<!\\)\\++(?:                                              # any number of backslashes
        u(?P<pair>[Dd][89ABab]HH\\++u[Dd][C-Fc-f]HH)            # one character in two halves
      | u(?P<unit>HHHH) | U(?P<point>HHHHHHHH) | x(?P<latin>HH)
      | (?P<letter>[abfnrtv])
      | (?!%HH|&\#?[0-9A-Za-z]{1,8};)(?P<other>[^0-9A-Za-z])    # once it is no escape itself
      | (?<=\\\\)(?P<many>(?=[0-9A-Za-z]|\Z))                    # which mean one
    )
  | &(?:amp;)*(?:(?P<name>amp|lt|gt|quot|apos)
      | \#(?P<number>[0-9]{1,7}) | \#[Xx](?P<hex>H{1,6}));
    """.replace(b"H", _HEX)
_ESCAPED = re.compile(_ESCAPE, re.VERBOSE)
_SPLIT = re.compile(b"(%b)" % re.sub(rb"\?P<\w+>", b"?:", _ESCAPE), re.VERBOSE)
_SAID = {
    name.encode(): character.encode()
    for name, character in (
        *(("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", '"'), ("apos", "'")),
        *zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True),
    )
}


class _Layer:
    """A text with its escapes undone, once.

    Args:
        parts: of the text as it was: by turns what is no escape, and one.
        meanings: what each escape means.

    """

    def __init__(self, parts: list[bytes], meanings: Mapping[bytes, bytes]) -> None:
        self._parts = parts
        self._read = parts.copy()
        self._read[1::2] = map(meanings.__getitem__, parts[1::2])
        self.text = b"".join(self._read)

    def origins(self, spans: Iterable[Span]) -> list[Span]:
        """Return where in the text as it was `spans` of `text` come from."""
        was = [0, *accumulate(map(len, self._parts))]
        now = [0, *accumulate(map(len, self._read))]

        def origin(place: int, part: int, *, is_end: bool) -> int:
            return was[part + is_end] if part % 2 else was[part] + place - now[part]

        return [
            (
                origin(start, bisect_right(now, start) - 1, is_end=False),
                origin(end, bisect_left(now, end) - 1, is_end=True),
            )
            for start, end in spans
        ]


class _Meanings(dict[bytes, bytes]):
    """What escapes mean, found out once for each."""

    def __missing__(self, escaped: bytes) -> bytes:
        escape = _ESCAPED.fullmatch(escaped)
        assert escape is not None
        self[escaped] = meaning = _meaning(escape)
        return meaning


def _meaning(escape: re.Match[bytes]) -> bytes:
    kind = escape.lastgroup or ""
    said = escape[kind]
    match kind:
        case "byte":
            return bytes.fromhex(said.decode())
        case "other":
            return said
        case "many":
            return b"\\"
        case "letter" | "name":
            return _SAID[said]
        case "pair":
            high, low = int(said[:4], 16), int(said[-4:], 16)
            code = 0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF)
        case _:
            code = int(said, 10 if kind == "number" else 16)
    return chr(code).encode("utf-8", "surrogatepass") if code <= sys.maxunicode else escape[0]


def _decoded(data: bytes) -> tuple[bytes, list[_Layer]]:
    """Return what `data` says, and the layers that had to be taken off.

    A space and a `+` are one: in a query they stand for each other.
    """
    layers: list[_Layer] = []
    meanings = _Meanings()
    while len(layers) < _MOST_LAYERS and len(parts := _SPLIT.split(data)) > 1:
        layers.append(_Layer(parts, meanings))
        data = layers[-1].text
    return data.replace(b" ", b"+"), layers


# --- where secrets stand ----------------------------------------------------------------------


# What is left of an escape, or of a character, that has lost its end.
_PART = re.compile(
    rb"""
    | %H? | \\(?:xH?|uH{0,3}|UH{0,7})? | &(?:\#[0-9A-Za-z]{0,7}|[ampltgquos]{0,4}) | \xef\xbf\xbd
    """.replace(b"H", _HEX),
    re.VERBOSE,
)
_LONGEST_PART = 9
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
    cuts = _cuts(data, end)
    spans: list[Span] = []
    for start, secret in hits:
        if data.startswith(secret, start):
            spans.append((start, start + len(secret)))
        elif any(
            _LEAST <= cut - start < len(secret) and secret.startswith(data[start:cut])
            for cut in cuts
        ):
            spans.append((start, end))
    return spans


def _cuts(data: bytes, end: int) -> list[int]:
    """Return `end`, and where a part of an escape, or of a character, begins that ends there."""
    first = max(0, end - _LONGEST_PART)
    return [cut for cut in range(end, first - 1, -1) if _PART.fullmatch(data, cut, end)]


def _forms(secret: bytes) -> Iterator[bytes]:
    """Yield what `secret` says, also where what stands around it makes an escape of its ends."""
    form, _ = _decoded(secret)
    yield form
    yield form[: _cuts(form, len(form))[-1]]
    for lead in (b"%", b"\\", b"&"):
        escape = _ESCAPED.match(lead + secret)
        if escape is not None and escape.lastgroup not in ("other", "many"):
            yield _decoded(lead + secret)[0]


def _without(data: bytes, spans: Iterable[Span]) -> bytes:
    """Return `data` with a mask for what `spans` hold, which are in order and may overlap."""
    pieces: list[bytes] = []
    shown = 0  # up to where
    for start, end in spans:
        if start >= shown:
            pieces += (data[shown:start], MASK.encode())
        shown = max(shown, end)
    return b"".join((*pieces, data[shown:]))
