"""Tables as text: no line is wider than the terminal where that can be, and no word is broken."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING

from asyncllm.cli.text import write
from asyncllm.redaction.one_line import in_one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

GAP = "  "
LEAST_OF_LAST = 24  # cells of the last column, whatever the others take
_WIDE = "WF"


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below heads; the text of the last column is wrapped where the terminal ends.

    In a pipe each row is one line, however long.

    Args:
        heads: what the columns are called; none of them for rows alone.
        rows: their cells; what a terminal would obey in them is shown and not obeyed.

    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    write("".join(f"{line}\n" for line in table(heads, rows, width)), sys.stdout)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Return the lines of a table.

    Args:
        heads: what the columns are called; none of them for rows alone.
        rows: their cells.
        width: cells of a line; None for lines of any length.

    """
    cells = [[in_one_line(cell) for cell in row] for row in ((heads, *rows) if heads else rows)]
    *first, _last = zip(*cells, strict=True)
    widths = [max(map(width_of, column)) for column in first]
    before = sum(widths) + len(GAP) * len(widths)
    room = None if width is None else max(width - before, LEAST_OF_LAST)
    lines: list[str] = []
    for *others, last in cells:
        start = "".join(
            cell + " " * (wide - width_of(cell)) + GAP
            for cell, wide in zip(others, widths, strict=True)
        )
        for number, piece in enumerate(wrapped(last, room)):
            lines.append(f"{start if number == 0 else ' ' * before}{piece}".rstrip())
    return lines


def wrapped(text: str, room: int | None) -> list[str]:
    """Return the lines of a text; a word that is longer than a line has one of its own."""
    if room is None or width_of(text) <= room:
        return [text]
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def shortened(text: str, room: int) -> str:
    """Return the beginning of a text, as one line of at most `room` cells."""
    is_long = len(text) > (most := 8 * room)
    text = " ".join(text[:most].split())
    if width_of(text) <= room and not is_long:
        return text
    text = text[:room]
    while width_of(text) >= room:
        text = text[:-1]
    return f"{text}…"


def width_of(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in _WIDE)
        for char in text
    )
