"""How long the event loop stood still, beside what the machine itself took from it.

A timer beside it would not do: one in this process waits for the interpreter's lock as the loop
does, and one in another sleeps, and is woken in time, also where a loop that works has to share its
processor. The kernel knows how long each thread was ready to run and did not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.soak.ledger import Ledger

_TICK = 0.05  # seconds
_MOST = 1.0  # seconds that the loop may stand still: the import of what retries takes the longest
_SHOWN = 3  # frames of where


class Standstill:
    """Watches the event loop in which it is made, until `stop`.

    Args:
        ledger: where to complain.

    Attributes:
        longest: seconds for which the loop stood still.

    """

    def __init__(self, ledger: Ledger) -> None:
        self.longest = 0.0
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._where = ""
        self._is_over = threading.Event()
        self._begin()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self._looking.start()

    @contextmanager
    def forgiven(self) -> Generator[None]:
        """Do what holds up the loop and is no part of what is watched."""
        self._timer.cancel()
        yield
        self._begin()

    def stop(self) -> None:
        """Stop watching."""
        self._timer.cancel()
        self._is_over.set()
        self._looking.join()

    def _begin(self) -> None:
        self._waited = _waited()
        self._due = time.monotonic() + _TICK
        self._timer = self._loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        late = time.monotonic() - self._due
        self.longest = max(self.longest, late)
        if late > _MOST:
            before = self._waited
            taken = sum(now - before.get(thread, 0) for thread, now in _waited().items()) / 1e9
            if late > _MOST + taken:
                self._ledger.complain(
                    f"the event loop stood still: {late:.2f} s, {taken:.2f} s of it for want of a "
                    f"processor, in {self._where}"
                )
        self._where = ""
        self._begin()

    def _look(self) -> None:
        """Note, from a thread, where the loop stands still."""
        while not self._is_over.wait(_TICK):
            if not self._where and time.monotonic() - self._due > _MOST / 2:
                stack = traceback.extract_stack(sys._current_frames().get(self._thread))  # noqa: SLF001 - as documented
                ours = [each for each in stack if f"{os.sep}asyncllm{os.sep}" in each.filename]
                shown = (ours or stack)[-_SHOWN:]
                self._where = " > ".join(f"{each.filename}:{each.lineno}" for each in shown)


def _waited() -> dict[str, int]:
    """Return for how many nanoseconds each thread of ours was ready to run and had no processor."""
    waited: dict[str, int] = {}
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - names are enough
        with contextlib.suppress(OSError):  # it has ended, or the kernel does not count
            text = Path(f"/proc/self/task/{thread}/schedstat").read_text("ascii")
            waited[thread] = int(text.split()[1])
    return waited
