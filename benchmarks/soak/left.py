"""What there is after a run, and what of it should not be there."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asyncllm import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FLAT = 1.1, 4.0  # the most that memory may grow to: as a factor, and in MiB above it


def memory() -> float:
    """Return the resident memory of this process, in MiB, without what is free for later use."""
    gc.collect()
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if give_back is not None:
        give_back(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    """Return how many descriptors this process has open, but for uvloop's of nothing."""
    return sum(_target(number) != os.devnull for number in os.listdir("/proc/self/fd"))  # noqa: PTH208


def _target(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - no file has this name
    except FileNotFoundError:
        return os.devnull  # the one by which we look, or one that another thread has closed


def streams() -> int:
    """Return how many streams are alive, ended or not."""
    gc.collect()
    return sum(isinstance(thing, Stream) for thing in gc.get_objects())


def rows_of(path: Path) -> int:
    """Return how many rows an SDK's ledger has; none where there is no such file."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=20)) as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        return sum(db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables)  # noqa: S608


async def fewest(number: Callable[[], int], wanted: int) -> int:
    """Return the number when it is as small as wanted, or what it is after a second.

    What the server does on its own thread, such as ending a generation, takes a moment.
    """
    deadline = time.monotonic() + 1
    while number() > wanted and time.monotonic() < deadline:  # noqa: ASYNC110 - not of this loop
        await asyncio.sleep(0.01)
    return number()


async def settle() -> int:
    """Wait until no task but this one is left, and return how many there still are."""
    deadline, left, quiet = time.monotonic() + 10, 0, 0
    # What the garbage collector finds begins to end one turn of the loop later.
    while quiet < 3 and time.monotonic() < deadline:  # noqa: PLR2004
        gc.collect()
        await asyncio.sleep(0.02)
        left = len(asyncio.all_tasks()) - 1
        quiet = 0 if left else quiet + 1
    return left


@dataclass(frozen=True)
class Left:
    """What is there after the end.

    Attributes:
        conversations: those that the server still has.
        undeleted: those that a stream has used, in any life of the server, and whose deletion
            was never asked for.
        generating: answers that the server goes on with.
        tasks: of the event loop.
        streams: `Stream` objects that something holds on to.
        descriptors: open ones beside an idle server, before and after.
        rows: of the SDK's ledger.
        memory: MiB, when warm, or None in a run too short for it, and at the end.
        standstill: seconds for which the event loop stood still at the longest.

    """

    conversations: int
    undeleted: int
    generating: int
    tasks: int
    streams: int
    descriptors: tuple[int, int]
    rows: int
    memory: tuple[float | None, float]
    standstill: float

    def complaints(self) -> Iterator[str]:
        """Say what of it should not be there."""
        for name in ("conversations", "undeleted", "tasks", "streams", "rows"):
            if left := getattr(self, name):
                yield f"{name} are left: {left}"
        before, after = self.descriptors
        if after > before:
            yield f"descriptors are left: {after - before}"
        warm, last = self.memory
        factor, above = _FLAT
        if warm is not None and last > warm * factor + above:
            yield f"memory has grown: from {warm:.0f} to {last:.0f} MiB"
