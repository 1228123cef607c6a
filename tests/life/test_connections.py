"""Connections that are kept: nobody's answer becomes somebody's."""

import asyncio
import select
import socket

import pytest

import asyncllm
from asyncllm.http.connections import ConnectionPool
from asyncllm.http.http import Http
from support.leftovers import open_descriptors
from support.loops import LOOPS
from support.raw_server import CHUNKED, HEAD, chunk, raw_server
from support.waiting import until

END = b"0\r\n\r\n"
STRAY = HEAD + b"Content-Length: 14\r\n\r\ndata: stray\n\n\n"


def answer(text):
    return CHUNKED + chunk(b"data: %s\n\n" % text) + END


async def ask(http, url):
    async with http.open("POST", url, json={}) as response:
        payloads = [each async for batch in response.payloads() for each in batch]
        return payloads, response.status


@pytest.fixture(params=["plain", "tls"])
def tls(request):
    return request.getfixturevalue("contexts") if request.param == "tls" else (None, None)


@pytest.fixture(params=LOOPS)
def serve(request, tls):
    """A function that runs what asks a raw server, in each loop, over plain http and over TLS."""
    server_tls, client_tls = tls

    async def serve_and_ask(answers, questions):
        pool = ConnectionPool(ssl=client_tls)
        async with raw_server(*answers, tls=server_tls) as (url, connections):
            await questions(Http(pool, connect=30.0), url)
            await pool.aclose()
            return url, len(connections)

    def run(answers, questions):
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(serve_and_ask(answers, questions))

    return run


@pytest.mark.parametrize("stray", [STRAY, STRAY[:9], STRAY[:1], b"\0", b"\r\n"])
def test_what_comes_on_an_idle_connection_is_no_answer_to_the_next_question(serve, stray, caplog):
    is_idle = asyncio.Event()

    async def questions(http, url):
        assert await ask(http, url) == ([b"1"], 200)
        is_idle.set()
        await until(lambda: caplog.records)
        assert await ask(http, url) == ([b"2"], 200)

    url, connections = serve([[answer(b"1"), is_idle, stray], [answer(b"2")]], questions)
    assert connections == 2
    assert [record.message for record in caplog.records] == [
        f"{url}: received bytes that nobody had asked for on an idle connection; it was closed"
    ]


@pytest.mark.parametrize("stray", [STRAY, STRAY[:-1], STRAY[:40], STRAY[:9], STRAY[:1]])
def test_what_comes_with_the_end_of_an_answer_is_no_answer_to_the_next_question(serve, stray):
    half, is_read = CHUNKED + chunk(b"data: 1\n\n"), asyncio.Event()
    at_once, later = [half + END + stray], [half, is_read, END + stray]

    async def questions(http, url):
        assert await ask(http, url) == ([b"1"], 200)
        async with http.open("POST", url, json={}) as response:
            assert await response.next_payloads() == [b"1"]
            is_read.set()
            assert await response.next_payloads() == []
        assert await ask(http, url) == ([b"2"], 200)

    assert serve([at_once, later, [answer(b"2")]], questions)[1] == 3


@pytest.mark.parametrize("stray", [STRAY, STRAY[:1], None])
async def test_what_the_loop_has_not_read_yet_is_no_answer_to_the_next_question(pool, http, stray):
    is_idle = asyncio.Event()
    async with raw_server([answer(b"1"), is_idle, stray], [answer(b"2")]) as (url, connections):
        assert await ask(http, url) == ([b"1"], 200)
        [route] = pool._routes.values()
        [kept] = route._open.values()
        kept.transport.pause_reading()  # as if the event loop were busy until the next question
        is_idle.set()
        await until(lambda: select.select([kept.transport.get_extra_info("socket")], [], [], 0)[0])
        assert await ask(http, url) == ([b"2"], 200)
        assert len(connections) == 2


def test_a_quiet_connection_serves_again_and_again(serve, caplog):
    empty = HEAD + b"Content-Length: 0\r\n\r\n"
    no_content = b"HTTP/1.1 204 No\r\n\r\n"
    sized = HEAD + b"Content-Length: 9\r\n\r\ndata: 1\n\n"

    async def questions(http, url):
        for _ in range(9):
            async with http.open("POST", url, json={}) as response:
                await response.read()

    assert serve([[each] for each in (empty, no_content, sized) * 3], questions)[1] == 1
    assert not caplog.records


async def test_a_server_that_hangs_up_an_idle_connection_is_nothing_to_warn_of(http, caplog):
    is_idle = asyncio.Event()
    async with raw_server([answer(b"1"), is_idle, None], [answer(b"2")]) as (url, connections):
        before = open_descriptors()
        assert await ask(http, url) == ([b"1"], 200)
        is_idle.set()
        await until(lambda: open_descriptors() == before)
        assert await ask(http, url) == ([b"2"], 200)
        assert len(connections) == 2
    assert not caplog.records


# Hooks into aiohttp: each of these fails where aiohttp no longer calls one.


async def test_a_read_asks_for_no_more_memory_than_the_heap_gives(http):
    """For 128 KiB and more glibc may ask the kernel, at several times a token's other costs."""
    async with (
        raw_server([CHUNKED + chunk(b"data:1\n\n"), 5.0]) as (url, _),
        http.open("POST", url, json={}) as response,
    ):
        transport = response._raw.connection.transport
        if not hasattr(transport, "max_size"):
            pytest.skip("only asyncio's own loop allocates for each read")
        assert transport.max_size < 128 * 1024


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_pool_that_is_closed_waits_for_no_server_that_takes_no_more(pool, http):
    """The rest of a request would be sent before a connection is closed, were it not aborted."""
    taken = asyncio.Event()

    async def take_nothing(reader, writer):
        reader._transport.pause_reading()
        writer.write(CHUNKED + chunk(b"data:1\n\n"))
        await taken.wait()
        writer.transport.abort()

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server = await asyncio.start_server(take_nothing, sock=listening)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    before = open_descriptors()
    async with (
        asyncio.timeout(30),
        http.open("POST", url, json=b" " * 20_000_000) as response,
    ):
        assert await anext(response.payloads()) == [b"1"]
        asyncio.get_running_loop().call_later(2, taken.set)  # lest a failure hangs
        await pool.aclose()
        assert not taken.is_set()
    taken.set()
    await until(lambda: open_descriptors() == before)
    server.close()
    await server.wait_closed()


async def test_a_kept_connection_that_is_closed_on_a_request_is_replaced_at_once(http, caplog):
    caplog.set_level("INFO", "asyncllm")
    async with raw_server([answer(b"1")], [None], [answer(b"2")]) as (url, connections):
        assert await ask(http, url) == ([b"1"], 200)
        assert await ask(http, url) == ([b"2"], 200)
        assert len(connections) == 2
    assert [record.message for record in caplog.records] == [
        f"POST {url}: the kept connection had been closed; sent on a new one"
    ]


async def test_a_new_connection_that_is_closed_on_a_request_is_not(http):
    async with raw_server([None], [answer(b"2")]) as (url, connections):
        with pytest.raises(asyncllm.TransportError, match="broke before there was an answer"):
            await ask(http, url)
        assert len(connections) == 1
