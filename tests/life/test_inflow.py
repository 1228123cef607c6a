"""The bytes of a body as they come: by aiohttp's parser, or as aiohttp offers them to everybody."""

import asyncio
import socket

import aiohttp
import pytest

import asyncllm
from asyncllm.http import inflow
from asyncllm.http.inflow import inflow_of
from asyncllm.options import READ_AHEAD
from support.raw_server import CHUNKED, HEAD, chunk, raw_server

PATIENT = 30.0
ONE_READ = 64 * 1024
IS_KNOWN = inflow.IS_KNOWN  # whatever the tests are run with


@pytest.fixture(params=["direct", "as offered"])
def is_direct(request, monkeypatch):
    is_direct = request.param == "direct"
    monkeypatch.setattr(inflow, "IS_KNOWN", is_direct)
    return is_direct


direct = pytest.mark.parametrize("is_direct", ["direct"], indirect=True)


async def all_of(body):
    """Return what each look brought, and what ended it."""
    looks = []
    async with asyncio.timeout(PATIENT):
        while True:
            try:
                while (data := body.take()) is None:
                    await body.arrival()
            except Exception as error:  # noqa: BLE001 - it is what is asked for
                return looks, error
            if not data:
                return looks, None
            looks.append(data)


async def test_both_ways_give_the_bytes_and_then_the_end(http, is_direct):
    bodies = [
        CHUNKED + chunk(b"data:1\n\n") + chunk(b"data:2\n\n") + chunk(b""),
        HEAD + b"Content-Length: 16\r\n\r\ndata:1\n\ndata:2\n\n",
        HEAD + b"Connection: close\r\n\r\ndata:1\n\ndata:2\n\n",
    ]
    for body in bodies:
        for pieces in ([body], [body[i : i + 1] for i in range(len(body))]):
            async with raw_server(pieces) as (url, _), http.open("GET", url) as response:
                assert (type(response.inflow) is inflow._Direct) is is_direct
                looks, error = await all_of(response.inflow)
            assert (b"".join(looks), error) == (b"data:1\n\ndata:2\n\n", None)


async def test_an_answer_without_a_body_is_at_its_end_at_once(http, is_direct):
    answer = [b"HTTP/1.1 204 No Content\r\n\r\n"]
    async with raw_server(answer) as (url, _), http.open("GET", url) as response:
        assert await all_of(response.inflow) == ([], None)


@direct
async def test_what_came_before_a_connection_broke_is_given_before_its_error(http, is_direct):
    whole = asyncio.Event()
    steps = [CHUNKED + chunk(b"first"), whole, chunk(b"second"), None]
    async with raw_server(steps) as (url, _), http.open("GET", url) as response:
        body = inflow_of(response._raw.content)
        assert await first_of(response.inflow) == b"first"
        lost = response._raw.connection.protocol.closed
        whole.set()
        await asyncio.wait([lost])
        looks, error = await all_of(response.inflow)
    assert looks == [b"second"]
    assert isinstance(error, aiohttp.ClientError)
    assert not isinstance(body, inflow._Direct)  # nobody makes one of another


async def first_of(body):
    async with asyncio.timeout(PATIENT):
        while not (data := body.take()):
            await body.arrival()
    return data


async def test_a_stream_is_the_same_on_both_ways(sandbox, sessions, is_direct):
    provider = asyncllm.H2o(base_url=sandbox.url, sessions=sessions)
    async with provider.stream("Hello") as stream:
        items = [item async for item in stream.events()]
    assert isinstance(items[-1], asyncllm.Finish)
    assert stream.reply.text == "".join(item for item in items if isinstance(item, str))


async def test_a_reader_who_is_cancelled_while_it_waits_may_wait_again(http, is_direct):
    goes_on = asyncio.Event()
    steps = [CHUNKED + chunk(b"first"), goes_on, chunk(b"second"), 60.0]
    async with raw_server(steps) as (url, _), http.open("GET", url) as response:
        assert await first_of(response.inflow) == b"first"
        waiting = asyncio.ensure_future(first_of(response.inflow))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        goes_on.set()
        assert await first_of(response.inflow) == b"second"


@pytest.mark.parametrize("size", [1, 1000], ids=["tiny chunks", "chunks"])
async def test_a_body_that_nobody_takes_stops_its_server(http, size, is_direct):
    """Bytes that wait are bounded, and so is their number: a chunk of one byte takes fifty."""
    block, sent, stuck = chunk(b"x" * size) * (20_000 // size), [], asyncio.Event()

    async def flood(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        little = (socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)  # or the kernel takes megabytes
        writer.get_extra_info("socket").setsockopt(*little)
        writer.write(CHUNKED)
        while not stuck.is_set():
            writer.write(block)
            sent.append(block.count(b"x"))
            try:
                async with asyncio.timeout(1):
                    await writer.drain()
            except TimeoutError:
                stuck.set()
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, asyncio.timeout(PATIENT), http.open("GET", url) as response:
        await stuck.wait()
        waiting = response._raw.content._buffer
        assert len(waiting) <= ONE_READ
        assert sum(map(len, waiting)) <= READ_AHEAD + ONE_READ
        taken = 0
        while taken < sum(sent):  # reading goes on where it had paused
            taken += len(await first_of(response.inflow))


def test_what_is_touched_of_aiohttps_reader_is_there():
    """Otherwise bodies are read as aiohttp offers them, which costs a fifth more a token."""
    assert IS_KNOWN
    for hook in ("feed_data", "begin_http_chunk_receiving", "end_http_chunk_receiving"):
        assert hook in vars(inflow._Direct)
        assert hook in vars(aiohttp.StreamReader)


@direct
async def test_aiohttps_parser_calls_what_stands_in_for_its_own(http, monkeypatch, is_direct):
    called = []
    for hook in ("feed_data", "begin_http_chunk_receiving", "end_http_chunk_receiving"):
        own = vars(inflow._Direct)[hook]

        def noted(self, *args, own=own, hook=hook):
            called.append(hook)
            return own(self, *args)

        monkeypatch.setattr(inflow._Direct, hook, noted)
    goes_on = asyncio.Event()
    steps = [CHUNKED, goes_on, chunk(b"first") + chunk(b"")]
    async with raw_server(steps) as (url, _), http.open("GET", url) as response:
        goes_on.set()
        assert await first_of(response.inflow) == b"first"
    assert set(called) == {
        "feed_data",
        "begin_http_chunk_receiving",
        "end_http_chunk_receiving",
    }
