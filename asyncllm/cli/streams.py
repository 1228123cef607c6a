"""Standard streams that are closed, or can't be written: a line for the user, and no traceback."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from asyncllm.cli.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAILED, _BROKEN_PIPE = 1, 141


@contextlib.contextmanager
def written_or_told() -> Iterator[None]:
    """Say in a line that standard output can't be written, such as on a full disk.

    Raises:
        SystemExit: it can't be written.
        OSError: it is another file that can't be used.

    """
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # or Python does so later, and gives a traceback
    except OSError as error:
        if error.filename is not None or error.strerror is None:
            raise
        if sys.stdout is not None:  # nothing more may be written at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise SystemExit(_BROKEN_PIPE) from None
        say(f"asyncllm: standard output can't be written: {error.strerror}")
        raise SystemExit(_FAILED) from None


def open_closed() -> None:
    """Open standard input and output where they are closed, with nothing behind them."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - until the end
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as above
