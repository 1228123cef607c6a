"""JSON lines out of bytes: an event a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.framing.bare_json import BareJSON
from asyncllm.framing.decoder import EventDecoder
from asyncllm.framing.json import holds_objects
from asyncllm.options import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from asyncllm.framing.sse import Payload

_SPACE = b" \t\r"  # of JSON, within a line


class JSONLinesDecoder(EventDecoder):
    r"""An incremental decoder of JSON lines; see `EventDecoder`.

    A line ends with `\n` and with nothing else. Blank lines are no events, and white space around
    a line is not given out. A line that is no JSON is given out as well: whoever decodes it says
    what is wrong with it. An object that a server has spread over several lines, as some do with
    their errors, is one event.

    Args:
        max_event_bytes: the most bytes of a line, without its line feed.

    """

    __slots__ = ("_object",)

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes)
        self._object: BareJSON | None = None  # that goes on over more than one line

    @override
    def feed(self, chunk: bytes) -> list[Payload]:
        end = len(chunk) - 1
        if (
            self._is_between
            and end <= self._limit
            and chunk[:1] == b"{"
            and chunk[-2:] == b"}\n"
            and chunk.find(b"\n") == end
        ):  # one line, as at a model's pace
            return [chunk[:end]]
        return self._feed(chunk)

    @override
    def close(self) -> list[Payload]:
        """Return the last line, where it came without its end.

        Raises:
            StreamInterrupted: it is an object that was cut off.

        """
        last = b"".join(self._pieces).strip(_SPACE)
        if self._object is not None:
            last = self._object.text + b"\n" + last
        self._forget()
        if last[:1] == b"{" and not holds_objects(last):
            raise StreamInterrupted(
                "the answer was cut off: it ended in the middle of a line of JSON"
            )
        return [last] if last else []

    @override
    def _decode(self, chunk: bytes, payloads: list[Payload]) -> bool:
        self._pieces.append(chunk)
        self._size += len(chunk)
        if b"\n" in chunk:
            *lines, last = b"".join(self._pieces).split(b"\n")
            for line in lines:
                self._check_line(len(line))
                if text := line.strip(_SPACE):
                    self._take(text, payloads)
            self._pieces = [last] if last else []
            self._size = len(last)
        self._check_line(self._size)
        return not self._pieces and self._object is None

    def _take(self, line: bytes, payloads: list[Payload]) -> None:
        """Take a line that is not blank."""
        begins_object = line[:1] == b"{"
        if self._object is None and begins_object and line[-1:] != b"}":
            self._object = BareJSON()
        if self._object is None:
            payloads.append(line)
        elif not self._object.add(line):
            payloads.append(self._object.text)
            self._object = None

    def _check_line(self, size: int) -> None:
        if size + (self._object.size if self._object else 0) > self._limit:
            raise self._too_large()

    @override
    def _forget(self) -> None:
        super()._forget()
        self._object = None
