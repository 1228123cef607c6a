"""What is written, so that a terminal obeys nothing in it."""

from __future__ import annotations

import contextlib
import sys
from typing import TextIO

# What a terminal obeys: all control characters but line feed and tab. A sequence is harmless once
# its first character is, so that it makes no difference how tokens cut it.
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")}
# Those of them that JSON allows as they are.
JSON_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
_SHOWN = {code: f"\\x{code:02x}" for code in _CONTROLS}


def harmless(text: str, output: TextIO) -> str:
    """Return `text` as it may be written: for a terminal with nothing in it that it would obey."""
    return shown(text) if output.isatty() else text


def shown(text: str) -> str:
    r"""Return `text` with whatever a terminal would obey written out, such as `\x1b`."""
    return text.translate(_SHOWN)


def write(text: str, output: TextIO) -> None:
    """Write to standard output or standard error at once, escaping what its encoding lacks."""
    try:
        output.write(text)
    except UnicodeEncodeError:
        encoding = output.encoding
        output.write(text.encode(encoding, errors="backslashreplace").decode(encoding))
    output.flush()


def say(text: str) -> None:
    """Write a line to standard error, if there is one that can be written."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # what nobody can read must not cost anybody an answer
            write(harmless(text, sys.stderr) + "\n", sys.stderr)
