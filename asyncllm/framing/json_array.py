"""A JSON array of objects out of bytes: an event an object."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.framing.decoder import EventDecoder, UnreadableError
from asyncllm.framing.excerpt import excerpt_of
from asyncllm.framing.nesting import Nesting
from asyncllm.options import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from asyncllm.framing.sse import Payload

_SPACE = re.compile(rb"[ \t\r\n]*")
_AFTER = {b"[": b"{]", b",": b"{", b"]": b""}  # what may come behind each
_AFTER_OBJECT = b",]"


class JSONArrayDecoder(EventDecoder):
    """An incremental decoder of one array of objects; see `EventDecoder`.

    An object is given out with its closing bracket, as it is written. Whether it is JSON inside is
    for whoever decodes it to say.

    Args:
        max_event_bytes: the most bytes of an object.

    """

    __slots__ = ("_allowed", "_nesting")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes)
        self._allowed = b"["  # which bytes may come next, between objects
        self._nesting: Nesting | None = None  # of the object that has no end yet

    @override
    def close(self) -> list[Payload]:
        """Return nothing: each object has been given out.

        Raises:
            StreamInterrupted: the array has no end.

        """
        if self._allowed and not self.has_failed:
            raise StreamInterrupted("the answer was cut off: its JSON array has no end")
        return []

    @override
    def _decode(self, chunk: bytes, payloads: list[Payload]) -> bool:
        at = 0
        while at < len(chunk):
            if self._nesting is None:
                at = self._pass_between(chunk, at)
                continue
            end = self._nesting.find_end(chunk, at)
            piece = chunk[at:end] if end >= 0 else chunk[at:]
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size > self._limit:
                raise self._too_large()
            if end < 0:
                break
            payloads.append(b"".join(self._pieces))
            self._forget()
            self._size, self._allowed = 0, _AFTER_OBJECT
            at = end
        return False  # there is no short cut

    def _pass_between(self, chunk: bytes, at: int) -> int:
        """Pass what is between objects, and return where it ends: where an object begins, say."""
        while (at := _space_end(chunk, at)) < len(chunk):
            byte = chunk[at : at + 1]
            if byte not in self._allowed:
                raise UnreadableError(
                    "the server sent something that is not part of a JSON array of objects: "
                    f"{excerpt_of(chunk[at:])!r}"
                )
            if byte == b"{":
                self._nesting = Nesting()
                break
            self._allowed = _AFTER[byte]
            at += 1
        return at

    @override
    def _forget(self) -> None:
        super()._forget()
        self._nesting = None


def _space_end(text: bytes, start: int) -> int:
    """Return where white space that begins at `start` ends."""
    found = _SPACE.match(text, start)
    return start if found is None else found.end()
