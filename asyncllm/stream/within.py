"""The limit of what is asked of a server and is no stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from asyncllm.errors import StreamTimeout

if TYPE_CHECKING:
    from collections.abc import Awaitable

_T = TypeVar("_T")


async def within(first_token: float | None, work: Awaitable[_T]) -> _T:
    """Return what `work` returns, which is no stream, within the limit of a first token.

    Raises:
        StreamTimeout: it takes longer.

    """
    limited = asyncio.timeout(first_token)
    try:
        async with limited:
            return await work
    except TimeoutError:
        if not limited.expired():
            raise
    raise StreamTimeout("first_token", first_token or 0.0)
