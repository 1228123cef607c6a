"""Server-sent events out of bytes: no I/O, bounded, in time linear in what arrives.

The rules are WHATWG's, HTML Living Standard §9.2.6 "Interpreting an event stream". What makes it
fast: line ends are normalised once for each read, whole events are found by one `split`, and
only an event that is more than a name and a single `data` line is looked at line by line.
"""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from typing_extensions import override

from asyncllm.events import Ping
from asyncllm.framing.bare_json import BareJSON
from asyncllm.framing.decoder import EventDecoder
from asyncllm.framing.line_ends import LineEnds
from asyncllm.options import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

_LF, _CR, _SPACE, _COLON = b"\n\r :"  # as numbers, searched for several times faster in bytes
_JSON = (b"{", b"[")  # what it begins with
_ODD = b":\n{["  # what a block begins with that is not just an event
_FIELDS = (b"d", b"e", b"i", b"r", b":")  # what a line begins with that is a field, and no JSON
_RETRY_DIGITS = 16  # more would be no time that anyone means
_IGNORED_CHARACTERS = 300
_IGNORED_BYTES = 4 * _IGNORED_CHARACTERS  # that they have at most


class NamedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event that has its own name, as in `event: error`.

    Attributes:
        name: the name.
        data: the data, as UTF-8.

    """

    name: str
    data: bytes


Payload: TypeAlias = bytes | NamedEvent | Ping
"""The data of an event, as UTF-8; an event with a name; or a comment."""


class SSEDecoder(EventDecoder):
    """An incremental decoder of one event stream; see `EventDecoder`.

    JSON that stands bare between events, over one line or several, is an event named "error":
    some servers write their complaints so. It ends with the line on which its brackets close, and
    is given up where a field or a comment comes before that.

    Args:
        max_event_bytes: the most bytes that one event, or a comment before it, may have. An event
            is its lines with the line ends between them, each as one byte.

    Attributes:
        last_event_id: the newest `id` field, or "".
        retry: the newest `retry` field, in milliseconds, or None.

    """

    __slots__ = ("_ignored", "_json", "_line_ends", "last_event_id", "retry")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes)
        self.last_event_id = ""
        self.retry: int | None = None
        self._ignored = b""
        self._line_ends = LineEnds()
        self._json: BareJSON | None = None  # that has no end yet

    @property
    @override
    def ignored(self) -> str:
        """The beginning of bare JSON without an end, or of the newest line that is no field.

        It has at most 300 characters, and is "" where there is neither.
        """
        beginning = (self._unfinished_json() or self._ignored)[:_IGNORED_BYTES]
        return _text(beginning)[:_IGNORED_CHARACTERS]

    @property
    @override
    def unfinished(self) -> bytes:
        return b"".join(self._pieces)

    @override
    def feed(self, chunk: bytes) -> list[Payload]:
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
        return self._feed(chunk)

    @override
    def close(self) -> list[Payload]:
        """Return bare JSON whose last line came without its end; an event without is none."""
        return self.feed(b"\n") if self._unfinished_json() else []

    @override
    def _decode(self, chunk: bytes, payloads: list[Payload]) -> bool:
        line_ends = self._line_ends
        if _CR in chunk or line_ends.is_amid:
            chunk = line_ends.normalise(chunk)
        tail = chunk
        cut_in_two = chunk[:1] == b"\n" and self._pieces and self._pieces[-1][-1:] == b"\n"
        if (cut_in_two or b"\n\n" in chunk) and self._json is None:
            self._pieces.append(chunk)
            whole, _, tail = b"".join(self._pieces).rpartition(b"\n\n")
            self._pieces.clear()
            self._size = 0
            self._parse_events(whole.strip(b"\n"), payloads)
        if tail:
            self._keep(tail, payloads)
        return line_ends.is_past_start and not self._pieces and self._json is None

    def _keep(self, tail: bytes, payloads: list[Payload]) -> None:
        """Keep an unfinished event, but give out at once what comes before it."""
        self._pieces.append(tail)
        self._size += len(tail)
        if b"\n" in tail and (self._json or self._pieces[0][0] in _ODD):
            *lines, last = b"".join(self._pieces).split(b"\n")
            rest = b"\n".join([*self._take_lines(lines, payloads), last])
            self._pieces = [rest] if rest else []
            self._size = len(rest)
        if self._json and self._pieces and self._pieces[0].startswith(_FIELDS):
            self._end(self._json, payloads)
        size = self._size - tail.endswith(b"\n")  # a line end does not count
        if size + (self._json.size if self._json else 0) > self._limit:
            raise self._too_large()

    def _parse_events(self, whole: bytes, payloads: list[Payload]) -> None:
        """Parse whole events; no empty line is before the first or after the last."""
        if len(whole) <= self._limit:
            read_all = _named_events if whole.startswith(b"event:") else _bare_events
            if (events := read_all(whole)) is not None:
                payloads += events
                return
        blocks = iter(whole.split(b"\n\n"))
        for block in blocks:
            if block[:5] == b"data:" and b"\n" not in block and len(block) <= self._limit:
                payloads.append(block[6:] if block[5:6] == b" " else block[5:])
            elif not block or block[0] in _ODD:
                self._take_lines([*block.split(b"\n"), b""], payloads)
                if self._json:  # and what follows belongs to it, or ends it
                    others = (line for other in blocks for line in [*other.split(b"\n"), b""])
                    self._take_lines(others, payloads)
            else:
                self._parse_lines(block, payloads)

    def _take_lines(self, lines: Iterable[bytes], payloads: list[Payload]) -> list[bytes]:
        """Take lines of which any may be a comment, or JSON, between events.

        Returns:
            The lines of the event that has not ended with them.

        """
        event: list[bytes] = []
        for line in lines:
            if self._json is not None and line.startswith(_FIELDS):
                self._end(self._json, payloads)
            if self._json is not None:
                self._take_json(self._json, line, payloads)
            elif not line:
                if event:
                    self._parse_lines(b"\n".join(event), payloads)
                    event = []
            elif event or line[0] not in _ODD:
                event.append(line)
            elif line[0] == _COLON:
                if len(line) > self._limit:
                    raise self._too_large()
                payloads.append(Ping(_text(line[1:].removeprefix(b" "))))
            else:
                self._take_json(BareJSON(), line, payloads)
        return event

    def _take_json(self, json: BareJSON, line: bytes, payloads: list[Payload]) -> None:
        """Take the next line of what looks like bare JSON."""
        self._json = json
        if line:
            if json.size + len(line) > self._limit:
                raise self._too_large()
            if not json.add(line):
                self._end(json, payloads)

    def _end(self, json: BareJSON, payloads: list[Payload]) -> None:
        """Give out what looked like bare JSON, if it was."""
        self._json = None
        if json.is_whole:
            payloads.append(NamedEvent("error", json.text))
        else:
            self._ignored = json.text[:_IGNORED_BYTES]

    def _unfinished_json(self) -> bytes:
        """Return what has come of bare JSON that has no end yet, or b""."""
        if self._json is not None:
            return b"\n".join([self._json.text, self.unfinished])
        return self.unfinished if self.unfinished.startswith(_JSON) else b""

    @override
    def _forget(self) -> None:
        super()._forget()
        self._json = None

    def _parse_lines(self, block: bytes, payloads: list[Payload]) -> None:
        """Parse the lines of one event, none of them empty, and dispatch it."""
        if len(block) > self._limit:
            raise self._too_large()
        name, data = "", list[bytes]()
        for line in block.split(b"\n"):
            field, colon, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if colon and not field:
                payloads.append(Ping(_text(value)))
            elif field == b"data":
                data.append(value)
            elif field == b"event":
                name = _name(line)
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
            self._ignored = line[:_IGNORED_BYTES]


def _bare_events(whole: bytes) -> list[bytes] | None:
    """Return events that are each a line of data, as nearly all servers send them; None for others.

    It is one split for all of them.
    """
    for start in (b"data: ", b"data:"):
        if whole.startswith(start):
            data = whole.removeprefix(start).split(b"\n\n" + start)
            is_all = whole.count(b"\n") == 2 * (len(data) - 1)
            if is_all and (start.endswith(b" ") or not any(map(_starts_with_space, data))):
                return data
    return None


def _named_events(whole: bytes) -> list[Payload] | None:
    """Return events that are each a name and a line of data; None where one is anything else."""
    parts = [block.partition(b"\ndata: ") for block in whole.split(b"\n\n")]
    names = dict.fromkeys([head for head, _, _ in parts], "")
    # Each has a line end before its data, and two behind it: there must be no other.
    if whole.count(b"\n") != 3 * len(parts) - 2 or b"" in [found for _, found, _ in parts]:
        return None
    for head in names:
        if not head.startswith(b"event:"):
            return None
        names[head] = _name(head)
    return [NamedEvent(names[head], data) if names[head] else data for head, _, data in parts]


def _name(line: bytes) -> str:
    """Return the name in a line `event: …`; "" for "message", which every event is called."""
    value = line.partition(b":")[2].removeprefix(b" ")
    return "" if value == b"message" else _text(value)


_starts_with_space = methodcaller("startswith", b" ")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
