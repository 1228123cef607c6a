"""`Reader`: the task that waits in a read, and the cancellation by which others end that read."""

from __future__ import annotations

import asyncio
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncllm.errors import AsyncLLMError

_AGAIN_SECONDS = 0.05
_ELSEWHERE = "this stream belongs to another event loop: use it there"


class Reader:
    """The task that waits in a read of a stream, while one does.

    Its read is ended early as `asyncio.timeout` does it: the task is cancelled, and takes that
    cancellation back. Where somebody else has cancelled it too, it stays cancelled.

    It belongs to the event loop in which it was made.

    Attributes:
        is_interrupted: whether its read was ended early.
        why: the error of which an interrupted reader is told; None where its stream ends quietly.

    """

    __slots__ = ("_cancelling", "_gone", "_loop", "_task", "_thread", "is_interrupted", "why")

    def __init__(self) -> None:
        self.is_interrupted = False
        self.why: AsyncLLMError | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0  # how often the task had been cancelled before it read
        self._gone: asyncio.Event | None = None  # made when somebody waits for it

    def check_loop(self) -> None:
        """Check that the caller runs in the reader's own event loop.

        Raises:
            RuntimeError: it does not.

        """
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(_ELSEWHERE)

    def enter(self) -> None:
        """Say that the running task waits in a read from now on.

        Raises:
            RuntimeError: it runs in another event loop.

        """
        # The thread first: whoever asks in another one is told what runs in this loop meanwhile.
        # The loop is given, as to find the running one takes long up to Python 3.11.
        task = asyncio.current_task(self._loop) if get_ident() == self._thread else None
        if task is None:
            raise RuntimeError(_ELSEWHERE)
        self._task = task
        self._cancelling = task.cancelling()

    def interrupt(self, why: AsyncLLMError | None) -> None:
        """Make the read end now, or, where something in it is being cancelled, soon."""
        task = self._task
        if task is None or self.is_interrupted:
            return
        if task.cancelling() <= self._cancelling:
            self.is_interrupted, self.why = True, why
            task.cancel()
        else:
            # One that somebody else has cancelled is about to end, and to say so; to cancel it
            # once more would replace what its cancellation says. It goes on where that was a
            # timeout within its own read.
            self._loop.call_later(_AGAIN_SECONDS, self.interrupt, why)

    def leave(self) -> bool:
        """Say that the read is over; tell whether it was interrupted, and cancelled by nobody."""
        task, self._task = self._task, None
        if self._gone is not None:
            self._gone.set()
            self._gone = None
        if task is None or not self.is_interrupted:
            return False
        return task.uncancel() <= self._cancelling

    def leave_by(self, error: BaseException) -> bool:
        """Say that `error` has ended the read; tell whether it is more than an end or our own."""
        is_ours_alone = self.leave()
        if isinstance(error, asyncio.CancelledError):
            return not is_ours_alone
        return not isinstance(error, StopAsyncIteration)

    async def wait_until_gone(self) -> None:
        """Wait until the read is over."""
        if self._task is not None:
            self._gone = self._gone or asyncio.Event()
            await self._gone.wait()
