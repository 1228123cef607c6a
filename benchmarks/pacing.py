"""The load server's paced streams: who gets a token when."""

from __future__ import annotations

import asyncio
from typing import Protocol

RATE = 20  # tokens a second of each paced stream

_TICK = 0.001
_SLOTS = round(1 / RATE / _TICK)


class Stamped(Protocol):
    """A stream whose tokens say when they were sent."""

    def send_stamp(self) -> None:
        """Send a token that says when."""


class Crowd:
    """The paced streams of one client; the first `active` of them get tokens.

    They are spread evenly over the milliseconds of a period.

    Attributes:
        active: how many streams get tokens.
        lag: the longest that a tick was late since the last change, in seconds.

    """

    def __init__(self) -> None:
        self.active = 0
        self.lag = 0.0
        self._size = 0
        self._slots: list[list[tuple[int, Stamped]]] = [[] for _ in range(_SLOTS)]
        self._slot = 0
        self._next_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def join(self, connection: Stamped) -> None:
        """Add a stream."""
        self._slots[self._size % _SLOTS].append((self._size, connection))
        self._size += 1

    def leave(self, connection: Stamped) -> None:
        """Forget a stream."""
        for slot in self._slots:
            slot[:] = [member for member in slot if member[1] is not connection]

    def pace(self, active: int) -> None:
        """Give tokens to `active` streams from now on."""
        loop = asyncio.get_running_loop()
        self.active, self.lag = active, 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if active:
            self._next_at = loop.time() + _TICK
            self._timer = loop.call_at(self._next_at, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.lag = max(self.lag, loop.time() - self._next_at)
        while self._next_at <= loop.time():
            for index, connection in self._slots[self._slot]:
                if index < self.active:
                    connection.send_stamp()
            self._slot = (self._slot + 1) % _SLOTS
            self._next_at += _TICK
        self._timer = loop.call_at(self._next_at, self._tick)
