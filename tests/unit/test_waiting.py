"""What must be done is done, whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from asyncllm.stream.waiting import wait_through


class Work:
    """Takes until `go` is set."""

    def __init__(self, result="done"):
        self.go = asyncio.Event()
        self.started = asyncio.Event()
        self._result = result
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        self.started.set()
        await self.go.wait()
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


async def turns(count=5):
    """Let everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_result_is_returned():
    work = Work()
    asyncio.get_running_loop().call_soon(work.go.set)
    assert await wait_through(work.task) == "done"


async def test_a_finished_task_is_not_waited_for():
    work = Work()
    work.go.set()
    await work.task
    assert await wait_through(work.task) == "done"


async def test_the_failure_is_raised():
    work = Work(ValueError("no"))
    work.go.set()
    with pytest.raises(ValueError, match="no"):
        await wait_through(work.task)


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_cancelled_caller_still_waits_and_is_cancelled_afterwards(times):
    work = Work()
    caller = asyncio.create_task(wait_through(work.task))
    await work.started.wait()
    for _ in range(times):
        caller.cancel()
        await turns()
        assert not caller.done()
    work.go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.task.result() == "done"


async def test_the_message_of_the_cancellation_is_kept():
    work = Work()
    caller = asyncio.create_task(wait_through(work.task))
    await work.started.wait()
    caller.cancel("enough")
    await turns()
    work.go.set()
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await caller


async def test_a_cancelled_scope_still_waits_undisturbed_and_is_cancelled_afterwards():
    work = Work()
    waited = reached = False
    with anyio.CancelScope() as scope:
        scope.cancel()
        asyncio.get_running_loop().call_later(0.02, work.go.set)
        await wait_through(work.task)
        waited = True  # without a shield the scope would have cancelled in each turn of the loop
        await anyio.lowlevel.checkpoint()
        reached = True
    assert scope.cancelled_caught
    assert waited
    assert not reached
    assert work.task.result() == "done"


async def test_a_timeout_over_it_comes_after_the_work():
    work = Work()
    asyncio.get_running_loop().call_later(0.05, work.go.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await wait_through(work.task)
    assert work.task.result() == "done"


async def test_a_task_cancelled_by_others_ends_the_wait():
    work = Work()
    await work.started.wait()
    work.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait_through(work.task)
    assert asyncio.current_task().cancelling() == 0
