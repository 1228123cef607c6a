"""Waiting for what must be done, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import anyio

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
