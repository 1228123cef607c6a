"""Waiting for what has no event of its own."""

import asyncio


async def until(condition, *, within=30.0):
    """Wait until `condition()` holds, and return how many seconds it took."""
    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.timeout(within):
        while not condition():
            # Not 0: what is waited for may happen on another thread, or in another process.
            await asyncio.sleep(0.001)
    return clock() - began
