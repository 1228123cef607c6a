"""`Ending`: how an answer has ended, told to whoever reads on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from asyncllm.stream.waiting import wait_through

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Ending:
    """How an answer has ended; what it held may still be on its way back.

    Args:
        error: what ended it; None where it ended quietly.

    """

    __slots__ = ("_error", "_giving_back", "_traceback")

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self._traceback = None if error is None else error.__traceback__
        self._giving_back: asyncio.Task[None] | None = None

    def give_back(self, work: Coroutine[object, object, None]) -> None:
        """Have a task do `work`, which gives back what the answer held."""
        self._giving_back = asyncio.create_task(work)

    async def wait(self) -> None:
        """Wait until nothing is held."""
        if self._giving_back is not None:
            await wait_through(self._giving_back)

    async def tell(self) -> bool:
        """Wait until nothing is held, and return False where the answer has ended quietly.

        Raises:
            Exception: what ended it.

        """
        await self.wait()
        if self._error is None:
            return False
        raise self._error.with_traceback(self._traceback)  # which each raise would lengthen
