"""Whether the whole text that ends a stream is the one that was streamed, and what of it was not.

White space does not count: tokenizers set it otherwise in a whole text than between its pieces,
before the first word or a full stop, say.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING
from zlib import crc32

from asyncllm.errors import ProtocolError
from asyncllm.events import parts_of
from asyncllm.framing.surrogates import without_halves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm.events import Item

_KEPT_CHARACTERS = 64 * 1024
_MANY_TEXTS = 4096
_SPECIAL = re.compile(rb"<[^<>]*>")
_SPACE = b" \t\n\v\f\r"


class StreamedText:
    """What was streamed so far: its newest part as it is, and of all before it a checksum."""

    __slots__ = ("_characters", "_checksum", "_checksummed", "_texts")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._characters = 0  # in these
        self._checksummed = 0  # how many bytes without white space
        self._checksum = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was streamed."""
        return not self._texts

    @property
    def text(self) -> str | None:
        """All that was streamed; None where only a checksum is left of its beginning."""
        return None if self._checksummed else "".join(self._texts)

    def rest_of(self, whole: str, endings: Iterable[str] = ()) -> str:
        """Return what `whole` says beyond what was streamed; "" where that is white space only.

        Args:
            whole: the text as the server says that it is.
            endings: what some servers cut off at its end, though it was streamed; something in
                angle brackets, a special token that was not said to be one, is among it anyway.

        Raises:
            ProtocolError: another text was streamed.

        """
        newest = "".join(self._texts)
        streamed, said = _packed(newest), _packed(whole)
        is_same = crc32(said[: self._checksummed]) == self._checksum
        said = said[self._checksummed :]
        if is_same and streamed.startswith(said):
            cut = streamed.removeprefix(said)
            if not cut or _SPECIAL.fullmatch(cut) or cut in map(_packed, endings):
                return ""
        elif is_same and said.startswith(streamed):
            rest = _behind(whole, self._checksummed + len(streamed))
            return rest.lstrip() if newest[-1:].isspace() else rest
        raise ProtocolError(
            "the complete text that the server sent at the end differs from what it streamed"
        )

    def add(self, items: list[Item]) -> None:
        """Add the texts among what one read brought."""
        text, _ = parts_of(items)
        if text:
            self._texts.append(text)
            self._characters += len(text)
            if self._characters > 2 * _KEPT_CHARACTERS or len(self._texts) > _MANY_TEXTS:
                self._shorten()

    def _shorten(self) -> None:
        """Keep a checksum instead of all but the newest 64 Ki characters."""
        text = "".join(self._texts)
        older, newest = _packed(text[:-_KEPT_CHARACTERS]), text[-_KEPT_CHARACTERS:]
        self._checksum = crc32(older, self._checksum)
        self._checksummed += len(older)
        self._texts = [newest]
        self._characters = len(newest)


def _packed(text: str) -> bytes:
    return _encoded(text).translate(None, _SPACE)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # few texts have halves, and to look for them takes long
        return without_halves(text).encode()


def _behind(text: str, count: int) -> str:
    """Return what comes behind the first `count` bytes of `text` that are no white space."""
    data = _encoded(text)

    def packed_size(end: int) -> int:
        return len(data[:end].translate(None, _SPACE))

    return data[bisect_left(range(len(data)), count, key=packed_size) :].decode()
