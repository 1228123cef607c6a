"""Server-sent events out of bytes: no I/O, bounded, in time linear in what arrives.

The rules are WHATWG's, HTML Living Standard §9.2.6 "Interpreting an event stream". What makes it
fast: line ends are normalised once for each read, whole events are found by one `split`, and
only an event that is more than a single `data` line is looked at line by line.
"""

from __future__ import annotations

from operator import methodcaller
from typing import TypeAlias

import msgspec

from asyncllm.errors import ProtocolError
from asyncllm.events import Ping

_BOM = b"\xef\xbb\xbf"
_LF, _CR, _SPACE = b"\n\r "  # as numbers, which bytes are searched for several times faster
_RETRY_DIGITS = 16  # more would be no time that anyone means
_IGNORED_CHARACTERS = 300
_UTF8_BYTES = 4  # that a character has at most


class NamedEvent(msgspec.Struct, frozen=True):
    """An event that has a name of its own, as in `event: error`.

    Attributes:
        name: the name.
        data: the data, as UTF-8.

    """

    name: str
    data: bytes


Payload: TypeAlias = bytes | NamedEvent | Ping
"""The data of an event, as UTF-8; an event with a name; or a comment."""


class SSEDecoder:
    """An incremental decoder of one event stream; how the stream is cut makes no difference.

    Args:
        max_event_bytes: the most bytes that one event, or a comment before it, may have. An event
            is its lines with the line ends between them, each as one byte.

    Attributes:
        last_event_id: the newest `id` field, or "".
        retry: the newest `retry` field, in milliseconds, or None.
        ignored: the beginning of the newest line that is no field of the format, at most 300
            characters, or "": some servers write their complaints so.
        has_failed: whether an event was too large; nothing more is taken then.

    """

    __slots__ = (
        "_after_cr",
        "_is_between",
        "_limit",
        "_pieces",
        "_size",
        "_start",
        "has_failed",
        "ignored",
        "last_event_id",
        "retry",
    )

    def __init__(self, max_event_bytes: int = 16 * 1024 * 1024) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self.ignored = ""
        self._limit = max_event_bytes
        self._is_between = False  # past the BOM, with nothing left of what came before
        self._start: bytes | None = b""  # what may be the beginning of a BOM; None once past it
        self._after_cr = False
        self._pieces: list[bytes] = []  # an event's beginning; no blank line in it
        self._size = 0
        self.has_failed = False

    def feed(self, chunk: bytes) -> list[Payload]:
        """Return what `chunk` completes, in order; an event without its blank line is kept.

        What comes before an event that is too large is returned; `check`, and the next call,
        then raise the error.

        Raises:
            ProtocolError: an event is larger than `max_event_bytes`, and nothing of `chunk` comes
                before it.

        """
        end = len(chunk) - 2
        if (
            self._is_between
            and end <= self._limit
            and chunk[:5] == b"data:"
            and chunk.find(b"\n") == end
            and chunk[-1] == _LF
            and _CR not in chunk
        ):  # one event, as at a model's pace
            return [chunk[6:end] if chunk[5] == _SPACE else chunk[5:end]]
        self.check()
        payloads: list[Payload] = []
        try:
            self._split(chunk, payloads)
        except _TooLargeError:
            self.has_failed = True
            self._pieces.clear()
        self._is_between = not (self._pieces or self.has_failed) and self._start is None
        if not payloads:
            self.check()
        return payloads

    def check(self) -> None:
        """Raise the error behind what `feed` has returned, if there is one.

        Raises:
            ProtocolError: an event is larger than `max_event_bytes`.

        """
        if self.has_failed:
            raise ProtocolError(
                f"the server sent an event of more than {self._limit} bytes (max_event_bytes)"
            )

    def _split(self, chunk: bytes, payloads: list[Payload]) -> None:
        """Append the payloads that `chunk` completes, and keep the rest."""
        if self._start is not None or self._after_cr or _CR in chunk:
            chunk = self._normalise(chunk)
        tail = chunk
        cut_in_two = chunk[:1] == b"\n" and self._pieces and self._pieces[-1][-1:] == b"\n"
        if cut_in_two or b"\n\n" in chunk:
            self._pieces.append(chunk)
            whole, _, tail = b"".join(self._pieces).rpartition(b"\n\n")
            self._pieces.clear()
            self._size = 0
            self._parse_events(whole.strip(b"\n"), payloads)
        if tail:
            self._keep(tail, payloads)

    def _normalise(self, chunk: bytes) -> bytes:
        """Drop a leading byte order mark, and make every line end a line feed."""
        if self._start is not None:
            chunk = self._start + chunk
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                self._start = chunk
                return b""
            self._start = None
            chunk = chunk.removeprefix(_BOM)
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF cut in two
            self._after_cr = False
        if _CR in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _keep(self, tail: bytes, payloads: list[Payload]) -> None:
        """Keep an unfinished event, but give out at once the comments before it."""
        self._pieces.append(tail)
        self._size += len(tail)
        if b"\n" in tail and self._pieces[0].startswith((b":", b"\n")):
            rest = self._take_comments(b"".join(self._pieces), payloads)
            self._pieces = [rest] if rest else []
            self._size = len(rest)
        self._check_size(self._size - tail.endswith(b"\n"))  # a line end does not count

    def _take_comments(self, text: bytes, payloads: list[Payload]) -> bytes:
        """Give out the comments that `text` begins with, and return the rest."""
        start = 0
        while text.startswith((b":", b"\n"), start) and (end := text.find(b"\n", start)) >= 0:
            if end > start:
                self._check_size(end - start)
                payloads.append(Ping(_text(text[start + 1 : end].removeprefix(b" "))))
            start = end + 1
        return text[start:]

    def _parse_events(self, whole: bytes, payloads: list[Payload]) -> None:
        """Parse whole events; no empty line is before the first or after the last."""
        for start in (b"data: ", b"data:"):
            # What nearly all servers send is data and nothing else, a line an event: one split.
            if whole.startswith(start) and len(whole) <= self._limit:
                data = whole.removeprefix(start).split(b"\n\n" + start)
                is_all = whole.count(b"\n") == 2 * (len(data) - 1)
                if is_all and (start.endswith(b" ") or not any(map(_starts_with_space, data))):
                    payloads += data
                    return
        for block in whole.split(b"\n\n"):
            if block[:5] == b"data:" and b"\n" not in block and len(block) <= self._limit:
                payloads.append(block[6:] if block[5:6] == b" " else block[5:])
            elif event := self._take_comments(block, payloads):
                self._parse_lines(event, payloads)

    def _parse_lines(self, block: bytes, payloads: list[Payload]) -> None:
        """Parse the lines of one event, none of them empty, and dispatch it."""
        self._check_size(len(block))
        name, data = "", list[bytes]()
        for line in block.split(b"\n"):
            field, colon, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if colon and not field:
                payloads.append(Ping(_text(value)))
            elif field == b"data":
                data.append(value)
            elif field == b"event":
                name = "" if value == b"message" else _text(value)
            else:
                self._take_field(field, value, line)
        if data:
            payload = b"\n".join(data)
            payloads.append(NamedEvent(name, payload) if name else payload)

    def _take_field(self, field: bytes, value: bytes, line: bytes) -> None:
        """Take a field that is not of one event."""
        if field == b"id":
            if b"\0" not in value:
                self.last_event_id = _text(value)
        elif field == b"retry":
            if value.isdigit() and len(value) < _RETRY_DIGITS:
                self.retry = int(value)
        else:
            beginning = line[: _IGNORED_CHARACTERS * _UTF8_BYTES]
            self.ignored = _text(beginning)[:_IGNORED_CHARACTERS]

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise _TooLargeError


class _TooLargeError(Exception):
    """An event is larger than is allowed."""


_starts_with_space = methodcaller("startswith", b" ")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
