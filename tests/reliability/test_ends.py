"""A stream ends in exactly one of four ways, and leaves nothing, whatever the provider and loop.

Finished, closed by its caller, cancelled, failed: the reply's `finish_reason` tells them apart
(the server's own word, "cancelled" twice, None). Left behind is no task, no socket, no
conversation, no warning and nothing in asyncio's log.
"""

import asyncio
import gc
import logging
import socket
import time
import warnings

import anyio
import pytest

import asyncllm
from asyncllm import (
    SessionManager,
    Timeouts,
)
from asyncllm.sandbox import (
    BadJson,
    Drop,
    EmptyBody,
    ErrorInStream,
    HtmlPage,
    PingForever,
    Sandbox,
    SlowAnswer,
    SlowCreate,
    Stall,
    Status,
    Truncate,
)
from asyncllm.sandbox.background import running_in_background
from support.leftovers import open_descriptors, settled
from support.loops import LOOPS_AND_EAGER
from support.policies import ONCE
from support.waiting import until
from support.wires import CHATUIS, UNTYPED, WIRES, on_wire

SLOW = 0.15  # seconds that the server takes: to spare for a busy machine
SOON = 0.03  # seconds after which its client gives up


@pytest.fixture(scope="module")
def background():
    """A sandbox on a thread of its own: the tasks that are counted are the client's."""
    gc.collect()
    gc.freeze()  # what is there already is not looked through again for each test
    for loop in LOOPS_AND_EAGER.values():  # what the first loop of a process opens for good
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(asyncio.sleep(0))
    with running_in_background(Sandbox()) as sandbox:
        yield sandbox
    gc.unfreeze()


@pytest.fixture
def server(background):
    background.clear_faults()
    background.lose_sessions()
    background.requests.clear()
    return background


def make(wire, server, **options):
    return on_wire(wire, server.url, retry=ONCE, **options)


def nothing_left(loop, server, ask, caplog):
    """Run `ask(sessions)` with a session manager and without; hold that nothing is left."""
    before = open_descriptors()

    async def main():
        async with SessionManager() as sessions:
            await ask(sessions)
        await ask(None)
        await settled()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with asyncio.Runner(loop_factory=LOOPS_AND_EAGER[loop]) as runner:
            runner.run(main())
        gc.collect()
    assert [str(warning.message) for warning in warned] == []
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []

    deadline = time.monotonic() + 30
    # The server's ends of our connections are in this process too, and close on its own thread.
    while server.conversations or open_descriptors() > before:
        assert time.monotonic() < deadline, (server.conversations, open_descriptors() - before)
        time.sleep(0.001)


# --- finished -----------------------------------------------------------------------------------


async def iterate(stream):
    return "".join([token async for token in stream])


async def take_events(stream):
    return [item async for item in stream.events()]


async def take_reads(stream):
    while await stream.read():
        pass


async def within_a_block(stream):
    async with stream:
        await stream.collect()


FINISHES = [iterate, take_events, take_reads, within_a_block]


@pytest.mark.parametrize("loop", LOOPS_AND_EAGER)
@pytest.mark.parametrize("wire", WIRES)
def test_a_finished_stream_leaves_nothing(server, loop, wire, caplog):
    async def ask(sessions):
        for finish in FINISHES:
            stream = make(wire, server, sessions=sessions).stream("Hello")
            await finish(stream)
            assert stream.reply.finish_reason == "stop"
            assert await stream.collect() == stream.reply
            assert await take_events(stream) == []
            await stream.aclose()
            assert stream.reply.finish_reason == "stop"

    nothing_left(loop, server, ask, caplog)


# --- closed by its caller -----------------------------------------------------------------------


async def close_unread(stream):
    await stream.aclose()


async def break_out(stream):
    async with stream:
        async for _ in stream:
            break


async def close_within(stream):
    async for _ in stream:
        await stream.aclose()


async def close_amid_a_read(stream):
    reader = asyncio.create_task(iterate(stream))
    await until(lambda: stream.reply.text == "This is")
    await asyncio.gather(stream.aclose(), stream.aclose())
    assert await reader == "This is"


async def close_before_a_token(stream):
    reader = asyncio.create_task(iterate(stream))
    await asyncio.sleep(SOON)
    await stream.aclose()
    assert await reader == ""


async def fall_out(stream):
    with pytest.raises(ZeroDivisionError):
        async with stream:
            async for _ in stream:
                1 / 0  # noqa: B018


CLOSES = [
    (close_unread, None),
    (break_out, Stall(after=2)),
    (break_out, PingForever(after=2)),
    (close_within, Stall(after=2)),
    (close_amid_a_read, Stall(after=2)),
    (close_amid_a_read, PingForever(after=2)),
    (fall_out, Stall(after=2)),
    (close_before_a_token, SlowAnswer(seconds=SLOW)),
    (close_before_a_token, SlowAnswer(seconds=SLOW, on="create")),
    (close_before_a_token, SlowCreate(seconds=SLOW)),
    (close_before_a_token, SlowAnswer(seconds=SLOW, on="settings")),
]


def is_of_wire(wire, fault):
    step = getattr(fault, "step", "stream")
    if wire == "chatui" and step == "settings":
        return False  # there are none
    return wire in CHATUIS or step == "stream"


def table(rows):
    return [
        pytest.param(
            *(wire, loop, *row),
            id="-".join([wire, loop, *map(name_of, row)]),
        )
        for wire in WIRES
        for loop in LOOPS_AND_EAGER
        for row in rows
        if is_of_wire(wire, row[-1]) and (loop == "asyncio" or wire in CHATUIS)
    ]


def name_of(value):
    return getattr(value, "__name__", None) or str(value)


@pytest.mark.parametrize(("wire", "loop", "close", "fault"), table(CLOSES))
def test_a_stream_closed_by_its_caller_ends_quietly_and_leaves_nothing(
    server, wire, loop, close, fault, caplog
):
    if fault is not None:
        server.add_fault(fault)

    async def ask(sessions):
        stream = make(wire, server, sessions=sessions).stream("Hello")
        await close(stream)
        assert stream.reply.finish_reason == "cancelled"
        assert [token async for token in stream] == []
        with pytest.raises(asyncllm.StreamInterrupted, match="closed before"):
            await stream.collect()

    nothing_left(loop, server, ask, caplog)
    assert server.generating == 0 or wire not in CHATUIS  # what it began is stopped


@pytest.mark.parametrize("loop", LOOPS_AND_EAGER)
@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_that_is_dropped_leaves_nothing(server, wire, loop, caplog):
    server.add_fault(Stall(after=2))

    async def ask(sessions):
        stream = make(wire, server, sessions=sessions).stream("Hello")
        assert await anext(stream) == "This"
        del stream
        llm = make(wire, server)
        tokens = llm.create_async_generator(llm.model, "Hello", base_url=llm.base_url)
        async for _ in tokens:
            break
        del tokens
        gc.collect()
        await until(lambda: server.conversations == 0)

    nothing_left(loop, server, ask, caplog)


# --- cancelled ----------------------------------------------------------------------------------


async def cancel_the_task(stream, is_time):
    reader = asyncio.create_task(iterate(stream))
    await until(is_time)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def cancel_the_task_twice(stream, is_time):
    async def read():
        async with stream:
            await iterate(stream)

    reader = asyncio.create_task(read())
    await until(is_time)
    reader.cancel()
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def cancel_the_scope(stream, is_time):
    async def cancel_it():
        await until(is_time)
        scope.cancel()

    canceller = asyncio.create_task(cancel_it())
    with anyio.CancelScope() as scope:
        async with stream:
            await iterate(stream)
    assert scope.cancelled_caught
    assert asyncio.current_task().cancelling() == 0
    await canceller


async def cancel_the_group(stream, is_time):
    async with anyio.create_task_group() as group:
        group.start_soon(iterate, stream)
        await until(is_time)
        group.cancel_scope.cancel()


async def run_out_of_time(stream, is_time):
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SOON):
            await iterate(stream)
    assert not isinstance(caught.value, asyncllm.AsyncLLMError)


CANCELS = [
    *((cancel, Stall(after=2)) for cancel in (cancel_the_task, cancel_the_task_twice)),
    *((cancel, Stall(after=2)) for cancel in (cancel_the_scope, cancel_the_group)),
    (run_out_of_time, Stall(after=2)),
    (cancel_the_task, PingForever(after=2)),
    *((cancel_the_task, fault) for fault in (row[1] for row in CLOSES[-4:])),
    *((cancel_the_scope, fault) for fault in (row[1] for row in CLOSES[-4:])),
    (cancel_the_task_twice, SlowCreate(seconds=SLOW)),
    (run_out_of_time, SlowCreate(seconds=SLOW)),
]


@pytest.mark.parametrize(("wire", "loop", "cancel", "fault"), table(CANCELS))
def test_a_cancelled_stream_leaves_nothing(server, wire, loop, cancel, fault, caplog):
    server.add_fault(fault)
    awaited = {"settings": "/settings", "create": "/conversation"}.get(fault.step)
    if awaited is not None and wire == "chatui":
        awaited = f"/chat{awaited}"

    async def ask(sessions):
        seen = len(server.requests)
        stream = make(wire, server, sessions=sessions).stream("Hello")

        def is_time():
            if not isinstance(fault, SlowAnswer | SlowCreate):
                return stream.reply.text == "This is"
            asked = [request.path for request in list(server.requests)[seen:]]
            if awaited is not None and sessions is None:
                return awaited in asked
            return bool(asked)

        await cancel(stream, is_time)
        assert stream.reply.finish_reason == "cancelled"
        assert [token async for token in stream] == []

    nothing_left(loop, server, ask, caplog)
    assert server.generating == 0 or wire not in CHATUIS


# --- failed -------------------------------------------------------------------------------------

FAILURES = [
    (asyncllm.ServerError, "", Status(status=500)),
    (asyncllm.AuthenticationError, "", Status(status=401)),
    (asyncllm.RateLimitError, "", Status(status=429)),
    (asyncllm.HTTPStatusError, "", Status(status=405)),
    (asyncllm.ServerError, "", Status(status=500, on="settings")),
    (asyncllm.ServerError, "", Status(status=500, on="create")),
    (asyncllm.ProtocolError, "", HtmlPage()),
    (asyncllm.ProtocolError, "", HtmlPage(on="create")),
    (asyncllm.StreamInterrupted, "", EmptyBody()),
    (asyncllm.ProviderError, "This is", ErrorInStream(after=2)),
    (asyncllm.StreamInterrupted, "This is", Drop(after=2)),
    (asyncllm.StreamInterrupted, "This is", Truncate(after=2)),
    (asyncllm.ProtocolError, "This is", BadJson(after=2)),
    (asyncllm.StreamTimeout, "This is", Stall(after=2)),
    (asyncllm.StreamTimeout, "This is", PingForever(after=2)),
    (asyncllm.StreamTimeout, "", SlowAnswer(seconds=SLOW)),
    (asyncllm.StreamTimeout, "", SlowAnswer(seconds=SLOW, on="create")),
    (asyncllm.StreamTimeout, "", SlowCreate(seconds=SLOW)),
    (asyncllm.StreamTimeout, "", SlowAnswer(seconds=SLOW, on="settings")),
]


@pytest.mark.parametrize(("wire", "loop", "error", "text", "fault"), table(FAILURES))
def test_a_failed_stream_says_so_each_time_and_leaves_nothing(
    server, wire, loop, error, text, fault, caplog
):
    server.add_fault(fault)
    if isinstance(fault, BadJson) and wire == "ollama":
        error = asyncllm.StreamInterrupted  # an object may be spread over several lines
    if isinstance(fault, ErrorInStream) and wire not in UNTYPED:
        error = asyncllm.ServerError  # OpenAI's wire says whose failure it is
    limits = Timeouts()
    if error is asyncllm.StreamTimeout:
        limits = Timeouts(stall=2 * SOON) if text else Timeouts(first_token=SOON)

    async def ask(sessions):
        stream = make(wire, server, sessions=sessions, timeouts=limits).stream("Hello")
        tokens = []
        with pytest.raises(error) as caught:
            async for token in stream:
                tokens.append(token)
        assert type(caught.value) is error
        assert "".join(tokens) == caught.value.reply.text == stream.reply.text == text
        assert stream.reply.finish_reason is None
        for again in (stream.collect, stream.__anext__, stream.read):
            with pytest.raises(error) as once_more:
                await again()
            assert once_more.value is caught.value
        await stream.aclose()
        assert stream.reply.finish_reason is None

    nothing_left(loop, server, ask, caplog)


@pytest.mark.parametrize("loop", LOOPS_AND_EAGER)
@pytest.mark.parametrize("wire", WIRES)
def test_a_server_that_is_not_there_leaves_nothing(server, wire, loop, caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    class Nowhere:
        url = f"http://127.0.0.1:{port}"

    async def ask(sessions):
        with pytest.raises(asyncllm.TransportError):
            await make(wire, Nowhere, sessions=sessions).complete("Hello")

    nothing_left(loop, server, ask, caplog)


@pytest.mark.parametrize("loop", LOOPS_AND_EAGER)
@pytest.mark.parametrize("wire", WIRES)
def test_closing_the_manager_fails_its_streams_and_leaves_nothing(server, wire, loop, caplog):
    server.add_fault(Stall(after=2))

    async def ask(_):
        async with SessionManager() as sessions:
            idle = make(wire, server, sessions=sessions).stream("Hello")
            assert await anext(idle) == "This"
            read = make(wire, server, sessions=sessions).stream("Hello")
            reader = asyncio.create_task(read.collect())
            await until(lambda: read.reply.text == "This is")
        for failing in (reader, idle.collect()):
            with pytest.raises(asyncllm.StreamInterrupted, match="manager was closed"):
                await failing
        assert (idle.reply.finish_reason, read.reply.finish_reason) == (None, None)

    nothing_left(loop, server, ask, caplog)
    assert server.generating == 0 or wire not in CHATUIS


@pytest.mark.parametrize("loop", LOOPS_AND_EAGER)
def test_many_streams_at_once_ended_in_every_way_leave_nothing(server, loop, caplog):
    async def ask(sessions):
        async def one(number):
            stream = make(list(WIRES)[number % 4], server, sessions=sessions).stream("Hello")
            way = number // 4 % 3
            if way == 0:
                await stream.collect()
            elif way == 1:
                await break_out(stream)
            else:
                reader = asyncio.create_task(stream.collect())
                await asyncio.sleep(number / 5000)
                reader.cancel()
                await asyncio.wait([reader])

        await asyncio.gather(*map(one, range(48)))

    nothing_left(loop, server, ask, caplog)
