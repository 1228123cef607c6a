"""A command's work, run to its end, and the exit status that says how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import typer

from asyncllm.cli import INTERRUPTED
from asyncllm.cli.advice import RIGHT_SERVER
from asyncllm.cli.text import say
from asyncllm.errors import AsyncLLMError, ConfigurationError, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

FAILED = 1
WRONG_USAGE = 2
BROKEN_PIPE = 141

_OPTIONS = {"base_url": "--base-url ", "api_key": "--key ", "model": "-m ", "proxy": "--proxy "}
_AS_OPTIONS = re.compile(rf"\b({'|'.join(_OPTIONS)})=(?=[\s…,;:.'\"]|$)")
_IN_A_PROGRAM = re.compile(r" \(extra=\{[^}]*\} sends it anyway\)")  # -p has no such way
_NOT_TAKEN = re.compile(r"messages\[\d+\]\.content\[\d+\] is (?=.*\bthis provider takes\b)")
_A_MOMENT = 1.0  # seconds
_BY_SIGNAL = 128  # plus its number
_ENDING = () if sys.platform == "win32" else (signal.SIGTERM, signal.SIGHUP)


def run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run `work` to its end; what ends the program otherwise cancels it, as Ctrl-C does.

    Raises:
        Exit: it did not end well; one line on standard error says why.

    """
    received = list[int]()
    try:
        with ending_well(), asyncio.Runner() as runner, _woken_by_signals(runner.get_loop()):
            runner.run(_until_told_to_end(work(), received))
    except asyncio.CancelledError:
        if not received:
            raise
        raise typer.Exit(_BY_SIGNAL + received[0]) from None


@contextlib.contextmanager
def ending_well() -> Iterator[None]:
    """End a command with the status that says how its block ended.

    Raises:
        Exit: it did not end well; one line on standard error says why.

    """
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has gone, `| head` say; nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BROKEN_PIPE) from None
    except AsyncLLMError as error:
        say(f"asyncllm: {described(error)}")
        status = WRONG_USAGE if isinstance(error, ConfigurationError) else FAILED
        raise typer.Exit(status) from None


def described(error: AsyncLLMError) -> str:
    """Return what a user is told of an error, with the advice that is among its notes."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, ConfigurationError):  # which says how to write it in a program
        said = _IN_A_PROGRAM.sub("", str(error))
        said = _AS_OPTIONS.sub(lambda found: _OPTIONS[found[1]], said)
    notes = list[str](getattr(error, "__notes__", ()))
    if isinstance(error, ConfigurationError) and (part := _NOT_TAKEN.match(said)):
        said = f"what is attached is {said[part.end() :]}"
        notes = notes or ["-m chooses another provider"]
    if isinstance(error, TransportError) and not notes:
        notes = [RIGHT_SERVER]
    return "; ".join([said, *notes])


async def _until_told_to_end(work: Coroutine[object, object, None], received: list[int]) -> None:
    """Await `work`, and cancel it at a signal that would end the program, such as `timeout` sends.

    Ctrl-C is left to asyncio, and a signal that is ignored, as under `nohup`, is left alone.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def end(number: int) -> None:
        received.append(number)
        if task is not None:
            task.cancel()

    for number in _ENDING:
        if signal.getsignal(number) == signal.SIG_DFL:
            loop.add_signal_handler(number, end, number)
    with _one_press():
        await work


@contextlib.contextmanager
def _one_press() -> Iterator[None]:
    """Take Ctrl-C that comes twice within a moment for one, so that the first ends its work.

    asyncio gives up at the second, and the conversation would stay on the server. One that comes
    later does end all at once, and what asyncio has to say of that is nothing for a user.
    """
    handle, first = signal.getsignal(signal.SIGINT), list[float]()
    if not callable(handle):  # it is ignored, as in the background of a script
        yield
        return

    def press(number: int, frame: FrameType | None) -> None:
        if first and time.monotonic() - first[0] < _A_MOMENT:
            return
        if first:
            logging.getLogger("asyncio").disabled = True
        first.append(time.monotonic())
        handle(number, frame)

    signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handle)


@contextlib.contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have Ctrl-C wake the loop also where it comes the moment before the loop begins to wait.

    Python handles a signal between two of its instructions. One that comes behind the last of them
    would be handled with the next event, which may never come: here the signal itself is one.
    """
    if sys.platform == "win32":  # its loop does so by itself
        yield
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(0)
        loop.add_reader(ours, ours.recv, 4096)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(ours)
