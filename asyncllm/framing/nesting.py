"""Where a JSON value ends, in text that comes in pieces."""

from __future__ import annotations

import re

_IN_STRING = re.compile(rb'["\\]')
# A string that is whole in a piece is passed in one step.
_OUTSIDE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)
_QUOTE, _BACKSLASH, *_OPENING = b'"\\[{'


class Nesting:
    """Follows the brackets of one JSON object or array; it looks at each byte once.

    It tells where the value ends if it is JSON, and not whether it is.

    Attributes:
        is_in_string: whether the text so far ends amid a string.

    """

    __slots__ = ("_depth", "_is_escaped", "is_in_string")

    def __init__(self) -> None:
        self.is_in_string = False
        self._is_escaped = False  # with a backslash at the end of the text so far
        self._depth = 0

    def find_end(self, text: bytes, start: int = 0) -> int:
        """Return where in `text` the value ends, or -1 where it goes on after it.

        Args:
            text: the next piece.
            start: where in it to begin; for the first piece, at the opening bracket.

        """
        at = start
        while at < len(text):
            if self.is_in_string:
                at = self._find_quote(text, at)
                continue
            found = _OUTSIDE.search(text, at)
            if found is None:
                break
            at = found.end()
            token = text[found.start()]
            if token == _QUOTE:
                self.is_in_string = at - found.start() == 1
            elif token in _OPENING:
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth == 0:
                    return at
        return -1

    def _find_quote(self, text: bytes, at: int) -> int:
        """Go on in a string, and return where: behind it, or behind an escape in it."""
        if self._is_escaped:
            self._is_escaped = False
            return at + 1
        found = _IN_STRING.search(text, at)
        if found is None:
            return len(text)
        self._is_escaped = text[found.start()] == _BACKSLASH
        self.is_in_string = self._is_escaped
        return found.end()
