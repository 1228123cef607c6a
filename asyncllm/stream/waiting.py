"""Waiting for what must be done, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Coroutine

_T = TypeVar("_T")


async def wait_through(task: asyncio.Task[_T]) -> _T:
    """Return the result of `task`, waiting for it also while being cancelled.

    The cancellation is raised again once `task` is done. A cancel scope of anyio cancels again and
    again until it gets its way, hence the shield; `Task.cancel` does it once, hence the loop.
    """
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()


class OwnedTasks:
    """Tasks that outlive whoever started them, and end with their owner at the latest."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self, work: Coroutine[object, object, _T]) -> asyncio.Task[_T]:
        """Start `work` in a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def work_until(self, deadline: float) -> None:
        """Wait for all tasks, those that they start included, until `deadline` at the latest.

        Args:
            deadline: on the loop's clock.

        """
        now = asyncio.get_running_loop().time
        while self._tasks and (left := deadline - now()) > 0:
            await asyncio.wait(self._tasks, timeout=left)

    async def aclose(self, deadline: float) -> None:
        """Wait as `work_until` does, and cancel what is left then."""
        await self.work_until(deadline)
        while self._tasks:  # again and again: the end of one may have begun another
            for task in list(self._tasks):
                task.cancel()
            await asyncio.wait(self._tasks)
