"""What `complete()` returns is a coroutine wherever one is wanted."""

import asyncio
import gc
import inspect
import sys
from unittest import mock

import anyio
import pytest

import asyncllm
from asyncllm import H2o, run_sync
from asyncllm.sandbox import Sandbox, Stall
from support.waiting import until


async def in_a_task(llm):
    return await asyncio.create_task(llm.complete("Hello"))


async def gathered(llm):
    [reply] = await asyncio.gather(llm.complete("Hello"))
    return reply


async def in_a_group(llm):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(llm.complete("Hello"))
    return task.result()


async def in_time(llm):
    return await asyncio.wait_for(llm.complete("Hello"), 30)


async def in_anyio_s_group(llm):
    async def ask():  # which anyio before 4.14 wants: it looks for a coroutine of Python's own
        await llm.complete("Hello")

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
    return await llm.complete("Hello")


WAYS = [in_a_task, gathered, in_a_group, in_time, in_anyio_s_group]


@pytest.mark.parametrize("way", WAYS)
async def test_it_is_waited_for_in_every_way(h2o, way):
    assert "Hello" in (await way(h2o)).text


def test_blocking_code_waits_for_it_and_so_does_a_runner():
    with run_sync(Sandbox()) as sandbox:
        h2o = H2o(base_url=sandbox.url)
        assert "Hello" in run_sync(h2o.complete("Hello")).text
        assert "Hello" in asyncio.run(h2o.complete("Hello")).text


async def test_its_task_is_cancelled_as_any_is(sandbox, h2o):
    sandbox.add_fault(Stall(after=1))
    task = asyncio.create_task(h2o.complete("Hello"))
    await until(lambda: sandbox.generating)
    assert "H2o.complete" in repr(task)
    assert task.get_stack()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not (sandbox.conversations or sandbox.generating))


async def test_one_that_nobody_awaits_is_warned_of(h2o):
    with pytest.warns(RuntimeWarning, match=r"coroutine 'H2o\.complete' was never awaited"):
        h2o.complete("Hello")
        gc.collect()


async def test_one_that_was_iterated_over_is_not_warned_of_besides(h2o, recwarn):
    with pytest.raises(TypeError, match="must be awaited"):
        aiter(h2o.complete("Hello"))
    gc.collect()
    assert not recwarn


async def test_an_error_passes_through_it_with_its_reply(sandbox, h2o):
    sandbox.add_fault(asyncllm.sandbox.Drop(after=2))
    with pytest.raises(asyncllm.StreamInterrupted) as caught:
        await asyncio.create_task(h2o.complete("Hello"))
    assert caught.value.reply.text


def test_mocks_take_it_for_a_coroutine_function():
    assert isinstance(mock.create_autospec(H2o).complete, mock.AsyncMock)
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(H2o().complete)
