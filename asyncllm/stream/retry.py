"""Trying again what failed for a passing reason."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, TypeVar

from asyncllm.errors import AsyncLLMError, HTTPStatusError, let_go

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asyncllm.options import Retry

log = logging.getLogger("asyncllm")

_T = TypeVar("_T")


async def retrying(
    work: Callable[[], Awaitable[_T]], retry: Retry, what: str, secrets: Sequence[str] = ()
) -> _T:
    """Return what `work()` returns, trying it again while it fails for a passing reason.

    Args:
        work: what to do; called once for each attempt.
        retry: how often and after how long.
        what: names the work in the log.
        secrets: what to mask in the errors of the attempts.

    Raises:
        AsyncLLMError: that of the last attempt.

    """
    attempt, back_off = 0, retry.initial_wait
    while True:
        attempt += 1
        try:
            return await work()
        except AsyncLLMError as error:
            error.redact(secrets)  # here, as it is logged before it gets further
            is_last = attempt == retry.attempts or not error.is_passing
            if attempt == 1 and is_last:
                raise
            log.info("%s: attempt %d of %d failed: %s", what, attempt, retry.attempts, error)
            if is_last:
                raise
            asked = error.retry_after if isinstance(error, HTTPStatusError) else None
            let_go(error)  # its traceback would keep alive what the attempt held
        own = back_off + random.uniform(0, retry.initial_wait)  # noqa: S311 - no secret
        await asyncio.sleep(min(max(own, asked or 0.0), retry.max_wait))
        back_off = min(2 * back_off, retry.max_wait)
