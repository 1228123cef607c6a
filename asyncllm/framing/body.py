"""What the bytes of a body are: server-sent events, one JSON object, or no stream at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError, ProtocolError, StreamInterrupted
from asyncllm.framing.excerpt import EXCERPT_BYTES, excerpt_of
from asyncllm.framing.sse import SSEDecoder

if TYPE_CHECKING:
    from asyncllm.framing.sse import Payload

_SHOWN_CHARACTERS = 200  # of a page


class BodyDecoder:
    """An incremental decoder of one body; it does no I/O.

    A body that begins with `{`, white space aside, is one JSON object, as some servers send
    although a stream was asked for, and is one event. A page is never a stream.

    Args:
        content_type: its media type, lower case, without parameters.
        max_event_bytes: the most bytes of one event, or of an object.

    Attributes:
        events: the decoder of its events, once there has been one; it may be fed in the place of
            this.

    """

    __slots__ = ("_begun", "_decoder", "_first", "_is_page", "_limit", "events")

    def __init__(self, content_type: str, max_event_bytes: int) -> None:
        self.events: SSEDecoder | None = None
        self._decoder = SSEDecoder(max_event_bytes)
        self._limit = max_event_bytes
        self._is_page = content_type == "text/html"
        self._begun = bytearray()  # what has come before there is an event
        self._first = b""  # byte that is no white space

    @property
    def ignored(self) -> str:
        """The newest line that was no part of an event, or ""."""
        return self._decoder.ignored

    @property
    def has_failed(self) -> bool:
        """Whether an event was too large; nothing more is taken then."""
        return self._decoder.has_failed

    def feed(self, chunk: bytes) -> list[Payload]:
        """Return what `chunk` completes, in order.

        Raises:
            ProtocolError: the body is a page; an event or the object is too large.

        """
        if self.events is not None:
            return self.events.feed(chunk)
        begun = self._begun
        begun += chunk
        self._first = self._first or bytes(begun.lstrip()[:1])
        if self._is_page:
            if len(begun) >= EXCERPT_BYTES:
                raise self._not_a_stream()
            return []
        if self._first == b"{":
            if len(begun) > self._limit:
                raise too_large(self._limit)
            return []
        payloads = self._decoder.feed(chunk)
        if payloads:
            self.events = self._decoder
            begun.clear()
        del begun[EXCERPT_BYTES:]
        return payloads

    def close(self) -> list[Payload]:
        """Say that the body has ended, and return what is left of it.

        Raises:
            ProtocolError: it was a page, or no event came of what came.

        """
        if self.events is not None:
            return []
        if self._first == b"{" and not self._is_page:
            return [bytes(self._begun)]
        if self._is_page or self._first:
            raise self._not_a_stream()
        return []

    def check(self) -> None:
        """Raise the error behind what was returned, if there is one.

        Raises:
            ProtocolError: an event is too large.

        """
        self._decoder.check()

    def explained(self, failure: AsyncLLMError) -> AsyncLLMError:
        """Return `failure`, with what the server has said where that cut the answer off."""
        if not isinstance(failure, StreamInterrupted):
            return failure
        if self._is_page:
            return self._not_a_stream()
        if self.ignored:
            return StreamInterrupted(f"{failure}; between events came {self.ignored!r}")
        return failure

    def _not_a_stream(self) -> ProtocolError:
        shown = " ".join(excerpt_of(self._begun).split())
        what = "the server answered with something other than a stream: "
        error = ProtocolError(f"{what}{shown!r}")
        error.most_characters = len(f"{what}'") + _SHOWN_CHARACTERS
        return error


def too_large(limit: int) -> ProtocolError:
    """Return the error for a body of more than `limit` bytes that is to be read whole."""
    return ProtocolError(f"the server sent a body of more than {limit} bytes (max_event_bytes)")
