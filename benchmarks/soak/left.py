"""What there is after a run, and what of it should not be there."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asyncllm import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncllm.sandbox import Sandbox

_FLAT = 1.1, 8.0  # the most that memory may grow to: as a factor, and in MiB above it


def memory() -> float:
    """Return the resident memory of this process, in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def streams() -> int:
    """Return how many streams are alive, ended or not."""
    gc.collect()
    return sum(isinstance(thing, Stream) for thing in gc.get_objects())


async def running_generations(sandbox: Sandbox) -> int:
    """Wait for answers that are still being generated, and return how many go on."""
    deadline = time.monotonic() + 1
    while sandbox.generating and time.monotonic() < deadline:  # noqa: ASYNC110 - another thread's
        await asyncio.sleep(0.01)
    return sandbox.generating


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
        descriptors: open ones, before and after.
        memory: MiB, when warm and at the end.

    """

    conversations: int
    undeleted: int
    generating: int
    tasks: int
    streams: int
    descriptors: tuple[int, int]
    memory: tuple[float, float]

    def complaints(self) -> Iterator[str]:
        """Say what of it should not be there."""
        for name in ("conversations", "undeleted", "tasks", "streams"):
            if left := getattr(self, name):
                yield f"{name} are left: {left}"
        before, after = self.descriptors
        if after > before:
            yield f"descriptors are left: {after - before}"
        warm, last = self.memory
        factor, above = _FLAT
        if last > warm * factor + above:
            yield f"memory has grown: from {warm:.0f} to {last:.0f} MiB"
