"""How long a request may take that no stream waits for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def in_time(request: Awaitable[None], seconds: float) -> None:
    """Wait for a request, though not for ever.

    Raises:
        TimeoutError: it took longer, which the error says in words; or what `request` raises.

    """
    try:
        async with asyncio.timeout(seconds):  # has no name: it holds the task, and so its failure
            return await request
    except TimeoutError as error:
        if isinstance(error, AsyncLLMError):
            raise  # a StreamTimeout of the request's own
    raise TimeoutError(f"no answer within {seconds:g} s")
