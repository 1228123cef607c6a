"""Each limit ends its stream in time, on every wire and in every phase of a conversation's life."""

import asyncio
import contextlib
import socket
import ssl
import threading

import pytest

import asyncllm
from asyncllm import (
    H2o,
    OpenAICompatible,
    Retry,
    SessionManager,
    StreamTimeout,
    Timeouts,
)
from asyncllm.sandbox import PingForever, Sandbox, SlowAnswer, SlowCreate, Stall, Status
from asyncllm.sandbox.background import running_in_background
from support.lateness import TRIES, Watch, hold_in_time
from support.leftovers import settled
from support.loops import LOOPS
from support.policies import ONCE
from support.raw_server import CHUNKED, HEAD, chunk, raw_server
from support.wires import CHATUIS, WIRES, on_wire

pytestmark = pytest.mark.reliability

LIMIT = 0.1
LONG = 0.3  # where something has to come within the limit, also on a busy machine
LATE = 30.0


@pytest.fixture(scope="module")
def background():
    """A sandbox on a thread of its own, so that its work does not delay the timers measured."""
    with running_in_background(Sandbox()) as sandbox:
        yield sandbox


@pytest.fixture
def server(background):
    background.clear_faults()
    return background


async def timeout_of(stream, limit, *, after_text=""):
    """Return the timeout that ends `stream`, and how long after `after_text` it took."""
    watch, text = Watch(limit), ""
    with pytest.raises(StreamTimeout) as caught:
        async for token in stream:
            text += token
            if text == after_text:
                watch.start()
    return caught.value, watch.stop()


async def in_time(ask, phase, *, text="", limit=LIMIT):
    """Hold that what `ask` starts ends by `phase` in time."""

    async def measure():
        error, watch = await timeout_of(ask(), limit, after_text=text)
        assert (error.phase, error.limit, error.reply.text) == (phase, limit, text)
        assert error.reply.finish_reason is None
        assert error.__context__ is error.__cause__ is None
        return watch

    await hold_in_time(measure)


def run_on(loop, main):
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


# --- first_token, stall and total, on every wire ------------------------------------------------

FIRST = [
    ("settings", SlowAnswer(seconds=LATE, on="settings")),
    ("create", SlowAnswer(seconds=LATE, on="create")),
    ("created, not said", SlowCreate(seconds=LATE)),
    ("headers", SlowAnswer(seconds=LATE)),
    ("no token", Stall(after=0)),
    ("pings only", PingForever(after=0)),
]
AMID = [("silence", Stall(after=2)), ("pings", PingForever(after=2))]
OF_EVERY_WIRE = {"headers", "pings only", "silence", "pings"}
TABLE = [
    (wire, limits, place, fault, text)
    for wire in WIRES
    for limits, table, text in (
        (Timeouts(first_token=LIMIT), FIRST, ""),
        (Timeouts(stall=LIMIT), AMID, "This is"),
        (Timeouts(total=LIMIT), FIRST, ""),
    )
    for place, fault in table
    if (wire in CHATUIS or place in OF_EVERY_WIRE)
    and (wire, place) != ("chatui", "settings")  # chat-ui of today is sent none
]


def phase_of(limits):
    return next(
        name for name in ("total", "stall", "first_token") if getattr(limits, name) == LIMIT
    )


@pytest.mark.parametrize(
    ("loop", "wire", "limits", "fault", "text"),
    [
        pytest.param(
            loop, wire, limits, fault, text, id=f"{loop}-{wire}-{phase_of(limits)}-{place}"
        )
        for wire, limits, place, fault, text in TABLE
        for loop in LOOPS
        if loop == "asyncio"
        or (wire == "h2o" and phase_of(limits) != "total")  # the loop knows nothing of wires
    ],
)
def test_each_limit_ends_the_stream_in_time(server, loop, wire, limits, fault, text):
    server.add_fault(fault)

    async def main():
        async with SessionManager(grace=0.0) as sessions:
            llm = on_wire(wire, server.url, sessions=sessions, timeouts=limits)
            await in_time(lambda: llm.stream("Hello"), phase_of(limits), text=text)
            assert asyncio.current_task().cancelling() == 0
        await settled()

    run_on(loop, main)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("wire", WIRES)
def test_total_ends_a_stream_that_comes_steadily(loop, wire):
    async def main():
        # Not `in_time`: where the text ends is not known before.
        async with SessionManager(grace=0.2, timeouts=Timeouts(total=LONG)) as sessions:
            llm = on_wire(wire, slow.url, sessions=sessions)

            async def measure():
                error, watch = await timeout_of(llm.stream("Hello"), LONG)
                assert error.phase == "total"
                assert error.reply.text.startswith("This is")
                return watch

            await hold_in_time(measure)

    with running_in_background(Sandbox(token_rate=100, tokens=1000)) as slow:
        run_on(loop, main)


async def test_content_resets_the_stall_limit_and_pings_do_not():
    steps = [CHUNKED]
    token = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    for step in (token, b": ping\n\n", token, b": ping\n\n", token, *[b": ping\n\n"] * 40):
        steps += [chunk(step), LONG / 8]
    async with raw_server(*[steps] * TRIES) as (url, _):
        llm = OpenAICompatible(base_url=url, timeouts=Timeouts(stall=LONG))
        await in_time(lambda: llm.stream("x"), "stall", text="aaa", limit=LONG)


@pytest.mark.parametrize(
    "delta", [b'{"role":"assistant","content":""}', b"{}", b'{"content":null}']
)
async def test_a_chunk_without_content_is_no_content(delta):
    token = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    empty = [chunk(b'data: {"choices":[{"delta":%s}]}\n\n' % delta), LIMIT / 3]
    async with raw_server(*[[CHUNKED, chunk(token), *empty * 10]] * TRIES) as (url, _):
        llm = OpenAICompatible(base_url=url, timeouts=Timeouts(stall=LIMIT))
        await in_time(lambda: llm.stream("x"), "stall", text="a")
    async with raw_server(*[[CHUNKED, *empty * 10]] * TRIES) as (url, _):
        llm = OpenAICompatible(base_url=url, timeouts=Timeouts(first_token=LIMIT), retry=ONCE)
        await in_time(lambda: llm.stream("x"), "first_token")


@pytest.mark.parametrize("beside", [b"", b": ping\n\n"])
async def test_a_tool_call_that_is_being_written_is_content(beside):
    call = b'{"index":0,"function":{"name":"f","arguments":"1"}}'
    piece = b'%sdata: {"choices":[{"delta":{"tool_calls":[%s]}}]}\n\n' % (beside, call)
    steps = [CHUNKED, *[chunk(piece), LONG / 6] * 8, chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"]
    async with raw_server(steps) as (url, _):
        limits = Timeouts(stall=LONG, first_token=LONG)
        reply = await OpenAICompatible(base_url=url, timeouts=limits).complete("x")
    assert len(reply.tool_calls) == 1


async def test_empty_chunks_after_a_tool_call_has_begun_are_no_content():
    begun = b'data: {"choices":[{"delta":{"content":"a","tool_calls":[{"id":"x"}]}}]}\n\n'
    empty = [LIMIT / 3, chunk(b'data: {"choices":[{"delta":{}}]}\n\n')]
    async with raw_server(*[[CHUNKED, chunk(begun), *empty * 10]] * TRIES) as (url, _):
        llm = OpenAICompatible(base_url=url, timeouts=Timeouts(stall=LIMIT), retry=ONCE)
        await in_time(lambda: llm.stream("x"), "stall", text="a")


# --- what else takes time before the first token ------------------------------------------------


@pytest.mark.parametrize("wire", ["h2o", "lockchat"])
async def test_waiting_between_attempts_counts(server, wire):
    server.add_fault(Status(status=503, retry_after=20))
    llm = on_wire(wire, server.url, timeouts=Timeouts(first_token=LIMIT), retry=Retry(attempts=3))
    await in_time(lambda: llm.stream("Hello"), "first_token")


@pytest.mark.parametrize("limit", ["first_token", "total"])
async def test_an_error_answer_that_does_not_end_counts(limit):
    hanging = [b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\nno", LATE]
    async with raw_server(*[hanging] * TRIES) as (url, _):
        limits = Timeouts(**{limit: LIMIT})
        llm = OpenAICompatible(base_url=url, timeouts=limits, retry=ONCE)
        await in_time(lambda: llm.stream("x"), limit)


async def test_a_page_that_does_not_end_counts():
    page = [HEAD.replace(b"event-stream", b"html") + b"Content-Length: 99\r\n\r\n<html>", LATE]
    async with raw_server(*[page] * TRIES) as (url, _):
        llm = OpenAICompatible(base_url=url, timeouts=Timeouts(first_token=LIMIT), retry=ONCE)
        await in_time(lambda: llm.stream("x"), "first_token")


@pytest.mark.parametrize("limit", ["first_token", "total"])
async def test_an_answer_to_create_that_does_not_end_counts(limit):
    done = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
    hanging = [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", LATE]
    async with (
        raw_server(*[done, hanging] * TRIES) as (url, _),
        SessionManager(grace=0.0) as sessions,
    ):
        h2o = H2o(base_url=url, timeouts=Timeouts(**{limit: LIMIT}), sessions=sessions)
        await in_time(lambda: h2o.stream("x"), limit)


@pytest.mark.parametrize("fault", [SlowCreate(seconds=1), SlowAnswer(seconds=1, on="settings")])
async def test_a_provider_s_own_limits_come_before_the_manager_s(server, fault):
    server.add_fault(fault)
    async with SessionManager(timeouts=Timeouts(first_token=LIMIT), grace=0.0) as sessions:
        h2o = H2o(base_url=server.url, sessions=sessions, timeouts=Timeouts(first_token=LATE))
        try:
            assert (await h2o.complete("Hello")).finish_reason == "stop"
        except asyncllm.StreamTimeout as error:
            pytest.fail(f"not TimeoutError: {error}")


# --- a consumer that is slow itself -------------------------------------------------------------


async def test_total_ends_a_stream_in_time_whoever_is_slow(server):
    server.add_fault(Stall(after=16))  # they are there all at once
    llm = on_wire("openai", server.url, timeouts=Timeouts(total=LIMIT))

    async def measure():
        watch, seen = Watch(LIMIT), []
        with pytest.raises(StreamTimeout) as caught:
            async for token in llm.stream("Hello"):
                seen.append(token)
                await asyncio.sleep(LIMIT / 8)
        assert caught.value.phase == "total"
        assert caught.value.reply.text.startswith("".join(seen))
        return watch.stop()

    await hold_in_time(measure, slack=0.05 + LIMIT / 8)


async def test_total_lets_go_of_the_server_also_while_the_consumer_sleeps():
    async with Sandbox(faults=[Stall(after=2)]) as sandbox:

        async def measure():
            watch = Watch(LONG)
            stream = on_wire("h2o", sandbox.url, timeouts=Timeouts(total=LONG)).stream("Hello")
            await anext(stream)
            async with asyncio.timeout(30):
                while sandbox.generating or sandbox.conversations:
                    await asyncio.sleep(0.001)
            watch.stop()
            with pytest.raises(StreamTimeout):
                await anext(stream)
            return watch

        await hold_in_time(measure, slack=0.1)  # asking the server takes a moment too


async def test_total_lets_a_slow_consumer_have_an_answer_that_is_whole():
    token = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
    answer = chunk(token * 16 + b"data: [DONE]\n\n") + b"0\r\n\r\n"
    async with raw_server([CHUNKED + answer]) as (url, _):  # in one read
        stream = OpenAICompatible(base_url=url, timeouts=Timeouts(total=LIMIT)).stream("x")
        async for _ in stream:
            await asyncio.sleep(LIMIT / 8)
    assert (stream.reply.text, stream.reply.finish_reason) == ("a" * 16, "stop")


# --- connect ------------------------------------------------------------------------------------


class Narrow:
    """Answers with `answers`, each on a connection of its own, and then takes no more of them.

    A listening socket whose backlog is full answers nothing: a connect to it hangs.
    """

    def __init__(self, *answers):
        self._answers, self._fillers = answers, []

    def __enter__(self):
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(0)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        if self._answers:
            self._thread.start()
        else:
            self._fill()
        return self

    def __exit__(self, *_):
        if self._answers:
            self._thread.join()
        for filler in self._fillers:
            filler.close()
        self._listening.close()

    def _serve(self):
        for answer in self._answers:
            connection, _ = self._listening.accept()
            with connection:
                connection.recv(65536)
                if answer is self._answers[-1]:
                    self._fill()
                connection.sendall(answer)

    def _fill(self):
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self._listening.getsockname())
            self._fillers.append(filler)


def closing(body):
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


SETTLED, CREATED = closing(b""), closing(b'{"conversationId": "c"}')
LAST = closing(b'data:{"token":{"text":"a"},"generated_text":"a"}\n\n')


async def connect_in_time(narrow, wire):
    async def measure():
        with narrow() as server:
            async with SessionManager(grace=0.0, timeouts=Timeouts(connect=LIMIT)) as sessions:
                llm = on_wire(wire, server.url, sessions=sessions)
                error, watch = await timeout_of(llm.stream("Hello"), LIMIT)
        assert error.phase == "connect"
        return watch

    await hold_in_time(measure)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("wire", WIRES)
def test_a_connect_that_hangs_ends_in_time_and_is_not_tried_again(loop, wire):
    run_on(loop, lambda: connect_in_time(Narrow, wire))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("answers", [[SETTLED], [SETTLED, CREATED]], ids=["create", "stream"])
def test_a_connect_that_hangs_later_in_h2o_s_life_ends_in_time(loop, answers):
    run_on(loop, lambda: connect_in_time(lambda: Narrow(*answers), "h2o"))


async def test_a_connect_that_hangs_before_a_delete_is_bounded_by_the_grace():
    async def measure():
        with Narrow(SETTLED, CREATED, LAST) as server:
            async with SessionManager(grace=LIMIT) as sessions:
                reply = await H2o(base_url=server.url, sessions=sessions).complete("Hello")
                assert reply.text == "a"
                watch = Watch(LIMIT)
            return watch.stop()

    await hold_in_time(measure, slack=0.1)


@pytest.mark.parametrize("scheme", ["https", "a proxy's CONNECT", "a TLS proxy", "socks5"])
async def test_a_handshake_that_hangs_is_a_connect_that_hangs(scheme):
    """What TLS, a tunnel or SOCKS takes belongs to connecting."""
    silent = socket.create_server(("127.0.0.1", 0))  # the system takes connections, nobody reads
    address = f"127.0.0.1:{silent.getsockname()[1]}"
    proxy = {
        "a proxy's CONNECT": f"http://{address}",
        "a TLS proxy": f"https://{address}",
        "socks5": f"socks5://{address}",
    }.get(scheme)
    limits = Timeouts(connect=LIMIT)
    url = f"https://{address}/v1" if proxy is None else "https://example.org/v1"
    async with SessionManager(
        timeouts=limits, proxy=proxy, ssl=ssl.create_default_context()
    ) as sessions:
        llm = OpenAICompatible(base_url=url, sessions=sessions)
        await in_time(lambda: llm.stream("Hello"), "connect")
    silent.close()


# --- after the answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("step", ["delete", "stop"])
def test_cleaning_up_that_hangs_delays_no_stream_and_is_bounded_at_the_end(server, loop, step):
    server.add_fault(SlowAnswer(seconds=LATE, on=step))
    if step == "stop":
        server.add_fault(Stall(after=2))

    async def main():
        async def measure():
            async with SessionManager(grace=LIMIT) as sessions:
                h2o = H2o(base_url=server.url, sessions=sessions)
                streaming = Watch(LIMIT / 2)
                async with h2o.stream("Hello") as stream:
                    assert await anext(stream) == "This"
                    if step == "delete":
                        await stream.collect()
                streaming.stop()
                closing = Watch(LIMIT)
            closing.stop()
            return closing if streaming.is_in_time() else streaming

        # A stop has a part of the grace only, and the conversation is deleted all the same.
        await hold_in_time(measure, is_least=step == "delete")

    run_on(loop, main)


async def test_an_end_that_does_not_come_delays_a_whole_answer_by_no_more_than_the_drain():
    last = (
        b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )

    async def measure():
        watch = Watch(0.25)
        reply = await OpenAICompatible(base_url=url).complete("x")
        assert (reply.text, reply.finish_reason) == ("a", "stop")
        return watch.stop()

    async with raw_server(*[[CHUNKED + chunk(last), LATE]] * TRIES) as (url, _):
        await hold_in_time(measure, slack=0.1, is_least=False)


# --- what it costs ------------------------------------------------------------------------------


class CountingLoop(asyncio.SelectorEventLoop):
    timers = 0

    def call_at(self, *args, **kwargs):
        self.timers += 1
        return super().call_at(*args, **kwargs)


@pytest.mark.parametrize("wire", WIRES)
def test_no_timer_is_set_for_each_read_or_token(wire):
    async def main():
        loop = asyncio.get_running_loop()
        llm = on_wire(wire, steady.url, timeouts=Timeouts(total=30), sessions=SessionManager())
        async with llm._sessions, llm.stream("Hello") as stream:
            reads = 0
            await anext(stream)
            before = loop.timers
            while await stream.read():
                reads += 1
            assert reads > 50
            assert loop.timers - before < 5

    with (
        running_in_background(Sandbox(token_rate=500, tokens=200)) as steady,
        asyncio.Runner(loop_factory=CountingLoop) as runner,
    ):
        runner.run(main())


async def test_no_limit_at_all_is_possible(server):
    never = Timeouts(connect=None, first_token=None, stall=None, total=None)
    for wire in WIRES:
        reply = await on_wire(wire, server.url, timeouts=never).complete("Hello")
        assert reply.finish_reason == "stop"
    with contextlib.suppress(TimeoutError):
        server.add_fault(Stall(after=1))
        async with asyncio.timeout(LIMIT):
            await on_wire("openai", server.url, timeouts=never).complete("Hello")
            pytest.fail("it ended")
