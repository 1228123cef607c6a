"""The end of a text on a terminal: what is printed for good, and below it what still changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # a terminal that knows them draws what is between once
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_TO_ITS_END, _BELOW = "\x1b[K", "\x1b[J"


class Tail:
    """Says what to write so that a terminal shows the newest of a text.

    Between two writings the cursor stands where the changing lines begin. So a terminal that is
    made narrower, and breaks lines anew, takes the cursor with it to the place from which to draw.

    Lines that change are drawn without wrapping: should a terminal hold a character for wider than
    we do, a line loses its end until it is printed for good, and none is out of place.
    """

    def __init__(self) -> None:
        self._drawn: list[str] | None = []  # None: unknown, as the terminal's size has changed

    def resized(self) -> None:
        """Draw everything that changes anew the next time."""
        self._drawn = None

    def draw(self, printed: Sequence[str], changing: Sequence[str], height: int) -> str:
        """Return what to write to the terminal.

        Args:
            printed: lines to print for good, above those that change.
            changing: all lines that may yet change; the last of them are shown, as many as fit.
            height: the terminal's, in lines.

        """
        lines = list(changing)[-max(1, height - 1) :]
        before = [] if printed or self._drawn is None else self._drawn
        if not printed and self._drawn == lines:
            return ""
        out = [_BEGIN, _HIDE, _BELOW if self._drawn is None else ""]
        out += [_TO_ITS_END + line + "\r\n" for line in printed]
        is_shorter = bool(printed) or len(before) > len(lines)
        rows = [
            "" if n < len(before) and before[n] == line else _TO_ITS_END + line
            for n, line in enumerate(lines)
        ]
        if rows and is_shorter:
            rows[-1] = _TO_ITS_END + lines[-1]  # below the end of it is erased
        out += [_NO_WRAP, "\r\n".join(rows), _BELOW if is_shorter else "", _WRAP, "\r"]
        out.append(f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else "")
        self._drawn = lines
        return "".join([*out, _END])

    def close(self, printed: Sequence[str]) -> str:
        """Return what to write at the end: the last lines for good, and the cursor below them."""
        lines = "".join(_TO_ITS_END + line + "\r\n" for line in printed)
        self._drawn = []
        return _BEGIN + lines + _BELOW + _SHOW + _END
