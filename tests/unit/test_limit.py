"""A request that no stream waits for has a limit, and a failure of its own is told from that."""

import asyncio

import pytest

from asyncllm import StreamTimeout
from asyncllm.session.limit import in_time


async def test_a_request_that_takes_too_long_is_ended_and_the_error_says_so():
    has_ended = asyncio.Event()

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            has_ended.set()

    with pytest.raises(TimeoutError, match=r"^no answer within 0\.01 s$") as caught:
        await in_time(hang(), 0.01)
    assert has_ended.is_set()
    assert caught.value.__context__ is None


async def test_a_limit_of_the_request_s_own_is_not_taken_for_this_one():
    async def connect():
        raise StreamTimeout("connect", 0.01)

    with pytest.raises(StreamTimeout):
        await in_time(connect(), 60)
