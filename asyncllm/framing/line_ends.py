"""Lines that end with a line feed, whatever ended them, in text that comes in pieces."""

from __future__ import annotations

import re

BOM = b"\xef\xbb\xbf"
_CR = 13  # as a number, searched for several times faster in bytes
_LONE_CR = re.compile(rb"\r(?!\n)").search


class LineEnds:
    """Makes every line end of one text a line feed, and drops a byte order mark before it.

    Attributes:
        is_amid: whether the next piece may have the second half of something: it is to be
            normalised even without a carriage return.
        is_past_start: whether no byte order mark can come any more.

    """

    __slots__ = ("_after_cr", "_start", "is_amid", "is_past_start")

    def __init__(self) -> None:
        self.is_amid = True
        self.is_past_start = False
        self._start = b""  # what may be the beginning of a byte order mark
        self._after_cr = False

    def normalise(self, chunk: bytes) -> bytes:
        """Return the next piece with its line ends as line feeds."""
        if not self.is_past_start:
            chunk = self._start + chunk
            if len(chunk) < len(BOM) and BOM.startswith(chunk):
                self._start = chunk
                return b""
            self.is_past_start = True
            chunk = chunk.removeprefix(BOM)
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF cut in two
            self._after_cr = False
        if _CR in chunk:
            self._after_cr = chunk.endswith(b"\r")
            if _LONE_CR(chunk, 0, len(chunk) - self._after_cr):
                chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            else:  # to replace single bytes takes a tenth of the time
                chunk = chunk.replace(b"\r", b"") + (b"\n" if self._after_cr else b"")
        self.is_amid = self._after_cr
        return chunk
