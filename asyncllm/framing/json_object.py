"""A body that is one JSON object, and one event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.framing.decoder import EventDecoder, UnreadableError, too_large

if TYPE_CHECKING:
    from asyncllm.framing.sse import Payload


class WholeBody(bytes):
    """The data of an event that is all there is of its body, so that no other can follow it."""

    __slots__ = ()


class JSONObjectDecoder(EventDecoder):
    """Keeps a body until it has ended, and gives it out whole; see `EventDecoder`.

    Args:
        max_event_bytes: the most bytes of it.

    """

    __slots__ = ()

    @override
    def close(self) -> list[Payload]:
        return [WholeBody(b"".join(self._pieces))]

    @override
    def _decode(self, chunk: bytes, payloads: list[Payload]) -> bool:
        self._pieces.append(chunk)
        self._size += len(chunk)
        if self._size > self._limit:
            raise UnreadableError(str(too_large(self._limit)))
        return False
