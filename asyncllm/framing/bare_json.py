"""JSON that stands bare on lines of its own, among the lines of another format."""

from __future__ import annotations

from asyncllm.framing.json import holds_objects
from asyncllm.framing.nesting import Nesting


class BareJSON:
    """An object or array that may go on over several lines, as a complaint that nobody framed.

    Blank lines in it say nothing, and are not given to it.

    Attributes:
        size: the bytes of its lines so far, each with its end.

    """

    __slots__ = ("_lines", "_nesting", "size")

    def __init__(self) -> None:
        self.size = 0
        self._lines: list[bytes] = []
        self._nesting = Nesting()

    def add(self, line: bytes) -> bool:
        """Take the next line, and tell whether more must follow.

        Args:
            line: without its end; the first begins with the opening bracket.

        """
        self._lines.append(line)
        self.size += len(line) + 1
        # No string of JSON goes on over the end of a line.
        return self._nesting.find_end(line) < 0 and not self._nesting.is_in_string

    @property
    def text(self) -> bytes:
        """Its lines so far."""
        return b"\n".join(self._lines)

    @property
    def is_whole(self) -> bool:
        """Whether it is JSON that says something: an object, or a list of them."""
        return holds_objects(self.text)
