"""What could not be deleted on a server: kept, and tried again for as long as the pool lives."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from asyncllm.errors import AsyncLLMError, NotFoundError, ProxyError
from asyncllm.session.limit import in_time
from asyncllm.stream.retry import retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from asyncllm.options import Retry
    from asyncllm.stream.waiting import OwnedTasks

log = logging.getLogger("asyncllm")

_AT_ONCE = 8


class Deletion(msgspec.Struct, frozen=True, eq=False):
    """Something on a server that is to go.

    Attributes:
        what: names it in the log.
        place: returns what fails together; see `Entry.place`. Few deletions fail: it is asked late.
        send: asks the server to delete it, once.
        strike_out: notes that it is gone; a plain function call.
        give_up: leaves it to others, where too much is kept already; a plain function call.

    """

    what: str
    place: Callable[[], Hashable]
    send: Callable[[], Awaitable[None]]
    strike_out: Callable[[], None]
    give_up: Callable[[], None]


class Deletions:
    """Deletes, and tries again what failed: for each place in turn, with back-off.

    The first of a place's queue is the probe. While it fails the rest of the queue waits, so that
    a server that is away is asked once in a while, however much is to be deleted there, and
    nothing waits for a proxy that it does not go through. Once it is gone, the rest goes several
    at a time, until one fails.

    Args:
        tasks: who owns the tasks that try again.
        retry: the policy for the first attempts, and the waits of all later ones.
        step: seconds that a deletion may take.
        most: how many failed ones are kept.

    """

    def __init__(self, tasks: OwnedTasks, *, retry: Retry, step: float, most: int = 10_000) -> None:
        self._tasks = tasks
        self._retry = retry
        self._step = step
        self._most = most
        self._closing = asyncio.Event()
        self._kept: set[Deletion] = set()
        self._queues: dict[Hashable, deque[Deletion]] = {}

    @property
    def are_closing(self) -> bool:
        """Whether what fails from now on is not tried again later."""
        return self._closing.is_set()

    async def delete(self, deletion: Deletion) -> None:
        """Delete, and keep it for later where that fails."""
        trying = retrying(lambda: _send(deletion), self._retry, f"deleting {deletion.what}")
        if (failure := await self._failure_of(trying)) is None:
            deletion.strike_out()
        else:
            self._keep(deletion, failure)

    def close(self) -> None:
        """Try everything that is kept once more, now; what fails from now on is not kept."""
        self._closing.set()

    def report(self) -> None:
        """Log what is still there, once no task is at work any more."""
        if self._kept:
            others = len(self._kept) - 1
            log.warning(
                "not deleted despite repeated attempts, and left to the ledger if there is one: "
                "%s%s",
                next(iter(self._kept)).what,
                f", and {others} more" if others else "",
            )

    def _keep(self, deletion: Deletion, failure: str) -> None:
        if self.are_closing:
            log.warning("%s: not deleted: %s", deletion.what, failure)
            return
        if len(self._kept) >= self._most:
            log.warning(
                "%s: not deleted: %s; %d others are waiting for a retry already, so it is left "
                "to the ledger if there is one",
                deletion.what,
                failure,
                self._most,
            )
            deletion.give_up()
            return
        log.warning("%s: not deleted: %s; it will be tried again", deletion.what, failure)
        self._kept.add(deletion)
        place = deletion.place()
        if (queue := self._queues.get(place)) is not None:
            queue.append(deletion)
            return
        queue = self._queues[place] = deque([deletion])
        self._tasks.start(self._work_off(place, queue))

    async def _work_off(self, place: Hashable, queue: deque[Deletion]) -> None:
        wait = self._retry.initial_wait
        while queue:
            if await self._closes_within(random.uniform(wait / 2, wait)):  # noqa: S311 - jitter
                await self._try_several(queue, is_last=True)
            elif await self._try_first(queue):
                wait = self._retry.initial_wait
                await self._try_several(queue, is_last=False)
            else:
                wait = min(2 * wait, self._retry.max_wait)
        del self._queues[place]

    async def _closes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return False
        return True

    async def _try_first(self, queue: deque[Deletion]) -> bool:
        """Try the first of `queue`, which goes to its end if that fails."""
        if is_gone := await self._try(queue[0]):
            queue.popleft()
        else:
            queue.rotate(-1)
        return is_gone

    async def _try_several(self, queue: deque[Deletion], *, is_last: bool) -> None:
        """Work off `queue`: the last time to its end, otherwise until one fails, which is kept."""
        failed: list[Deletion] = []

        async def work() -> None:
            while queue and (is_last or not failed):
                deletion = queue.popleft()
                if not await self._try(deletion):
                    failed.append(deletion)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        if not is_last:
            queue.extend(failed)

    async def _try(self, deletion: Deletion) -> bool:
        if (failure := await self._failure_of(_send(deletion))) is not None:
            log.info("%s: not deleted again: %s", deletion.what, failure)
            return False
        self._kept.discard(deletion)
        deletion.strike_out()
        return True

    async def _failure_of(self, deletion: Awaitable[None]) -> str | None:
        """Wait for a deletion, and return why it failed; None where it did not."""
        try:
            await in_time(deletion, self._step)
        except NotFoundError:
            return None  # somebody was faster, or the server has forgotten it
        except (AsyncLLMError, TimeoutError) as error:
            return str(error)
        return None


async def _send(deletion: Deletion) -> None:
    try:
        await deletion.send()
    except ProxyError as error:
        error.is_passing = True  # a request can be made anew another way, a deletion can't
        raise
