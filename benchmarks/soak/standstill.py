"""How long the event loop stood still, beside a clock that says how late the machine itself is.

The clock is a process of its own: what holds the interpreter's lock holds up each of its threads.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from benchmarks.soak.ledger import Ledger

_TICK = 0.02  # seconds
_MOST = 1.0  # seconds that the loop may stand still: the import of what retries takes the longest
_FOR_LATENESS = 5  # a loop that works shares a busy processor; the clock, which sleeps, need not
_KEPT = 10_000
_CLOCK = """
import sys, time
while True:
    due = time.monotonic() + 0.02
    time.sleep(0.02)
    late = time.monotonic() - due
    if late > 0.02:
        print(due, late, flush=True)
"""


class Standstill:
    """Watches the event loop in which it is started, until `stop`.

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
        self._clock = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", _CLOCK], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        self._machine: deque[tuple[float, float]] = deque(maxlen=_KEPT)  # when, how late
        self._stood: list[tuple[float, float, str]] = []  # when, until when, where
        self._where = ""
        self._is_over = False
        self._due = time.monotonic() + _TICK
        self._timer = self._loop.call_later(_TICK, self._tick)
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._read, self._look)
        ]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def forgiven(self) -> Generator[None]:
        """Do what holds up the loop and is no part of what is watched."""
        yield
        self._due = time.monotonic() + _TICK

    def stop(self) -> None:
        """Stop watching, and complain of the times that the machine does not explain."""
        self._timer.cancel()
        self._is_over = True
        self._clock.terminate()
        for thread in self._threads:
            thread.join()
        self._clock.wait()
        assert self._clock.stdout is not None
        self._clock.stdout.close()
        for began, ended, where in self._stood:
            late = max((late for at, late in self._machine if began - late < at < ended), default=0)
            if ended - began > _MOST + _FOR_LATENESS * late:
                self._ledger.complain(
                    f"the event loop stood still: {ended - began:.2f} s, "
                    f"the machine's clock {late:.2f} s late, in {where}"
                )

    def _tick(self) -> None:
        now = time.monotonic()
        self.longest = max(self.longest, now - self._due)
        if now - self._due > _MOST:
            self._stood.append((self._due, now, self._where))
        self._where = ""
        self._due = now + _TICK
        self._timer = self._loop.call_later(_TICK, self._tick)

    def _look(self) -> None:
        """Note, from a thread, where the loop stands still."""
        while not self._is_over:
            time.sleep(_TICK)
            if not self._where and time.monotonic() - self._due > _MOST / 2:
                frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - its documented use
                stack = traceback.extract_stack(frame)
                ours = [
                    f"{each.filename}:{each.lineno}" for each in stack if "asyncllm" in str(each)
                ]
                self._where = " < ".join(reversed(ours[-3:])) or str(stack[-1:])

    def _read(self) -> None:
        """Read, in a thread, how late the clock was."""
        assert self._clock.stdout is not None
        for line in self._clock.stdout:
            at, late = line.split()
            self._machine.append((float(at), float(late)))
