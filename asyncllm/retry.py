"""What is tried again, and how long to wait before it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from asyncllm.errors import AsyncLLMError, HTTPStatusError, ProxyError, TransportError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from asyncllm.options import Retry

log = logging.getLogger("asyncllm")
# stamina logs each retry as a warning, which Python prints where nobody has set up logging: in
# scripts, that is, between the tokens. Whoever has set up logging still gets it.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_T = TypeVar("_T")
_PASSING_STATUSES = frozenset({408, 409, 425, 429, *range(500, 600)})


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

    async def attempt_once() -> _T:
        try:
            return await work()
        except AsyncLLMError as error:
            error.redact(secrets)  # here, as it is logged, by stamina too, before it gets further
            raise

    try:
        return await attempt_once()
    except AsyncLLMError as error:
        if retry.attempts == 1 or not is_passing(error):
            raise
        failure = error
    import stamina  # noqa: PLC0415 - imported and set up for the unlucky only

    def wait_before_next(error: Exception) -> bool | float:
        log.info("%s: attempt %d of %d failed: %s", what, attempt.num, retry.attempts, error)
        if not is_passing(error):
            return False
        asked = error.retry_after if isinstance(error, HTTPStatusError) else None
        return True if asked is None else min(asked, retry.max_wait)

    async for attempt in stamina.retry_context(
        on=wait_before_next,
        attempts=retry.attempts,
        timeout=None,
        wait_initial=retry.initial_wait,
        wait_max=retry.max_wait,
        wait_jitter=retry.initial_wait,
    ):
        with attempt:
            if attempt.num == 1:
                raise failure  # the one above was the first attempt
            return await attempt_once()
    raise AssertionError("unreachable")  # pragma: no cover - the last attempt returns or raises


async def begin(
    start: Callable[[], AsyncGenerator[_T, None]], retry: Retry, what: str, secrets: Sequence[str]
) -> tuple[AsyncGenerator[_T, None], _T | None]:
    """Return the generator that `start()` returns, and what it yields first; None for nothing.

    Started again as `retrying` does; nothing is tried again once it has yielded something.

    Args:
        start: returns a new generator; called once for each attempt.
        retry: how often and after how long.
        what: names the work in the log.
        secrets: what to mask in the errors of the attempts.

    Raises:
        AsyncLLMError: that of the last attempt.

    """

    async def attempt() -> tuple[AsyncGenerator[_T, None], _T | None]:
        source = start()
        try:
            return source, await source.__anext__()
        except StopAsyncIteration:
            return source, None

    return await retrying(attempt, retry, what, secrets)


def is_passing(error: Exception) -> bool:
    """Tell whether the same request may well succeed a little later."""
    if isinstance(error, AsyncLLMError) and error.is_passing is not None:
        return error.is_passing
    if isinstance(error, HTTPStatusError):
        return error.status in _PASSING_STATUSES
    return isinstance(error, TransportError) and not isinstance(error, ProxyError)
