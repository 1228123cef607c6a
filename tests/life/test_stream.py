"""Streams: reading, closing and cancelling, whoever does it."""

import asyncio
import gc
import socket
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor, wait

import anyio
import pytest
import uvloop

import asyncllm
from asyncllm import H2o, Lockchat, OpenAICompatible, Retry, SessionManager, Timeouts
from asyncllm.sandbox import Drop, LoseSessions, Sandbox, SlowAnswer, SlowCreate, Stall, Status
from asyncllm.sandbox.background import running_in_background
from asyncllm.stream.stream import Stream
from support.leftovers import open_descriptors, settled
from support.raw_server import HEAD, raw_server


async def test_nothing_is_sent_before_a_stream_is_iterated(sandbox, h2o):
    stream = h2o.stream("Hello")
    assert "not started" in repr(stream)
    await stream.aclose()
    assert [token async for token in stream] == []
    assert not sandbox.requests
    assert stream.reply.finish_reason == "cancelled"


async def test_text_and_events_may_be_mixed_and_come_once(h2o):
    stream = h2o.stream("Hello")
    first = await anext(stream)
    rest = [item async for item in stream.events()]
    assert first + "".join(rest[:-1]) == stream.reply.text
    assert rest[-1] == asyncllm.Finish("stop")
    assert "ended" in repr(stream)


@pytest.mark.parametrize("use", ["collect", "__anext__", "aclose"])
@pytest.mark.parametrize("is_busy", [False, True])
@pytest.mark.parametrize("is_read", [False, True])
async def test_a_stream_is_not_used_in_another_event_loop(sandbox, h2o, use, is_busy, is_read):
    sandbox.add_fault(Stall(after=1))
    stream, reader = h2o.stream("Hello"), None
    assert await anext(stream) == "This"
    if is_read:
        reader = asyncio.create_task(stream.collect())
        await asyncio.sleep(0)
    with ThreadPoolExecutor(1) as pool:
        using = pool.submit(asyncio.run, getattr(stream, use)())
        if is_busy:
            wait([using], timeout=5)  # which keeps this loop from doing anything else
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            await asyncio.wrap_future(using)
    assert stream.reply.finish_reason is None
    await stream.aclose()
    if reader is not None:
        with pytest.raises(asyncllm.StreamInterrupted, match="closed before"):
            await reader


def test_a_stream_waits_for_its_loop_while_another_one_runs_in_the_thread():
    stalling = Sandbox(faults=[Stall(after=1)])
    with running_in_background(stalling) as sandbox, asyncio.Runner() as own:
        stream = H2o(base_url=sandbox.url).stream("Hello")
        assert own.run(stream.__anext__()) == "This"
        for use in (stream.__anext__, stream.collect, stream.aclose):
            with pytest.raises(RuntimeError, match="belongs to another event loop"):
                asyncio.run(use())
        assert stream.reply.finish_reason is None
        own.run(stream.aclose())
        assert asyncio.run(stream.read()) == []  # it has ended, wherever one looks


async def test_a_loop_left_and_entered_again_loses_no_token(h2o):
    stream, tokens = h2o.stream("Hello"), []
    for _ in range(100):
        async for token in stream:
            tokens.append(token)
            break
    assert "".join(tokens) == stream.reply.text
    assert stream.reply.finish_reason == "stop"


async def test_collect_returns_the_whole_reply(h2o):
    reply = await h2o.stream("Hello").collect()
    assert "Hello" in str(reply)
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize("fault", [Drop(after=2), Status(status=401)])
async def test_a_failed_stream_read_again_keeps_its_traceback_as_it_was(sandbox, h2o, fault):
    sandbox.add_fault(fault)
    stream, depths = h2o.stream("Hello"), []
    for _ in range(5):
        with pytest.raises(asyncllm.AsyncLLMError) as caught:
            await stream.collect()
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert depths[1:] == [depths[1]] * 4


async def test_closing_from_another_task_ends_the_reader_quietly():
    async with Sandbox(faults=[Stall(after=2)]) as sandbox, H2o(base_url=sandbox.url) as h2o:
        stream, two_came = h2o.stream("Hello"), asyncio.Event()

        async def read():
            tokens = []
            async for token in stream:
                tokens.append(token)
                if len(tokens) == 2:
                    two_came.set()
            return tokens, asyncio.current_task().cancelling()

        reader = asyncio.create_task(read())
        await two_came.wait()
        await asyncio.sleep(0)
        await asyncio.gather(stream.aclose(), stream.aclose())
        assert await reader == (["This", " is"], 0)
        assert stream.reply.finish_reason == "cancelled"


@pytest.mark.parametrize(
    "fault", [SlowCreate(seconds=30), SlowAnswer(seconds=30), SlowAnswer(seconds=30, on="settings")]
)
async def test_closing_before_the_first_token_does_not_wait_for_it(fault):
    async with Sandbox(faults=[fault]) as sandbox, SessionManager(grace=0.1) as sessions:
        stream = H2o(base_url=sandbox.url, sessions=sessions).stream("Hello")
        reader = asyncio.create_task(stream.collect())
        async with asyncio.timeout(20):
            while not sandbox.requests:
                await asyncio.sleep(0)
            await stream.aclose()
            with pytest.raises(asyncllm.StreamInterrupted, match="closed before") as caught:
                await reader
            assert caught.value.reply == stream.reply


async def test_closing_inside_the_loop_ends_it(sandbox, h2o):
    sandbox.add_fault(Stall(after=5))
    tokens = []
    async with h2o.stream("Hello") as stream:
        async for token in stream:
            tokens.append(token)
            await stream.aclose()
    assert len(tokens) == 1
    assert stream.reply.finish_reason == "cancelled"


async def test_closing_after_the_end_changes_nothing(h2o):
    stream = h2o.stream("Hello")
    await stream.collect()
    await stream.aclose()
    await stream.aclose()
    assert stream.reply.finish_reason == "stop"


async def test_two_readers_at_once_are_refused(sandbox, h2o):
    sandbox.add_fault(Stall(after=0))
    stream = h2o.stream("Hello")
    reader = asyncio.create_task(stream.collect())
    while not sandbox.requests:
        await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task"):
        await anext(stream)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def test_cancelling_the_reader_by_task_cancel_is_seen_by_it(sandbox, h2o):
    sandbox.add_fault(Stall(after=2))
    stream = h2o.stream("Hello")
    task = asyncio.create_task(stream.collect())
    while stream.reply.text != "This is":
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.reply == asyncllm.Reply(
        text="This is", finish_reason="cancelled", model=stream.reply.model
    )


async def test_cancelling_the_reader_by_a_cancel_scope_is_caught_by_the_scope(sandbox, h2o):
    sandbox.add_fault(Stall(after=2))
    tokens = []
    with anyio.move_on_after(0.2) as scope:
        async with h2o.stream("Hello") as stream:
            async for token in stream:
                tokens.append(token)
    assert scope.cancelled_caught
    assert tokens == ["This", " is"]
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.parametrize("first", ["cancel", "aclose"])
async def test_cancelled_and_closed_at_once_stays_cancelled(sandbox, h2o, first):
    sandbox.add_fault(Stall(after=1))
    stream = h2o.stream("Hello")
    task = asyncio.create_task(stream.collect())
    while not stream.reply.text:
        await asyncio.sleep(0)
    if first == "cancel":
        task.cancel()
    closing = asyncio.create_task(stream.aclose())
    if first == "aclose":
        asyncio.get_running_loop().call_soon(task.cancel)  # before the reader has been woken
    await closing
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_cancellation_says_what_it_says_though_the_stream_is_closed_at_once():
    """The reader is awake when it is cancelled: what is said later would take the place of it."""
    came = asyncio.get_running_loop().create_future()

    async def begin():
        await came

    stream = Stream(begin, name="", model="", timeouts=Timeouts(), owner=None)
    task = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)
    came.set_result(None)
    task.cancel("by somebody else")
    await stream.aclose()
    with pytest.raises(asyncio.CancelledError, match="by somebody else"):
        await task


@pytest.mark.parametrize(
    ("fault", "timeouts", "phase"),
    [
        (SlowCreate(seconds=30), Timeouts(first_token=0.2), "first_token"),
        (SlowAnswer(seconds=30), Timeouts(first_token=0.2), "first_token"),
        (SlowAnswer(seconds=30, on="settings"), Timeouts(first_token=0.2), "first_token"),
        (Stall(after=0), Timeouts(first_token=0.2), "first_token"),
        (Stall(after=2), Timeouts(stall=0.2), "stall"),
        (Stall(after=2), Timeouts(total=0.2), "total"),
    ],
)
async def test_each_limit_ends_the_stream_in_time(fault, timeouts, phase):
    async with Sandbox(faults=[fault]) as sandbox, SessionManager(grace=0.1) as sessions:
        h2o = H2o(base_url=sandbox.url, sessions=sessions, timeouts=timeouts)
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(asyncllm.StreamTimeout) as caught:
            await h2o.complete("Hello")
        assert 0.2 <= loop.time() - start < 15  # how exactly is measured in test_timeouts.py
        assert caught.value.phase == phase
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.reply.text in ("", "This is")
        assert asyncio.current_task().cancelling() == 0


async def test_a_slow_consumer_is_not_a_stall(sandbox, sessions):
    h2o = H2o(base_url=sandbox.url, sessions=sessions, timeouts=Timeouts(stall=0.1, first_token=5))
    stream = h2o.stream("Hello")
    await anext(stream)
    await asyncio.sleep(0.25)
    assert (await stream.collect()).finish_reason == "stop"


@pytest.mark.parametrize("shared", [True, False])
async def test_a_stream_dropped_without_closing_is_cleaned_up(sessions, shared):
    async with Sandbox(token_rate=200) as sandbox:
        h2o = H2o(base_url=sandbox.url, sessions=sessions if shared else None)
        stream = h2o.stream("Hello")
        for _ in range(3):  # more than one read, so that its timer runs
            await anext(stream)
        del stream
        gc.collect()
        async with asyncio.timeout(30):
            while sandbox.conversations:
                await asyncio.sleep(0.001)


async def test_a_provider_keeps_one_manager_for_its_block(sandbox):
    async with H2o(base_url=sandbox.url) as h2o:
        await h2o.complete("Hello")
        await h2o.complete("Hello")
        with pytest.raises(asyncllm.ConfigurationError, match="already"):
            await h2o.__aenter__()
    assert sandbox.connections <= 2
    assert sandbox.conversations == 0


async def test_twenty_streams_in_a_row_use_two_connections(sandbox, h2o):
    for _ in range(20):
        await h2o.complete("Hello")
    assert sandbox.connections <= 2  # the second one deletes while the next stream starts


async def test_an_unreachable_server_is_a_transport_error():
    async with Sandbox() as sandbox:
        url = sandbox.url
    with pytest.raises(asyncllm.TransportError, match="cannot connect to 127.0.0.1") as caught:
        await H2o(base_url=url, retry=Retry(attempts=1)).complete("Hello")
    assert isinstance(caught.value, OSError)
    assert caught.value.__context__ is None


async def test_retries_are_logged(sandbox, h2o, caplog):
    sandbox.add_fault(asyncllm.sandbox.Status(status=503, times=1))
    with caplog.at_level("INFO", logger="asyncllm"):
        await h2o.complete("Hello")
    assert "H2o: attempt 1 of 3 failed" in caplog.text


async def test_no_limit_runs_once_the_answer_is_whole(sandbox):
    sandbox.add_fault(SlowAnswer(seconds=0.4, on="delete"))
    limits = Timeouts(first_token=5, stall=0.1, total=0.2)
    # Without sessions, the stream's own manager waits for the deletion before the stream ends.
    reply = await H2o(base_url=sandbox.url, timeouts=limits).complete("Hello")
    assert reply.finish_reason == "stop"
    assert sandbox.conversations == 0


@pytest.mark.parametrize("first", ["scope", "aclose"])
async def test_a_cancel_scope_and_aclose_at_the_same_moment_are_told_apart(sandbox, h2o, first):
    sandbox.add_fault(Stall(after=1))
    stream, tasks = h2o.stream("Hello"), []
    with anyio.CancelScope() as scope:

        def both():
            steps = [scope.cancel, lambda: tasks.append(asyncio.create_task(stream.aclose()))]
            for step in steps if first == "scope" else reversed(steps):
                step()

        await anext(stream)
        asyncio.get_running_loop().call_later(0.01, both)
        async for _ in stream:
            pass
        await asyncio.sleep(60)
    assert scope.cancelled_caught
    assert asyncio.current_task().cancelling() == 0
    await tasks[0]
    assert stream.reply.finish_reason == "cancelled"


async def test_a_stream_dropped_within_a_cycle_is_cleaned_up_too():
    async with Sandbox(token_rate=200) as sandbox:
        for _ in range(20):
            stream = H2o(base_url=sandbox.url).stream("Hello")
            await anext(stream)
            cycle = [stream]
            cycle.append(cycle)
            del stream, cycle
        gc.collect()
        async with asyncio.timeout(30):
            while sandbox.conversations or len(asyncio.all_tasks()) > 1 + sandbox.generating:
                await asyncio.sleep(0.001)
                gc.collect()


PASSED = {
    "nothing": [],
    "a status": [Status(status=503, times=2)],
    "a status of another step": [Status(status=503, times=2, on="create")],
    "a status of the step that all share": [Status(status=503, times=2, on="settings")],
    "a lost session": [LoseSessions()],
}


@pytest.mark.parametrize("faults", PASSED.values(), ids=PASSED)
async def test_a_stream_that_began_late_needs_no_garbage_collector_to_end_when_dropped(
    sessions, faults
):
    async with Sandbox(token_rate=200, faults=faults) as sandbox:
        stream = H2o(base_url=sandbox.url, sessions=sessions).stream("Hello")
        is_there = weakref.ref(stream)
        gc.collect()
        gc.disable()
        try:
            await anext(stream)
            del stream
            assert not is_there()
            async with asyncio.timeout(30):
                while sandbox.conversations:
                    await asyncio.sleep(0.001)
        finally:
            gc.enable()


def answer(status, body=b""):
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


BROKEN = {
    "it hung up": [[None]],
    "it hung up amid the head": [[b"HTTP/1.1 200 OK\r\n", None]],
    "it refused a field": [[answer(400, b"stream_options")]],
    "it hung up on a kept connection": [[answer(200, b"{}")], [None]],
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_stream_whose_server_failed_first_needs_no_garbage_collector(broken, loop):
    token = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n'

    async def main():
        answers = [*broken, [HEAD + b"\r\n" + token, 30.0]]
        async with (
            raw_server(*answers) as (url, _),
            SessionManager(retry=Retry(initial_wait=0.01)) as sessions,
        ):
            llm = OpenAICompatible(base_url=url, sessions=sessions)
            if len(broken) == 2:
                with pytest.raises(asyncllm.StreamInterrupted):
                    await llm.complete("Hello")
            stream = llm.stream("Hello")
            is_there = weakref.ref(stream)
            gc.collect()
            gc.disable()
            try:
                assert await anext(stream) == "x"
                del stream
                assert not is_there()
            finally:
                gc.enable()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("wire", [H2o, Lockchat])
async def test_a_stream_whose_server_was_away_needs_no_garbage_collector(wire):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with SessionManager(retry=Retry(initial_wait=0.01, attempts=100)) as sessions:
        stream = wire(base_url=f"http://127.0.0.1:{port}", sessions=sessions).stream("Hello")
        is_there = weakref.ref(stream)
        gc.collect()
        gc.disable()
        try:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.05)
            async with Sandbox(port=port, token_rate=200):
                await first
                del stream, first
                assert not is_there()
        finally:
            gc.enable()


async def test_a_stream_alone_in_a_cycle_of_garbage_lets_go_also_without_a_connection(recwarn):
    """Its connection was closed by the server: not even that holds its session manager."""
    tokens = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n' * 3
    async with raw_server([HEAD + b"\r\n" + tokens]) as (url, _):
        open_before = open_descriptors()
        stream = OpenAICompatible(base_url=url).stream("Hello")
        gc.disable()
        try:
            assert await anext(stream) == "x"
            async with asyncio.timeout(30):
                while open_descriptors() > open_before:
                    await asyncio.sleep(0.001)
            cycle = [stream]
            cycle.append(cycle)
            del stream, cycle
            gc.collect()
            await settled()
        finally:
            gc.enable()
    assert not list(recwarn)


async def test_a_stream_alone_in_a_cycle_of_garbage_deletes_its_conversation(recwarn):
    """Its session manager is garbage at the same moment, but for somebody who holds it."""
    async with Sandbox(token_rate=500) as sandbox:
        gc.disable()
        try:
            stream = H2o(base_url=sandbox.url).stream("Hello")
            await anext(stream)
            cycle = [stream]
            cycle.append(cycle)
            del stream, cycle
            async with asyncio.timeout(30):
                while sandbox.generating:  # until all has come, and no transport holds anything
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.05)
                gc.collect()
                while sandbox.conversations:
                    await asyncio.sleep(0.001)
        finally:
            gc.enable()
    assert not list(recwarn)
