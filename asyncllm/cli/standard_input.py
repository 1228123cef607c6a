"""Standard input: read to its end, within a bound, and as text."""

from __future__ import annotations

import codecs
import os
import select
import stat
import sys

from asyncllm.cli.home import refused
from asyncllm.cli.text import say

MOST_BYTES = 50 * 1024 * 1024  # what `asyncllm.sources` takes of a file, too

_PATIENCE_SECONDS = 3.0
_MOST_REPLACED = 0.05  # the share of characters above which it is no text that is a little broken
_BOMS = {  # the longest first, as one begins with another
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def is_piped() -> bool:
    """Tell whether there is a standard input that nobody types."""
    return sys.stdin is not None and not sys.stdin.isatty()


def read_bytes() -> bytes:
    """Return all of standard input: to its end, however long that takes.

    What gives nothing for some seconds may be a slow command, or a pipe that somebody forgot to
    close. A line on standard error says that it is waited for, and how not to.

    Raises:
        ConfigurationError: there is more of it than may be sent.

    """
    if sys.stdin is None:  # closed when the program began
        return b""
    if sys.stdin.isatty():
        say("asyncllm: type what to ask, and end with Ctrl-D on a line of its own")
    elif not _has_something():
        say("asyncllm: waiting for standard input; if there is none, add: </dev/null")
    try:
        data = sys.stdin.buffer.read(MOST_BYTES + 1)
    except OSError as error:  # a folder, say
        raise refused(f"standard input can't be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise refused(
            f"standard input has more than {MOST_BYTES >> 20} MiB: pipe less of it, such as "
            "with head or grep"
        )
    return data


def as_text(data: bytes, what: str, way_out: str) -> str:
    """Return bytes as text with line feeds: of UTF-8, or what a byte order mark says.

    A few bytes that are no UTF-8 are replaced, and a line on standard error says so.

    Args:
        data: the bytes.
        what: what they are, for the error.
        way_out: the rest of the error, which says what to do with what is no text.

    Raises:
        ConfigurationError: they are no text.

    """
    encoding = next((name for mark, name in _BOMS.items() if data.startswith(mark)), "utf-8")
    text = data.decode(encoding, errors="replace")
    replaced = text.count("\ufffd")
    if "\0" in text or replaced > _MOST_REPLACED * len(text):
        raise refused(f"{what} is not UTF-8 text{way_out}")
    if replaced and "\ufffd".encode() not in data:
        say(f"asyncllm: {what} has bytes that are not UTF-8: {replaced} of them became \ufffd")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _has_something() -> bool:
    """Tell whether something or the end has come, at the latest after some seconds."""
    if sys.platform == "win32":  # where only sockets can be asked
        return True
    try:
        number = sys.stdin.fileno()
        kind = os.fstat(number).st_mode
    except (OSError, ValueError):  # it is no file of the system's
        return True
    is_fed = stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)
    return not is_fed or bool(select.select([number], [], [], _PATIENCE_SECONDS)[0])
