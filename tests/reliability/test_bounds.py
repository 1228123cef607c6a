"""Everything is bounded: events, bodies, drains, what is unpacked, what is buffered."""

import asyncio
import contextlib
import re
import tracemalloc
import zlib

import msgspec
import pytest

import asyncllm
from asyncllm import Gravityengine, H2o, OpenAICompatible, Retry, SessionManager
from asyncllm.http.http import Http
from asyncllm.sandbox import BigEvent, PlainJson, Sandbox, Status
from asyncllm.sandbox import Usage as UsageAt
from support.policies import ONCE
from support.raw_server import CHUNKED, HEAD, chunk, raw_server
from support.wires import (
    CHATUIS,
    OPENAI_END,
    WIRES,
    end_of,
    event_of,
    every_wire,
    every_wire_with_an_end,
    on_wire,
)

LIMIT = 100_000
MEBI = 1024 * 1024


def answering(wire, *answers, ends=True):
    """Return what a raw server answers, chat-ui's earlier steps included."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
    created = b'{"conversationId":"c","conversation":{"rootMessageId":"r"}}'
    first = [[ok % (0, b"")], [ok % (len(created), created)]] if wire in CHATUIS else []
    return [*first, *answers, *([[ok % (0, b"")]] * 3 if ends else [])]


@contextlib.contextmanager
def no_more_than(limit):
    """Hold that the peak of what is allocated meanwhile is at most `limit` bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= limit, f"{peak / MEBI:.1f} MiB were allocated"


# --- replies ------------------------------------------------------------------------------------


def piece_of(kind, number, text):
    """Return an event of OpenAI's wire with a piece of something that a reply keeps."""
    call = {"index": 0, "function": {"arguments": text}}
    delta = {
        "text": {"content": text},
        "reasoning": {"reasoning": text},
        "arguments": {"tool_calls": [call]},
        "calls": {"tool_calls": [call | {"index": number}]},
        "indices": {"tool_calls": [call | {"index": number, "id": "same"}]},
        "names": {"tool_calls": [{"index": number, "function": {"name": text}}]},
    }[kind]
    return b"data: %b\n\n" % msgspec.json.encode({"choices": [{"delta": delta}]})


def flood_of(kind, size):
    return [CHUNKED, *(chunk(piece_of(kind, number, "x" * size)) for number in range(3000))]


@pytest.mark.parametrize("kind", ["text", "reasoning"])
async def test_a_reply_may_take_max_reply_bytes_and_no_more(kind):
    async with (
        raw_server(flood_of(kind, 10_000)) as (url, _),
        SessionManager(max_reply_bytes=MEBI) as sessions,
    ):
        stream = OpenAICompatible(base_url=url, sessions=sessions, retry=ONCE).stream("Hello")
        with no_more_than(8 * MEBI), pytest.raises(asyncllm.ReplyTooLargeError) as caught:
            await stream.collect()
        assert "max_reply_bytes" in str(caught.value)
        reply = caught.value.reply
        assert MEBI - 200_000 < len(reply.text + reply.reasoning) < MEBI + 200_000
        assert reply == stream.reply
        assert reply.finish_reason is None
        with pytest.raises(asyncllm.ReplyTooLargeError):
            await anext(stream)


@pytest.mark.parametrize(
    ("kind", "size"),
    [("arguments", 10_000), ("calls", 1), ("indices", 1), ("names", 1), ("names", 60_000)],
)
async def test_tool_calls_are_bounded_before_they_are_whole(kind, size):
    async with raw_server(flood_of(kind, size)) as (url, _):
        stream = OpenAICompatible(base_url=url, retry=ONCE).stream("Hello")
        with no_more_than(24 * MEBI), pytest.raises(asyncllm.ReplyTooLargeError, match="tool"):
            await stream.collect()


async def test_a_whole_answer_that_is_too_large_has_failed_all_the_same():
    answer = [CHUNKED, chunk(event_of("openai", 5000) + b"\n\n" + OPENAI_END)]
    async with raw_server(answer) as (url, _), SessionManager(max_reply_bytes=4000) as sessions:
        llm = OpenAICompatible(base_url=url, sessions=sessions, retry=ONCE)
        with pytest.raises(asyncllm.ReplyTooLargeError) as caught:
            await llm.complete("Hello")
    assert "xxxa" in caught.value.reply.text
    assert caught.value.reply.finish_reason is None


@pytest.mark.parametrize("kind", ["text", "reasoning"])
async def test_a_stream_that_keeps_nothing_may_be_of_any_length(kind):
    flood = [*flood_of(kind, 10_000), chunk(OPENAI_END), b"0\r\n\r\n"]
    async with raw_server(flood) as (url, _), SessionManager(max_reply_bytes=MEBI) as sessions:
        llm = OpenAICompatible(base_url=url, sessions=sessions, retry=ONCE)
        stream, came = llm.stream("Hello", keep=False), 0
        with no_more_than(4 * MEBI):
            async for item in stream.events():
                came += len(getattr(item, "text", item)) if item != asyncllm.Finish("stop") else 0
    assert came == 30_000_001
    assert stream.reply == asyncllm.Reply(
        finish_reason="stop", raw_finish_reason="stop", model=stream.reply.model
    )


async def test_without_a_session_manager_a_reply_is_bounded_too():
    flood = [CHUNKED, *[chunk(piece_of("text", 0, "x" * MEBI))] * 70]
    async with raw_server(flood) as (url, _):
        with pytest.raises(asyncllm.ReplyTooLargeError, match="67108864"):
            await OpenAICompatible(base_url=url, retry=ONCE).complete("Hello")


async def test_a_conversation_of_a_reply_that_is_too_large_is_deleted(sandbox):
    async with SessionManager(max_reply_bytes=200) as sessions:
        with pytest.raises(asyncllm.ReplyTooLargeError):
            await H2o(base_url=sandbox.url, sessions=sessions).complete("Hello")
    assert sandbox.conversations == 0


# --- events -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 7])
@every_wire
async def test_an_event_may_have_max_event_bytes_and_not_one_more(wire, pieces):
    for size, is_fine in ((LIMIT, True), (LIMIT + 1, False)):
        end = end_of(wire).replace(b'text":"a"}\n', b'text":"xa"}\n')  # chat-ui's is the whole text
        body = event_of(wire, size) + b"\n\n" + end
        step = len(body) // pieces + 1
        parts = [chunk(body[i : i + step]) for i in range(0, len(body), step)]
        answers = answering(wire, [CHUNKED, *parts, b"0\r\n\r\n"])
        async with (
            raw_server(*answers) as (url, _),
            SessionManager(max_event_bytes=LIMIT, grace=0.2) as sessions,
        ):
            llm = on_wire(wire, url, sessions=sessions, retry=ONCE)
            # H2o's whole text would be as large again; with the prompt in it, it is not compared.
            asking = llm.complete("Hello", return_full_text=True)
            if is_fine:
                assert (await asking).text.endswith("xa")
            else:
                with pytest.raises(asyncllm.ProtocolError, match="max_event_bytes"):
                    await asking


@pytest.mark.parametrize(
    "flood",
    [b"x" * 65_536, b"data: " + b"x" * 65_000, b"data: x\n" * 8192, b": " + b"x" * 65_000],
    ids=["no line end", "long lines", "many lines", "a comment"],
)
async def test_an_event_without_end_is_refused_in_little_memory(flood):
    endless = [CHUNKED, *[chunk(flood)] * 1000]
    async with (
        raw_server(endless) as (url, _),
        SessionManager(max_event_bytes=MEBI) as sessions,
    ):
        llm = OpenAICompatible(base_url=url, sessions=sessions, retry=ONCE)
        with no_more_than(8 * MEBI), pytest.raises(asyncllm.ProtocolError, match="max_event_bytes"):
            await llm.complete("Hello")


async def test_a_body_that_has_no_event_at_all_is_read_in_little_memory():
    words = [CHUNKED, *[chunk(b"no field" * 8000 + b"\n\n")] * 300, b"0\r\n\r\n"]  # 18 MiB
    async with raw_server(words) as (url, _), SessionManager() as sessions:
        llm = OpenAICompatible(base_url=url, sessions=sessions, retry=ONCE)
        with no_more_than(8 * MEBI), pytest.raises(asyncllm.ProtocolError, match="no field"):
            await llm.complete("Hello")


async def test_a_plain_json_answer_without_end_is_refused_in_little_memory():
    endless = [CHUNKED, chunk(b'{"choices": "'), *[chunk(b"x" * 65_536)] * 1000]
    async with (
        raw_server(endless) as (url, _),
        SessionManager(max_event_bytes=MEBI) as sessions,
    ):
        llm = Gravityengine(base_url=url, sessions=sessions, retry=ONCE)
        with no_more_than(8 * MEBI), pytest.raises(asyncllm.ProtocolError, match="max_event_bytes"):
            await llm.complete("Hello")


@pytest.mark.parametrize("step", ["settings", "create", "models"])
async def test_an_endless_answer_to_another_step_is_refused_in_little_memory(step):
    endless = [CHUNKED, *[chunk(b"x" * 65_536)] * 1000]
    answers = answering("h2o")[:1] if step == "create" else []
    async with (
        raw_server(*answers, *[endless] * 3) as (url, _),
        SessionManager(max_event_bytes=MEBI, retry=ONCE) as sessions,
    ):
        with no_more_than(8 * MEBI), pytest.raises(asyncllm.AsyncLLMError):
            if step == "models":
                await OpenAICompatible(base_url=url, sessions=sessions).list_models()
            else:
                await H2o(base_url=url, sessions=sessions).complete("Hello")


async def test_what_a_server_said_between_events_is_shown_as_an_excerpt():
    body = b"sorry" * 50_000 + b"\n\n"
    async with raw_server([CHUNKED, chunk(b"data: {}\n\n" + body), b"0\r\n\r\n"]) as (url, _):
        with pytest.raises(asyncllm.StreamInterrupted, match="sorry") as caught:
            await OpenAICompatible(base_url=url, retry=ONCE).complete("Hello")
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"error": {"message": "%s"}}\n\n' % (b"no" * 50_000),
        b"event: error\ndata: %s\n\n" % (b"no" * 50_000),
        b'data: {"detail": [%s1]}\n\n' % (b"1," * 50_000),
    ],
    ids=["message", "named", "detail"],
)
async def test_an_error_inside_an_answer_is_shown_as_an_excerpt(body):
    async with raw_server([CHUNKED, chunk(body), b"0\r\n\r\n"]) as (url, _):
        with pytest.raises(asyncllm.ProviderError) as caught:
            await OpenAICompatible(base_url=url, retry=ONCE).complete("Hello")
    assert len(str(caught.value)) < 2000


# --- error bodies -------------------------------------------------------------------------------


@every_wire
async def test_an_error_body_is_read_up_to_64_kib(wire):
    endless = [b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n"]
    endless += [chunk(b"x" * 65_536)] * 1000
    async with (
        raw_server(*answering(wire, endless)) as (url, _),
        SessionManager(retry=ONCE, grace=0.2) as sessions,
    ):
        with no_more_than(4 * MEBI), pytest.raises(asyncllm.ServerError) as caught:
            await on_wire(wire, url, sessions=sessions).complete("Hello")
    assert caught.value.body == "x" * 65_536
    assert len(str(caught.value)) < 500


async def test_an_error_body_of_many_pieces_is_cut_at_64_kib():
    pieces = [b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n"]
    pieces += [chunk(b"\xe4\xb8\x80" * 1000)] * 100
    async with raw_server(pieces) as (url, _):
        with pytest.raises(asyncllm.ServerError) as caught:
            await OpenAICompatible(base_url=url, retry=ONCE).complete("Hello")
    assert 65_536 // 3 <= len(caught.value.body) <= 65_536 // 3 + 1


async def test_an_error_head_without_end_is_refused():
    lines = [b"X-%d: %b\r\n" % (number, b"x" * 4000) for number in range(1000)]
    async with raw_server([b"HTTP/1.1 500 Oh\r\n", *lines]) as (url, _):
        with no_more_than(8 * MEBI), pytest.raises(asyncllm.AsyncLLMError):
            await OpenAICompatible(base_url=url, retry=ONCE).complete("Hello")


# --- what unpacks to more than it is ------------------------------------------------------------


def bomb(beginning, size, pack):
    """Return `size` bytes that begin with `beginning`, packed to about a thousandth."""
    packer, block = pack(), b"x" * MEBI
    parts = [packer.compress(beginning)]
    parts += [packer.compress(block) for _ in range(size // MEBI)]
    return b"".join([*parts, packer.flush()])


def gzipped():
    return zlib.compressobj(9, zlib.DEFLATED, 31)


def deflated():
    return zlib.compressobj(9, zlib.DEFLATED, 15)


BOMB_SIZE = 64 * MEBI


@pytest.mark.parametrize("beginning", [b"data: ", b'{"a": "', b"", b": "])
@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzipped), ("deflate", deflated)])
async def test_a_packed_stream_is_unpacked_no_further_than_an_event_may_be(coding, pack, beginning):
    packed = bomb(beginning, BOMB_SIZE, pack)
    assert len(packed) < MEBI
    head = HEAD + f"Content-Encoding: {coding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with (
        raw_server([head, packed, 5.0]) as (url, _),
        SessionManager(max_event_bytes=MEBI) as sessions,
    ):
        llm = OpenAICompatible(base_url=url, sessions=sessions, retry=ONCE)
        with no_more_than(2 * MEBI), pytest.raises(asyncllm.ProtocolError, match=coding):
            await llm.complete("Hello")


@pytest.mark.parametrize("status", [b"500 Oh", b"401 Who"])
async def test_a_packed_error_body_is_not_unpacked_and_the_error_is_the_status_s(status):
    packed = bomb(b"no", BOMB_SIZE, gzipped)
    head = b"HTTP/1.1 %b\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    async with raw_server([head % (status, len(packed)), packed, 5.0]) as (url, _):
        with no_more_than(2 * MEBI), pytest.raises(asyncllm.HTTPStatusError) as caught:
            await OpenAICompatible(base_url=url, retry=ONCE).complete("Hello")
    assert (caught.value.status, caught.value.body) == (int(status[:3]), "")
    assert "compressed ('gzip')" in caught.value.__notes__[0]


@pytest.mark.parametrize("coding", [b"", b"identity", b" Identity "])
async def test_an_answer_that_says_it_is_not_packed_is_read(coding):
    head = HEAD + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(OPENAI_END))
    async with raw_server([head + OPENAI_END]) as (url, _):
        assert (await OpenAICompatible(base_url=url, retry=ONCE).complete("Hello")).text == "a"


async def test_an_empty_answer_that_says_it_is_packed_is_no_error():
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"
    async with (
        raw_server([head]) as (url, _),
        SessionManager() as sessions,
        Http(sessions.connections).open("DELETE", url) as response,
    ):
        assert await response.read() == b""


async def test_a_compressed_answer_is_not_asked_for(sandbox, sessions):
    for wire in WIRES:
        await on_wire(wire, sandbox.url, sessions=sessions).complete("Hello")
    await sessions.aclose()
    assert {request.headers["accept-encoding"] for request in sandbox.requests} == {"identity"}


async def test_what_is_no_good_packing_is_a_typed_error():
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n"
    async with raw_server([head + b"not packd"]) as (url, _):
        with pytest.raises(asyncllm.ProtocolError, match="gzip"):
            await OpenAICompatible(base_url=url, retry=ONCE).complete("Hello")


# --- connections --------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", [None, UsageAt(position="last"), PlainJson()], ids=repr)
async def test_twenty_streams_in_a_row_use_one_connection(wire, fault):
    async with Sandbox(faults=[fault] if fault else []) as sandbox, SessionManager() as sessions:
        llm = on_wire(wire, sandbox.url, sessions=sessions)
        for _ in range(20):
            assert (await llm.complete("Hello")).finish_reason == "stop"
            async with asyncio.timeout(30):
                while sandbox.conversations:  # chat-ui deletes beside the next stream
                    await asyncio.sleep(0)
        assert sandbox.connections <= (2 if wire in CHATUIS else 1)


@pytest.mark.parametrize("wire", ["openai", "gravityengine", "lockchat"])
async def test_an_end_that_comes_late_lets_twenty_streams_use_one_connection(wire):
    late = [CHUNKED + chunk(end_of(wire)), 0.005, b"0\r\n\r\n"]
    async with raw_server(*[late] * 20) as (url, connections), SessionManager() as sessions:
        for _ in range(20):
            await on_wire(wire, url, sessions=sessions).complete("Hello")
        assert len(connections) == 1


@pytest.mark.parametrize(
    "is_alone",
    [False, True],
)
async def test_refused_attempts_use_one_connection(is_alone):
    retry = Retry(attempts=21, initial_wait=0.001, max_wait=0.001)
    async with (
        Sandbox(faults=[Status(status=503, times=20)]) as sandbox,
        SessionManager() as manager,
    ):
        sessions = None if is_alone else manager
        await on_wire("openai", sandbox.url, retry=retry, sessions=sessions).complete("Hello")
        assert len(sandbox.requests) == 21
        assert sandbox.connections == 1


@every_wire_with_an_end
async def test_a_flood_behind_the_end_is_drained_no_further_than_its_bounds(wire):
    flood = [CHUNKED + chunk(end_of(wire)), *[chunk(b":" * 65_000)] * 1000]
    clock = asyncio.get_running_loop().time
    async with (
        raw_server(*answering(wire, flood)) as (url, _),
        SessionManager(grace=0.5) as sessions,
    ):
        start = clock()
        with no_more_than(4 * MEBI):
            reply = await on_wire(wire, url, sessions=sessions).complete("Hello")
        assert reply.text == "a"
        assert clock() - start < 1


@every_wire_with_an_end
async def test_a_drip_behind_the_end_is_drained_no_longer_than_its_bounds(wire):
    drip = [CHUNKED + chunk(end_of(wire)), *[0.02, chunk(b":\n\n")] * 500]
    clock = asyncio.get_running_loop().time
    async with (
        raw_server(*answering(wire, drip)) as (url, _),
        SessionManager(grace=0.5) as sessions,
    ):
        start = clock()
        assert (await on_wire(wire, url, sessions=sessions).complete("Hello")).text == "a"
        assert clock() - start < 1


# --- queues -------------------------------------------------------------------------------------


class Torrent:
    """Sends tokens as fast as they are taken, and counts the bytes."""

    def __init__(self, event):
        self.sent, self._piece, self._tasks = 0, chunk(event * 500), set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.search(rb"ength: (\d+)", head)[1]))
        self._tasks.add(asyncio.create_task(self._send(writer)))

    async def _send(self, writer):
        try:
            writer.write(CHUNKED)
            while True:
                writer.write(self._piece)
                self.sent += len(self._piece)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    async def comes_to_rest(self):
        """Wait until nothing more is taken from it."""
        before = -1
        while before != self.sent:
            before = self.sent
            await asyncio.sleep(0.1)


async def test_a_consumer_that_does_not_read_holds_the_server_back():
    event = b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % (b"x" * 100)
    async with (
        Torrent(event) as torrent,
        OpenAICompatible(base_url=torrent.url).stream("Hello") as stream,
    ):
        await anext(stream)
        with no_more_than(8 * MEBI):
            await torrent.comes_to_rest()
        at_rest = torrent.sent
        assert at_rest < 32 * MEBI  # most of it is in the system's buffers on both sides
        while torrent.sent == at_rest:  # it goes on once somebody reads
            await anext(stream)


async def test_a_blocking_consumer_that_does_not_read_holds_the_server_back():
    event = b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % (b"x" * 100)
    async with Torrent(event) as torrent:

        def read_one():
            tokens = asyncllm.run_sync(OpenAICompatible(base_url=torrent.url).stream("Hello"))
            next(iter(tokens))
            return tokens

        tokens = await asyncio.to_thread(read_one)
        await torrent.comes_to_rest()
        assert torrent.sent < 32 * MEBI
        await asyncio.to_thread(tokens.close)


async def test_a_big_event_and_a_long_answer_arrive_whole(sandbox, sessions):
    for wire in WIRES:
        sandbox.add_fault(BigEvent(size=1_000_000, times=1))
        reply = await on_wire(wire, sandbox.url, sessions=sessions).complete("Hello")
        assert reply.text.startswith("A" * 1_000_000)


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "in a session manager"])
async def test_what_was_sent_is_let_go_of_while_its_answer_is_read(is_alone):
    image = b"\x89PNG\r\n\x1a\n" + bytes(700_000)  # of larger bodies aiohttp's own client warns
    message = {"role": "user", "content": [asyncllm.image(image)]}
    token = chunk(b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n')
    async with (
        SessionManager() as sessions,
        raw_server([CHUNKED + token, asyncio.Event()]) as (url, _),
    ):
        shared = None if is_alone else sessions
        tracemalloc.start()
        try:
            provider = OpenAICompatible(base_url=url, model="m", sessions=shared)
            async with provider.stream([message]) as stream:
                assert await anext(stream) == "Hi"
                held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert held < MEBI, f"{held / MEBI:.1f} MiB were held"
