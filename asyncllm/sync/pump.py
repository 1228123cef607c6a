"""`Pump`: what is read in one thread's event loop, handed over to another thread.

It goes through a queue of bounded length, batch by batch. A KeyboardInterrupt can strike between
any two byte codes of the consumer, so no lock is held across a wait: the queue is a `SimpleQueue`,
and its bound is kept by two counters that one side each writes.
"""

from __future__ import annotations

import asyncio
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

from asyncllm.errors import ConfigurationError
from asyncllm.stream.stream import Stream
from asyncllm.sync.waiting import LOOK_UP_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asyncllm.sync.loop import Background

_T = TypeVar("_T")
_BATCHES_AHEAD = 16  # how many reads of the network a consumer may lag behind


class Pump(Generic[_T]):
    """Reads a source in the background loop and hands over batches, a bounded number ahead."""

    def __init__(self, source: AsyncIterator[_T] | Stream, background: Background) -> None:
        self._source = source
        self._background = background
        self._task: asyncio.Task[None] | None = None
        self._queue = SimpleQueue[list[_T] | BaseException | None]()
        self._given = 0  # written by the loop's thread only
        self._taken = 0  # written by the consumer's thread only
        self._room = asyncio.Event()
        self._has_ended = threading.Event()

    def start(self) -> None:
        """Begin to read, with the caller's context variables."""
        self._background.call(self._start)

    def cancel(self) -> None:
        """Make the reading end soon; from any thread, at any time."""
        if not self._has_ended.is_set():
            self._background.call(self._cancel)

    def wait(self) -> None:
        """Wait until the reading has ended and the source is closed."""
        if self._background.is_ours:
            while not self._has_ended.wait(LOOK_UP_SECONDS):
                pass

    def take(self) -> list[_T] | None:
        """Wait for the next batch; None at the end.

        Raises:
            ConfigurationError: the reading goes on in the process of which this is a fork.
            Exception: what ended the source.

        """
        if not self._background.is_ours:
            raise ConfigurationError(
                "this iterator belongs to the process that was forked: ask again in the child"
            )
        batch = self._next()
        self._taken += 1
        if not self._room.is_set():
            self._background.call(self._room.set)
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def _next(self) -> list[_T] | BaseException | None:
        while True:
            try:
                return self._queue.get(timeout=LOOK_UP_SECONDS)
            except Empty:
                pass

    def _start(self) -> None:
        self._room.set()
        self._task = asyncio.create_task(self._read())
        # Not in the task itself: one that is cancelled before its first step never takes it.
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _read(self) -> None:
        source = self._source
        try:
            if isinstance(source, Stream):
                while tokens := await source.read():
                    await self._give(tokens)
            else:
                async for item in source:
                    await self._give([item])
        finally:
            aclose = getattr(source, "aclose", None)
            if aclose is not None:
                with anyio.CancelScope(shield=True):
                    await aclose()

    async def _give(self, batch: list[Any]) -> None:
        """Hand a batch over; wait while the consumer lags behind."""
        self._given += 1
        self._queue.put(batch)
        while self._given - self._taken >= _BATCHES_AHEAD:
            self._room.clear()
            # Looked at again, as the consumer may have looked at `_room` just before.
            if self._given - self._taken >= _BATCHES_AHEAD:
                await self._room.wait()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._queue.put(None if task.cancelled() else task.exception())
        self._has_ended.set()
