"""What a chat needs of its terminal: Ctrl-C, a quiet keyboard, lines, a clipboard."""

from __future__ import annotations

import asyncio
import base64
import codecs
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from asyncllm.cli.chat_commands import goes_on, joined
from asyncllm.cli.chat_view import knows_escapes
from asyncllm.cli.text import write

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_CLIPBOARDS = (
    ("pbcopy",),
    ("wl-copy",),
    ("xclip", "-selection", "clipboard"),
    ("xsel", "--clipboard", "--input"),
    ("clip.exe",),
)
_NEEDS = {"wl-copy": "WAYLAND_DISPLAY", "xclip": "DISPLAY", "xsel": "DISPLAY"}
_CLIPBOARD_SECONDS = 5.0
_READ_BYTES = 65_536


@contextlib.contextmanager
def heard_interrupts(interrupt: Callable[[], None]) -> Generator[None]:
    """Have the running event loop hear of Ctrl-C within the block.

    Args:
        interrupt: called for each.

    """
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":  # whose loop is woken by signals all the same
        before = signal.signal(
            signal.SIGINT, lambda *_: loop.call_soon_threadsafe(interrupt) and None
        )
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        return
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


class blocking_interrupts:  # noqa: N801 - it is used as a function is
    """Have Ctrl-C raise `KeyboardInterrupt` in what blocks within the block, and the event loop.

    No generator: one that Ctrl-C left half-way would take things back at some later time.
    """

    def __enter__(self) -> None:
        self._is_main = threading.current_thread() is threading.main_thread()
        if self._is_main:
            self._awake = signal.set_wakeup_fd(-1)  # or the loop would hear of it as well, later
            self._before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._before)
            signal.set_wakeup_fd(self._awake, warn_on_full_buffer=False)


@contextlib.contextmanager
def quiet_keyboard() -> Generator[None]:
    """Keep what is typed within the block for the next prompt, and off the screen."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield
        return
    import termios  # noqa: PLC0415 - of some systems alone

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    quiet = termios.tcgetattr(number)
    quiet[0] &= ~termios.ICRNL  # or Enter would come as Ctrl-J
    quiet[3] &= ~(termios.ECHO | termios.ICANON)  # Ctrl-C still is a signal
    quiet[6][termios.VSUSP] = os.fpathconf(number, "PC_VDISABLE").to_bytes()  # for the prompt
    termios.tcsetattr(number, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):  # the terminal may have gone
            termios.tcsetattr(number, termios.TCSANOW, before)


class Lines:
    """Reads questions a line at a time: from a file or a pipe, or a terminal that can do no more.

    A thread reads, as neither a file nor every pipe can be waited for by an event loop. It reads no
    more than is asked for, and holds nothing that the end of the process would wait for.

    Args:
        prompt: what to write to standard error before each; "" for nothing.

    """

    def __init__(self, prompt: str = "") -> None:
        self._prompt = prompt
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pending = ""
        self._has_ended = False
        self._reading: asyncio.Future[bytes] | None = None
        self._interrupted: asyncio.Future[None] | None = None

    async def read(self, before: str = "") -> str:
        """Return the next question or command, with all its lines.

        Args:
            before: is for other terminals.

        Raises:
            EOFError: there is none.
            KeyboardInterrupt: Ctrl-C.

        """
        lines: list[str] = []
        while True:
            if self._prompt:
                write("… " if lines else self._prompt, sys.stderr)
            line = await self._line()
            if line is None:
                if not lines:
                    raise EOFError
                return joined(lines)
            lines.append(line)
            if not goes_on(joined(lines)):
                return joined(lines)

    def interrupt(self) -> None:
        """End `read`."""
        if self._interrupted is not None and not self._interrupted.done():
            self._interrupted.set_result(None)

    async def _line(self) -> str | None:
        while "\n" not in self._pending and not self._has_ended:
            data = await self._more()
            self._has_ended = not data
            self._pending += self._decoder.decode(data, final=not data)
        if not self._pending:
            return None
        line, _, self._pending = self._pending.partition("\n")
        return line.removesuffix("\r")

    async def _more(self) -> bytes:
        # After Ctrl-C the thread goes on to wait, and what it gets is the next one's.
        self._reading = reading = self._reading or _read_in_a_thread(sys.stdin.fileno())
        self._interrupted = asyncio.get_running_loop().create_future()
        either: list[asyncio.Future[Any]] = [reading, self._interrupted]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            raise KeyboardInterrupt
        self._reading = None
        return reading.result()


def _read_in_a_thread(number: int) -> asyncio.Future[bytes]:
    loop = asyncio.get_running_loop()
    read: asyncio.Future[bytes] = loop.create_future()

    def give(data: bytes) -> None:
        if not read.done():
            read.set_result(data)

    def work() -> None:
        try:
            data = os.read(number, _READ_BYTES)
        except OSError:
            data = b""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(give, data)

    threading.Thread(target=work, name="asyncllm-chat-input", daemon=True).start()
    return read


def copy(text: str) -> str:
    """Put a text into the clipboard, and return what to say about that.

    Args:
        text: the text.

    """
    for command in _CLIPBOARDS:
        variable = _NEEDS.get(command[0])
        path = shutil.which(command[0])
        if path is None or (variable and not os.environ.get(variable)):
            continue
        try:
            subprocess.run(  # noqa: S603 - one of our own list
                [path, *command[1:]],
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_CLIPBOARD_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return "Copied."
    if not sys.stdout.isatty():
        return "There is no clipboard here: /save FILE writes the chat to a file."
    packed = base64.b64encode(text.encode()).decode()
    sys.stdout.write(f"\x1b]52;c;{packed}\a")
    sys.stdout.flush()
    return "Sent to the terminal, which copies it where it allows that."


def has_prompt() -> bool:
    """Tell whether somebody can type at a prompt here, and see it."""
    is_seen = sys.stdout.isatty() or sys.stderr.isatty()
    return sys.stdin.isatty() and is_seen and knows_escapes()
