"""A spinner on standard error while nothing has come yet, where that is a terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.status import Status

_PATIENCE_SECONDS = 0.3  # what comes sooner needs no spinner
_DUMB = {"dumb", "unknown"}


class Spinner:
    """A spinner within an `async with` block, until `stop`; where nobody can see it, nothing.

    Args:
        text: what stands beside it.

    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._status: Status | None = None
        self._start: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        is_seen = sys.stderr is not None and sys.stderr.isatty()
        if is_seen and os.environ.get("TERM", "").lower() not in _DUMB:
            loop = asyncio.get_running_loop()
            self._start = loop.call_later(_PATIENCE_SECONDS, self._spin)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take it away, and leave the terminal as it was; again: nothing."""
        if self._start is not None:
            self._start.cancel()
            self._start = None
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _spin(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - heavy, and often not needed
        from rich.text import Text  # noqa: PLC0415

        is_unicode = sys.stderr.encoding.lower().startswith("utf")
        self._status = Console(stderr=True).status(
            Text(self._text, style="dim"), spinner="dots" if is_unicode else "line"
        )
        self._status.start()
