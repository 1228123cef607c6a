"""What a text says: its escapes undone, each byte with the place that it came from."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Span: TypeAlias = tuple[int, int]

_MOST_LAYERS = 6  # encodings within each other; one over and over is a single one

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


class Layer:
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


def decoded(data: bytes) -> tuple[bytes, list[Layer]]:
    """Return what `data` says, and the layers that had to be taken off.

    A space and a `+` are one: in a query they stand for each other.
    """
    layers: list[Layer] = []
    meanings = _Meanings()
    while len(layers) < _MOST_LAYERS and len(parts := _SPLIT.split(data)) > 1:
        layers.append(Layer(parts, meanings))
        data = layers[-1].text
    return data.replace(b" ", b"+"), layers


# What is left of an escape, or of a character, that has lost its end: of one in two halves the
# first, which was decoded, and perhaps the beginning of the other.
_PART = re.compile(
    rb"""
    | \xed[\xa0-\xaf][\x80-\xbf](?:\\(?:uH{0,3})?)?
    | %H? | \\(?:xH?|uH{0,3}|UH{0,7})? | &(?:\#[0-9A-Za-z]{0,7}|[ampltgquos]{0,4}) | \xef\xbf\xbd
    """.replace(b"H", _HEX),
    re.VERBOSE,
)
_LONGEST_PART = 9


def cuts(data: bytes, end: int) -> list[int]:
    """Return `end`, and where a part of an escape, or of a character, begins that ends there."""
    first = max(0, end - _LONGEST_PART)
    return [cut for cut in range(end, first - 1, -1) if _PART.fullmatch(data, cut, end)]


def forms(data: bytes) -> Iterator[bytes]:
    """Yield what `data` says, also where what stands around it makes an escape of its ends."""
    form, _ = decoded(data)
    yield form
    yield form[: cuts(form, len(form))[-1]]
    for lead in (b"%", b"\\", b"&"):
        escape = _ESCAPED.match(lead + data)
        if escape is not None and escape.lastgroup not in ("other", "many"):
            yield decoded(lead + data)[0]
