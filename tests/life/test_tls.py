"""TLS: what a connection takes of memory."""

import asyncio
from asyncio import sslproto

import pytest

from asyncllm import TransportError
from asyncllm.http.connections import ConnectionPool
from asyncllm.http.http import Http
from support.leftovers import open_descriptors
from support.raw_server import CHUNKED, chunk, raw_server
from support.tls import buffers, open_transports
from support.waiting import until

END = b"0\r\n\r\n"
ANSWER = CHUNKED + chunk(b"data: 1\n\n") + END


@pytest.fixture
async def pool(contexts):
    pool = ConnectionPool(ssl=contexts[1])
    yield pool
    await pool.aclose()


@pytest.fixture
def http(pool):
    return Http(pool, connect=30.0)


# A hook into aiohttp, and one into asyncio.


async def test_what_is_open_over_tls_reads_into_one_buffer(contexts, pool, http):
    ends = asyncio.Event()
    answer = [CHUNKED + chunk(b"data: 1\n\n"), ends, END]
    async with raw_server(answer, answer, tls=contexts[0]) as (url, connections):
        async with http.open("POST", url, json={}) as one, http.open("POST", url, json={}) as two:
            assert await one.next_payloads() == await two.next_payloads() == [b"1"]
            [[first], [second]] = map(buffers, open_transports(pool))
            assert first is second
            assert len(first) < 64 * 1024
            ends.set()
        assert len(connections) == 2


async def test_much_at_once_comes_whole_through_a_small_buffer(contexts, http):
    text = [b"%d" % number * 1000 for number in range(300)]
    answer = [CHUNKED, b"".join(chunk(b"data: %s\n\n" % each) for each in text), END]
    async with (
        raw_server(answer, answer, tls=contexts[0]) as (url, _),
        http.open("POST", url, json={}) as one,
        http.open("POST", url, json={}) as two,
    ):
        for response in (one, two):
            assert [each async for batch in response.payloads() for each in batch] == text


async def test_a_protocol_of_asyncios_that_is_not_known_is_left_alone(
    contexts, pool, http, monkeypatch
):
    begin = sslproto.SSLProtocol.__init__

    def begin_with_anything(protocol, *arguments, **options):
        begin(protocol, *arguments, **options)

    monkeypatch.setattr(sslproto.SSLProtocol, "__init__", begin_with_anything)
    async with (
        raw_server([ANSWER], tls=contexts[0]) as (url, _),
        http.open("POST", url, json={}) as response,
    ):
        assert await response.next_payloads() == [b"1"]
        [[buffer]] = map(buffers, open_transports(pool))
        assert len(buffer) == sslproto.SSLProtocol.max_size


@pytest.mark.parametrize("breaks", ["untrusted", "cancelled", "hangs up"])
async def test_a_handshake_that_fails_leaves_nothing(contexts, breaks):
    pool = ConnectionPool(ssl=contexts[1] if breaks != "untrusted" else None)
    before = open_descriptors()
    came = asyncio.Event()

    async def serve(reader, writer):
        came.set()
        if breaks == "hangs up":
            writer.close()
        await reader.read()
        writer.close()

    tls = contexts[0] if breaks == "untrusted" else None
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    asking = asyncio.create_task(Http(pool, connect=30.0).open("GET", url).__aenter__())
    if breaks == "cancelled":
        await came.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    else:
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED|cannot connect"):
            await asking
    server.close()
    await server.wait_closed()
    await until(lambda: open_descriptors() == before)
    await pool.aclose()
