"""What was left on servers where nobody holds it any more, and only an `Entry` stands for it."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError, ConfigurationError
from asyncllm.session.deletions import Deletion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncllm.http.entries import Entry
    from asyncllm.session.deletions import Deletions
    from asyncllm.session.holdings import Holdings
    from asyncllm.session.ledger import Ledger
    from asyncllm.stream.waiting import OwnedTasks

log = logging.getLogger("asyncllm")


class Leftovers:
    """Deletes what dead processes have left, and what lost answers have.

    Args:
        tasks: who owns the tasks that delete.
        deletions: deletes, and keeps what could not be deleted.
        clean_up: deletes what an entry stands for, once.

    """

    def __init__(
        self,
        tasks: OwnedTasks,
        deletions: Deletions,
        clean_up: Callable[[Entry], Awaitable[None]],
    ) -> None:
        self._tasks = tasks
        self._deletions = deletions
        self._clean_up = clean_up
        self._emptying: list[tuple[str, asyncio.Task[None]]] = []

    async def inherit(self, ledger: Ledger) -> None:
        """Delete what dead processes have left: what they knew of, then what else there is."""
        left = await ledger.take_over()
        for is_session in (False, True):
            deleting = [
                self._start_deleting(
                    entry,
                    f"{entry.url} of a dead process",
                    strike_out=partial(ledger.remove, entry.url),
                    give_up=partial(ledger.leave, entry.url),
                )
                for entry in left
                if entry.is_session is is_session
            ]
            if deleting:
                await asyncio.wait(deleting)  # each has a limit of its own

    def empty(self, holdings: Holdings) -> None:
        """Begin to delete what may have been created though the answer to it was lost."""
        for session in holdings.uncertain:
            what = f"what was perhaps created in {session.url}"
            emptying = self._start_deleting(
                session,
                what,
                strike_out=partial(holdings.settle, session),
                give_up=partial(holdings.leave, session),
            )
            self._emptying.append((what, emptying))

    def report(self) -> None:
        """Log what `empty` has not come to the end of, once no task is at work any more."""
        for what, emptying in self._emptying:
            if emptying.cancelled():
                log.warning("%s: not deleted within the manager's grace", what)

    def _start_deleting(
        self,
        entry: Entry,
        what: str,
        *,
        strike_out: Callable[[], None],
        give_up: Callable[[], None],
    ) -> asyncio.Task[None]:
        send = partial(self._send, entry)
        deletion = Deletion(what, lambda: entry.place, send, strike_out, give_up)
        return self._tasks.start(self._deletions.delete(deletion))

    async def _send(self, entry: Entry) -> None:
        """Delete what `entry` stands for, once; one that can't be sent must not stop the others."""
        try:
            return await self._clean_up(entry)
        except AsyncLLMError:
            raise
        except ValueError:
            pass  # its text may quote the entry, which holds secrets
        raise ConfigurationError("its recorded request can't be sent")
