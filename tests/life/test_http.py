"""HTTP against servers that misbehave in ways the sandbox does not: raw bytes on a raw socket."""

import asyncio
import contextlib

import aiohttp
import pytest

import asyncllm
from asyncllm.http.http import Http
from asyncllm.http.proxies import parse_proxy
from support.lateness import Watch, hold_in_time
from support.raw_server import CHUNKED, HEAD, chunk, raw_server


async def first_payloads(http, url):
    async with http.open("POST", url, json={}) as response:
        return await anext(response.payloads())


async def test_the_rest_of_an_answer_is_drained_so_that_its_connection_serves_again(http):
    late_end = [CHUNKED + chunk(b"data:1\n\n"), 0.03, chunk(b": bye\n\n"), b"0\r\n\r\n"]
    async with raw_server(late_end, late_end) as (url, connections):
        assert await first_payloads(http, url) == [b"1"]
        assert await first_payloads(http, url) == [b"1"]
        assert len(connections) == 1


async def test_draining_is_bounded_in_time(http):
    endless = [CHUNKED + chunk(b"data:1\n\n"), 60.0]
    loop = asyncio.get_running_loop()
    async with raw_server(endless, endless) as (url, connections):
        start = loop.time()
        assert await first_payloads(http, url) == [b"1"]
        assert loop.time() - start < 10
        assert await first_payloads(http, url) == [b"1"]
        assert len(connections) == 2


async def test_draining_is_bounded_in_bytes(http):
    flood = [CHUNKED + chunk(b"data:1\n\n"), 0.01, *[chunk(b":" * 65_000)] * 100]
    async with raw_server(flood) as (url, _):
        assert await first_payloads(http, url) == [b"1"]


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ([None], asyncllm.TransportError, "broke before there was an answer"),
        ([b"nonsense\r\n\r\n"], asyncllm.ProtocolError, "not HTTP"),
        ([CHUNKED + chunk(b"data:1"), None], asyncllm.StreamInterrupted, "broke before the answer"),
        ([HEAD + b"Content-Length: 9\r\n\r\ndata"], asyncllm.StreamInterrupted, "broke before"),
        ([CHUNKED + chunk(b"no events") + b"0\r\n\r\n"], asyncllm.ProtocolError, "no events"),
        ([CHUNKED + chunk(b"x" * 100_001)], asyncllm.ProtocolError, "max_event_bytes"),
        (
            [b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"],
            asyncllm.HTTPStatusError,
            "302",
        ),
        (
            [b"HTTP/1.1 418 Tea\r\nContent-Length: 9\r\n\r\nnot", None],
            asyncllm.HTTPStatusError,
            "418 not",
        ),
        ([b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"], asyncllm.ProxyError, "407"),
    ],
)
async def test_what_is_no_good_answer_is_a_typed_error_without_context(http, answer, error, says):
    async with raw_server([*answer, 0.01, None]) as (url, _):
        with pytest.raises(error, match=says) as caught:
            await first_payloads(http, url)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


async def test_a_chunk_that_is_none_is_a_cut_without_c_extensions(http, monkeypatch):
    """There aiohttp raises what is no `ClientError`."""
    parser = aiohttp.http_parser.HttpResponseParserPy
    monkeypatch.setattr("aiohttp.client_proto.HttpResponseParser", parser)
    is_read = asyncio.Event()
    async with (
        raw_server([CHUNKED + chunk(b"data:1\n\n"), is_read, b"zz\r\n", 60.0]) as (url, _),
        http.open("POST", url, json={}) as response,
    ):
        assert await response.next_payloads() == [b"1"]
        is_read.set()
        async with asyncio.timeout(30):
            with pytest.raises(asyncllm.StreamInterrupted):
                await response.next_payloads()


async def test_an_answer_that_is_left_takes_no_more_of_a_request(http):
    """TLS would wait for the server's farewell, and TCP until the server has taken the rest."""
    async with raw_server([CHUNKED + chunk(b"data:1\n\n"), 60.0]) as (url, _):
        with pytest.raises(RuntimeError, match="left"):
            async with http.open("POST", url, json={}) as response:
                assert await response.next_payloads() == [b"1"]
                transport = response._raw.connection.transport
                transport.pause_reading()
                transport.write(b"x" * 20_000_000)
                raise RuntimeError("left")
        assert transport.get_write_buffer_size() == 0


class Counted:
    """What comes of a body, and a note of how much each read brings."""

    def __init__(self, inflow):
        self.inflow, self.reads = inflow, []

    def take(self):
        if read := self.inflow.take():
            self.reads.append(len(read))
        return read

    def arrival(self):
        return self.inflow.arrival()


async def test_an_answer_is_drained_by_64_kib_and_not_by_much_more(http):
    """What one read brings beyond that is thrown away; the rest stays with the server."""
    block, sent = chunk(b":" * 8_000), []

    async def flood(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + chunk(b"data:1\n\n"))
        with contextlib.suppress(ConnectionError):
            while len(sent) < 10_000:
                await asks.wait()
                writer.write(block)
                await writer.drain()
                sent.append(len(block))
        writer.close()

    asks = asyncio.Event()
    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with http.open("POST", url, json=None) as response:
        assert await response.next_payloads() == [b"1"]
        response.inflow = counted = Counted(response.inflow)
        asks.set()
    *but_one, last = counted.reads
    assert sum(but_one) < 64 * 1024 <= sum(but_one) + last
    server.close()


async def test_a_body_larger_than_the_limit_is_refused(http):
    async with raw_server([CHUNKED, *[chunk(b"x" * 50_000)] * 3]) as (url, _):
        with pytest.raises(asyncllm.ProtocolError, match="more than 100000 bytes"):
            async with http.open("GET", url) as response:
                await response.read()


async def test_a_connect_that_takes_too_long_is_a_timeout_in_time(pool):
    # A listening socket whose backlog is full answers nothing: a connect to it hangs.
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        fillers = [socket.socket() for _ in range(4)]

        async def connect():
            watch = Watch(0.2)
            with pytest.raises(asyncllm.StreamTimeout) as caught:
                await first_payloads(Http(pool, connect=0.2), f"http://127.0.0.1:{address[1]}")
            assert caught.value.phase == "connect"
            return watch.stop()

        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            await hold_in_time(connect)
        finally:
            for filler in fillers:
                filler.close()


async def test_a_dead_proxy_is_a_proxy_error(pool):
    async with raw_server() as (url, _):
        pass
    through = Http(pool, proxy=parse_proxy(url.replace("//", "//user:canary@")))
    with pytest.raises(asyncllm.ProxyError, match="cannot connect to the proxy") as caught:
        await first_payloads(through, "http://example.org/")
    assert "canary" not in repr(caught.value)


async def test_proxy_credentials_go_to_the_proxy_in_a_header(pool):
    seen = []

    async def proxy(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    address = f"http://user:canary@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for target in ("http://example.org/", "https://example.org/"):
        with pytest.raises(asyncllm.ProxyError, match="407") as caught:
            await first_payloads(Http(pool, proxy=parse_proxy(address)), target)
        assert "canary" not in repr(caught.value)
    server.close()
    assert seen[0].startswith(b"POST http://example.org/")
    assert seen[1].startswith(b"CONNECT example.org:443")
    for head in seen:
        assert head.count(b"Proxy-Authorization: Basic dXNlcjpjYW5hcnk=") == 1


async def test_a_closed_pool_opens_no_new_connection(pool, http):
    await pool.aclose()
    with pytest.raises(asyncllm.TransportError, match="closed"):
        await first_payloads(http, "http://127.0.0.1:9/")


async def test_payloads_go_by_their_former_names_too(http):
    later = asyncio.Event()
    sent = [CHUNKED + chunk(b"data:1\n\n"), later, chunk(b"data:2\n\n") + b"0\r\n\r\n"]
    async with raw_server(sent) as (url, _), http.open("POST", url, json={}) as response:
        assert await response.next_events() == [b"1"]
        later.set()
        assert [payloads async for payloads in response.events()] == [[b"2"]]


async def test_a_request_that_is_never_entered_is_never_sent(http):
    async with raw_server([b"unasked"]) as (url, connections):
        http.open("POST", url, json={})
    assert not connections


async def test_an_error_body_that_trickles_on_is_shown_as_far_as_it_came(http):
    head = b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw_server([head, chunk(b"too many"), 60.0]) as (url, _), asyncio.timeout(30):
        with pytest.raises(asyncllm.ServerError, match="too many"):
            await first_payloads(http, url)


async def test_an_answer_whose_draining_is_cancelled_is_closed(http):
    async with raw_server([CHUNKED + chunk(b"data:1\n\n"), 60.0]) as (url, _):
        opening = http.open("POST", url, json={})
        response = await opening.__aenter__()
        assert await response.next_payloads() == [b"1"]
        transport = response._raw.connection.transport
        leaving = asyncio.create_task(opening.__aexit__(None, None, None))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        assert transport.is_closing()


async def test_what_can_not_be_read_behind_the_last_payload_is_told(http):
    too_large = chunk(b"data:1\n\ndata:" + b"x" * 200_000 + b"\n\n")
    async with (
        raw_server([CHUNKED + too_large, b"0\r\n\r\n"]) as (url, _),
        http.open("POST", url, json={}) as response,
    ):
        assert await response.next_payloads() == [b"1"]
        with pytest.raises(asyncllm.ProtocolError, match="max_event_bytes"):
            await response.next_payloads()


async def test_a_header_for_one_request_stands_for_all_of_its_name(pool):
    heads = []

    async def serve(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(CHUNKED + b"0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    given = {"authorization": "mine", "content-type": "application/x-json"}
    http = Http(pool, headers={"Authorization": "everybody's"})
    async with server, http.open("POST", url, json={}, headers=given):
        pass
    lines = heads[0].lower().split(b"\r\n")
    assert [line for line in lines if line.startswith((b"authorization", b"content-type"))] == [
        b"authorization: mine",
        b"content-type: application/x-json",
    ]
