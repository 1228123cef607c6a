"""How an answer is shown while it comes: as Markdown on a terminal, or as it is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Protocol, TextIO

from asyncllm.cli.markdown import Planner
from asyncllm.cli.markdown_lines import Painter
from asyncllm.cli.tail import Tail
from asyncllm.cli.text import harmless, shown, write

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping

    from asyncllm.cli.markdown import Piece

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SECONDS_A_FRAME = 0.1
_SECONDS_BETWEEN = 0.04  # two drawings; on a slow machine more, so that drawing is a quarter of it
_AT_MOST = 4000  # characters of reasoning, of whose end one line is shown


class View(Protocol):
    """What is told of an answer while it comes."""

    def text(self, text: str) -> None:
        """Show a piece of the answer."""

    def reasoning(self, text: str) -> None:
        """Show a piece of the model's thinking."""

    def note(self, text: str) -> None:
        """Show a line that is no part of the answer."""

    def source(self, url: str, title: str) -> None:
        """Show a source that the answer names."""

    def restart(self) -> None:
        """Show that what came is taken back."""


class PlainView:
    """Writes an answer as it is.

    Args:
        output: where to.
        begin: called before something is written.

    """

    def __init__(self, output: TextIO, begin: Callable[[], None]) -> None:
        self._output, self._begin = output, begin
        self._ends_line = True
        self._sources: dict[str, str] = {}

    def text(self, text: str) -> None:
        """Write a piece of the answer."""
        if text:
            self._begin()
            write(harmless(text, self._output), self._output)
            self._ends_line = text.endswith("\n")

    def reasoning(self, text: str) -> None:
        """Leave it out: it is no part of the answer."""

    def note(self, text: str) -> None:
        """Write a line to standard error."""
        self._begin()
        self._end_line()
        tell(text)

    def source(self, url: str, title: str) -> None:
        """Keep it for the end."""
        self._sources[url] = title

    def restart(self) -> None:
        """Say so: what has been written can't be taken back."""
        self.note(RESTARTED)

    def end(self) -> None:
        """End the last line, and write the sources to standard error."""
        self._end_line()
        for line in _listed(self._sources):
            tell(line)

    def _end_line(self) -> None:
        if not self._ends_line:
            self.text("\n")


def _listed(sources: Mapping[str, str]) -> list[str]:
    return [f"[{number}] {title} {url}" for number, (url, title) in enumerate(sources.items(), 1)]


RESTARTED = "The server took back what is above, and begins anew:"


class TerminalView:
    """Draws an answer on a terminal: what has ended once, and what still changes again and again.

    Args:
        output: the terminal.
        label: who is waited for.

    """

    def __init__(self, output: TextIO, label: str) -> None:
        self._output, self._label = output, label
        self._planner, self._tail = Planner(), Tail()
        self._pieces: list[Piece] = []  # which have ended, and are not drawn yet
        self._above: list[str] = []  # lines to print above them
        self._sources: dict[str, str] = {}
        self._reasoning, self._began = "", time.monotonic()
        self._thinking_since: float | None = None
        self._is_waiting, self._is_thinking = True, False
        self._changed = asyncio.Event()
        self._painter = self._new_painter()

    def text(self, text: str) -> None:
        """Show a piece of the answer."""
        if self._thinking_since is not None:
            seconds = time.monotonic() - self._thinking_since
            self._flush()
            self._above.append(self._folded(seconds))
            self._thinking_since = None
        self._is_waiting = self._is_thinking = False
        self._pieces += self._planner.feed(shown(text))
        self._changed.set()

    def reasoning(self, text: str) -> None:
        """Show the end of the model's thinking in a line, which goes when the answer begins."""
        if not self._reasoning:
            self._thinking_since = time.monotonic()
        self._reasoning = (self._reasoning + text)[-_AT_MOST:]
        self._is_waiting, self._is_thinking = False, True
        self._changed.set()

    def note(self, text: str) -> None:
        """Show a line that is no part of the answer."""
        self._end_block()
        self._above += self._painter.plain_lines(text, "dim")
        self._changed.set()

    def source(self, url: str, title: str) -> None:
        """Keep it for the end."""
        self._sources[url] = title

    def restart(self) -> None:
        """Say so: what has been printed can't be taken back."""
        self.note(RESTARTED)

    @contextlib.asynccontextmanager
    async def drawn(self) -> AsyncGenerator[None]:
        """Draw within the block whatever changes, and at its end what is left."""
        loop = asyncio.get_running_loop()
        with _told_of_resizing(loop, self._resized):
            drawing = loop.create_task(self._draw_on())
            try:
                yield
            finally:
                drawing.cancel()
                try:
                    await asyncio.wait([drawing])
                finally:
                    self._finish()

    async def _draw_on(self) -> None:
        while True:
            began = time.monotonic()
            self._changed.clear()
            self._draw()
            cost = time.monotonic() - began
            await asyncio.sleep(max(_SECONDS_BETWEEN, 3 * cost))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS_A_FRAME if self._is_waiting else None):
                    await self._changed.wait()

    def _draw(self) -> None:
        changing = self._painter.lines(self._planner.tail())
        if self._is_waiting:
            seconds = time.monotonic() - self._began
            frame = _FRAMES[int(seconds / _SECONDS_A_FRAME) % len(_FRAMES)]
            changing.append(self._painter.one_line(f"{frame} {self._label} {seconds:.0f} s", "dim"))
        elif self._is_thinking:
            changing.append(self._painter.one_line(self._reasoning, "dim italic"))
        self._write(self._tail.draw(self._take_ended(), changing, self._height))

    def _finish(self) -> None:
        if self._thinking_since is not None:
            self._above.append(self._folded(time.monotonic() - self._thinking_since))
        self._end_block()
        for line in _listed(self._sources):
            self._above += self._painter.plain_lines(line, "dim")
        self._write(self._tail.close(self._take_ended()))

    def _end_block(self) -> None:
        self._pieces += self._planner.close()
        self._flush()
        self._planner = Planner()

    def _flush(self) -> None:
        self._above += self._painter.lines(self._pieces)
        self._pieces.clear()

    def _take_ended(self) -> list[str]:
        self._flush()
        ended, self._above = self._above, []
        return ended

    def _folded(self, seconds: float) -> str:
        return self._painter.one_line(f"▸ thought for {seconds:.0f} s (/reasoning shows it)", "dim")

    def _resized(self) -> None:
        self._painter = self._new_painter()
        self._tail.resized()
        self._changed.set()

    def _new_painter(self) -> Painter:
        columns, self._height = _size_of(self._output)
        # The last column stays free: what a terminal does behind it differs.
        return Painter(columns - 1, has_colours="NO_COLOR" not in os.environ)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that has gone has ended us by a signal
            write(text, self._output)


def tell(text: str) -> None:
    """Write a line that is no part of an answer to standard error; dim on a terminal."""
    text = harmless(text, sys.stderr)
    is_dim = sys.stderr.isatty() and knows_escapes()
    write(f"\x1b[2m{text}\x1b[0m\n" if is_dim else f"{text}\n", sys.stderr)


def can_draw(output: TextIO) -> bool:
    """Tell whether Markdown can be drawn there: it is a terminal that knows how."""
    return output.isatty() and knows_escapes() and output.encoding.lower().startswith("utf")


def knows_escapes() -> bool:
    """Tell whether the terminal says that it knows escape sequences."""
    return sys.platform == "win32" or os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


def _size_of(output: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(output.fileno())
    except OSError:
        return 80, 24
    return size.columns or 80, size.lines or 24


@contextlib.contextmanager
def _told_of_resizing(
    loop: asyncio.AbstractEventLoop, resized: Callable[[], None]
) -> Generator[None]:
    if sys.platform == "win32":  # which has no such signal
        yield
        return
    try:
        loop.add_signal_handler(signal.SIGWINCH, resized)
    except (RuntimeError, ValueError):  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
