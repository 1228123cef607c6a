"""The limits of a stream, watched with one lazy timer instead of one for each read."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Protocol

from asyncllm.errors import StreamTimeout

if TYPE_CHECKING:
    from weakref import ReferenceType

    from asyncllm.options import Timeouts


class Stoppable(Protocol):
    """What ends when a limit is over."""

    def stop(self, error: StreamTimeout) -> None:
        """End now, by `error`."""


class Watchdog:
    """Stops `whom` when its caller has waited longer than `timeouts` allow, or `total` is over.

    Only waiting counts: while the caller does something else between two reads, neither
    `first_token` nor `stall` runs; `total` does, and has a timer of its own. Their timer, where it
    fires too early, as it was set before the newest content came, sets itself anew for what is
    left. So a read costs a look at the clock, and no timer.

    It belongs to the event loop in which it was made.
    """

    __slots__ = (
        "_budget",
        "_limit",
        "_loop",
        "_phase",
        "_stall",
        "_timer",
        "_total_timer",
        "_waiting_since",
        "_whom",
    )

    def __init__(self, timeouts: Timeouts, whom: ReferenceType[Stoppable]) -> None:
        self._whom = whom
        self._loop = asyncio.get_running_loop()
        self._phase, self._limit = "first_token", _or_never(timeouts.first_token)
        self._budget = self._limit
        self._stall = _or_never(timeouts.stall)
        self._waiting_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._total_timer: asyncio.TimerHandle | None = None
        if timeouts.total is not None:
            error = StreamTimeout("total", timeouts.total)
            self._total_timer = self._loop.call_later(timeouts.total, self._give_up, error)

    def wait(self) -> None:
        """Say that the caller waits from now on."""
        self._waiting_since = now = self._loop.time()
        if self._timer is None:
            self._set_timer(now)

    def arrived(self, *, content: bool) -> None:
        """Say that the wait is over; `content` gives the next one its full time again."""
        since, self._waiting_since = self._waiting_since, None
        if content:
            if self._phase == "first_token":
                # The limit has changed, perhaps to a shorter one than the timer was set for.
                self._phase, self._limit = "stall", self._stall
                self._drop_timer()
            self._budget = self._stall
        elif since is not None:
            self._budget -= self._loop.time() - since

    def stop(self) -> None:
        """Let go of the timers."""
        self._drop_timer()
        if self._total_timer is not None:
            self._total_timer.cancel()
            self._total_timer = None

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, waiting_since: float) -> None:
        when = waiting_since + self._budget
        self._timer = None if when == math.inf else self._loop.call_at(when, self._fired)

    def _fired(self) -> None:
        self._timer = None
        since, now = self._waiting_since, self._loop.time()
        if since is None:
            pass  # nobody waits; the next wait sets the timer
        elif now >= since + self._budget:
            self._give_up(StreamTimeout(self._phase, self._limit))
        else:
            self._set_timer(since)

    def _give_up(self, timeout: StreamTimeout) -> None:
        self.stop()
        if (whom := self._whom()) is not None:
            whom.stop(timeout)


def _or_never(limit: float | None) -> float:
    return math.inf if limit is None else limit
