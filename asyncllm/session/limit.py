"""How long a request may take that no stream waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def in_time(request: Awaitable[None], seconds: float) -> None:
    """Wait for a request, though not for ever.

    Raises:
        TimeoutError: it took longer, which the error says in words; or what `request` raises.

    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await request
    except TimeoutError:
        if not limit.expired():
            raise  # the request's own: StreamTimeout is a TimeoutError too
    raise TimeoutError(f"no answer within {seconds:g} s")
