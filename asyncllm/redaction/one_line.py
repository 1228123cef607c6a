"""A text as one line that no terminal obeys, and that is not too long to be read."""

from __future__ import annotations

import re

# What ends a line, or tells a terminal something: C0 and C1, the separators of lines, what turns
# the direction of writing around, and halves of characters, which can't be written at all.
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def in_one_line(text: str) -> str:
    """Escape what would end a line of a log, or what a terminal would obey."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def excerpt(text: str, most: int) -> str:
    """Return the beginning of a text that is masked, as one line that no terminal obeys."""
    text = in_one_line(text)
    return text if len(text) <= most else f"{text[:most]}…"
