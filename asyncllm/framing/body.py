"""What the bytes of a body are: events in some framing, or no stream at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from asyncllm.errors import AsyncLLMError, HTTPStatusError, ProtocolError, StreamInterrupted
from asyncllm.framing.excerpt import EXCERPT_BYTES, excerpt_of
from asyncllm.framing.json_array import JSONArrayDecoder
from asyncllm.framing.json_lines import JSONLinesDecoder
from asyncllm.framing.json_object import JSONObjectDecoder
from asyncllm.framing.line_ends import BOM
from asyncllm.framing.sse import SSEDecoder

if TYPE_CHECKING:
    from asyncllm.framing.decoder import EventDecoder
    from asyncllm.framing.sse import Payload

Framing: TypeAlias = Literal["sse", "json_lines", "json_array"]
"""How the events of a body are told apart: server-sent events, a line each, an array of them."""

_EVENT_STREAM = "text/event-stream"
_LINES = frozenset(
    f"application/{name}"
    for name in (
        *("x-ndjson", "ndjson", "jsonl", "x-jsonl", "jsonlines", "x-jsonlines", "json-lines"),
        *("json-l", "x-json-stream", "stream+json"),
    )
)


class BodyDecoder:
    """An incremental decoder of one body; it does no I/O.

    Which framing a body has is decided by what was asked, its media type and its first byte that is
    no white space, as servers are wrong about any of them:

    - A page is never a stream.
    - What begins as an array of objects is one.
    - What begins with `{` is JSON lines where those were asked for, or are its media type. Where
      server-sent events were asked for, and are its media type, it is these: bare JSON is one of
      them, and others may follow. Otherwise it is one JSON object, as some servers send although a
      stream was asked for, and one event.
    - Anything else is JSON lines where those were asked for, or are its media type, unless that is
      `text/event-stream`; and server-sent events otherwise.

    Args:
        content_type: its media type, lower case, without parameters.
        max_event_bytes: the most bytes of one event, or of an object.
        asked: the framing that was asked for.

    Attributes:
        events: the decoder of its events, once it is known to have any; it may be fed in the place
            of this.

    """

    __slots__ = ("_asked", "_begun", "_first", "_is_page", "_limit", "_sse", "_type", "events")

    def __init__(self, content_type: str, max_event_bytes: int, asked: Framing = "sse") -> None:
        self.events: EventDecoder | None = None
        self._sse = SSEDecoder(max_event_bytes)
        self._limit = max_event_bytes
        self._asked = asked
        self._type = content_type
        self._is_page = content_type == "text/html"
        self._begun = bytearray()  # what has come before there is an event
        self._first = b""  # byte that is no white space; behind `[`, the first two

    @property
    def ignored(self) -> str:
        """The beginning of the newest text that was no part of an event, or ""."""
        return self._decoder.ignored

    @property
    def unfinished(self) -> bytes:
        """What has come of an event that has no end yet; see `EventDecoder`."""
        return self._decoder.unfinished

    @property
    def has_failed(self) -> bool:
        """Whether something came that can't be read; nothing more is taken then."""
        return self._decoder.has_failed

    @property
    def _decoder(self) -> EventDecoder:
        return self.events or self._sse

    def feed(self, chunk: bytes) -> list[Payload]:
        """Return what `chunk` completes, in order.

        Raises:
            ProtocolError: the body is a page; an event or the object is too large; the body goes
                on as something else.

        """
        if self.events is not None:
            return self.events.feed(chunk)
        begun = self._begun
        begun += chunk
        if self._is_page:
            if len(begun) >= EXCERPT_BYTES:
                raise self._not_a_stream()
            return []
        if self._first in {b"", b"["} and (decoder := self._json_decoder()):
            self.events = decoder
            whole = bytes(begun.removeprefix(BOM).lstrip())
            begun.clear()
            return decoder.feed(whole)
        payloads = self._sse.feed(chunk)
        if payloads:
            self.events = self._sse
            begun.clear()
        del begun[EXCERPT_BYTES:]
        return payloads

    def close(self) -> list[Payload]:
        """Say that the body has ended, and return what is left of it.

        Raises:
            ProtocolError: it was a page, or no event came of what came.
            StreamInterrupted: it ended too early.

        """
        payloads = self._decoder.close()
        if self.events is None and (self._first or self._is_page) and not payloads:
            raise self._not_a_stream()
        return payloads

    def check(self) -> None:
        """Raise the error behind what was returned, if there is one.

        Raises:
            ProtocolError: an event is too large, or the body goes on as something else.

        """
        self._decoder.check()

    def explained(self, failure: AsyncLLMError) -> AsyncLLMError:
        """Return `failure`, with what the server has said where that cut the answer off."""
        if not isinstance(failure, StreamInterrupted):
            return failure
        if self._is_page:
            return self._not_a_stream()
        if self.ignored:
            return StreamInterrupted(f"{failure}; between the events there was {self.ignored!r}")
        return failure

    def _json_decoder(self) -> EventDecoder | None:
        """Return the decoder of the JSON that the body is, and None while it may be events."""
        if BOM.startswith(self._begun):
            return None
        text = self._begun.removeprefix(BOM).lstrip()
        first = self._first = bytes(text[:1])
        if first == b"[":
            first = self._first = first + bytes(text[1:].lstrip()[:1])
            if first in {b"[{", b"[]"} or self._asked == "json_array":
                return JSONArrayDecoder(self._limit)
        if first in {b"", b"["}:
            return None
        is_lines = self._asked == "json_lines" or self._type in _LINES
        if is_lines and (first == b"{" or self._type != _EVENT_STREAM):
            return JSONLinesDecoder(self._limit)
        if first == b"{" and self._asked == "sse" and self._type == _EVENT_STREAM:
            return SSEDecoder(self._limit)
        return JSONObjectDecoder(self._limit) if first == b"{" else None

    def _not_a_stream(self) -> ProtocolError:
        shown = " ".join(excerpt_of(self._begun).split())
        what = "the server answered with something other than a stream: "
        error = ProtocolError(f"{what}{shown!r}")
        error.most_characters = len(f"{what}'") + HTTPStatusError.most_characters
        return error
