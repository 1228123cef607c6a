"""Readers of sockets on uvloop, which are called until their sockets have no more to say."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Readers:
    """Has an event loop call readers, also of sockets that were reset.

    uvloop calls a reader once more when its socket is reset, and never again. A reader that finds
    bytes then, as where a server answers and hangs up on what it has not read, would wait for ever.

    Args:
        loop: uvloop's event loop.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._readers: dict[int, _Reader] = {}

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Have `callback` called whenever a socket can be read from."""
        reader = self._readers[descriptor] = _Reader(self._loop, descriptor, callback)
        self._loop.add_reader(descriptor, reader)

    def remove_reader(self, descriptor: int) -> bool:
        """Have it called no more; False where it was not to be."""
        if (reader := self._readers.pop(descriptor, None)) is not None:
            reader.is_removed = True
        return self._loop.remove_reader(descriptor)


class _Reader:
    __slots__ = ("_callback", "_loop", "_poll", "is_removed")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, descriptor: int, callback: Callable[[], object]
    ) -> None:
        self._loop = loop
        self._callback = callback
        self._poll = select.poll()
        self._poll.register(descriptor, 0)  # of errors and hanging up it tells all the same
        self.is_removed = False

    def __call__(self) -> None:
        if self.is_removed:
            return
        self._callback()
        if not self.is_removed and self._poll.poll(0):
            self._loop.call_soon(self)
