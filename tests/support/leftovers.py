"""What a test may have left behind: tasks and open files."""

import asyncio
import gc
from pathlib import Path


async def settled(*, but: int = 1) -> None:
    """Wait until no task but those of the test itself is left."""
    async with asyncio.timeout(30):
        while len(asyncio.all_tasks()) > but:
            gc.collect()
            await asyncio.sleep(0)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
