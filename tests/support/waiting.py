"""Waiting for what has no event of its own."""

import asyncio


async def until(condition):
    """Wait until `condition()` holds, for half a minute at the most."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)
