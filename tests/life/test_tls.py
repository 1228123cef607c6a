"""TLS: who begins it, and what a connection takes of memory."""

import asyncio
import re
import socket
import ssl
import struct
import sys
import threading
import types
from asyncio import sslproto
from importlib.machinery import ModuleSpec

import pytest

from asyncllm import StreamInterrupted, TransportError
from asyncllm.http import fast
from asyncllm.http.connections import ConnectionPool
from asyncllm.http.http import Http
from asyncllm.sync.uv import ForkableLoop
from support.leftovers import open_descriptors
from support.loops import LOOPS
from support.raw_server import CHUNKED, chunk, raw_server
from support.tls import buffers, open_transports
from support.waiting import until

END = b"0\r\n\r\n"
ANSWER = CHUNKED + chunk(b"data: 1\n\n") + END


@pytest.fixture
async def pool(contexts):
    pool = ConnectionPool(ssl=contexts[1], accelerate=False)
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


async def test_much_at_once_comes_whole_through_a_small_buffer(contexts, accelerate):
    pool = ConnectionPool(ssl=contexts[1], accelerate=accelerate)
    http = Http(pool, connect=30.0)
    text = [b"%d" % number * 1000 for number in range(300)]
    answer = [CHUNKED, b"".join(chunk(b"data: %s\n\n" % each) for each in text), END]
    async with (
        raw_server(answer, answer, tls=contexts[0]) as (url, _),
        http.open("POST", url, json={}) as one,
        http.open("POST", url, json={}) as two,
    ):
        for response in (one, two):
            assert [each async for batch in response.payloads() for each in batch] == text
    await pool.aclose()


@pytest.mark.parametrize("loop", LOOPS)
def test_a_reader_that_is_slow_gets_all_and_nothing_is_logged(contexts, accelerate, loop, caplog):
    text = [b"%d" % number * 1000 for number in range(2000)]
    answer = [CHUNKED, b"".join(chunk(b"data: %s\n\n" % each) for each in text), END]

    async def read_slowly():
        pool = ConnectionPool(ssl=contexts[1], accelerate=accelerate)
        async with (
            raw_server(answer, tls=contexts[0]) as (url, _),
            Http(pool, connect=30.0).open("POST", url, json={}) as response,
        ):
            [transport] = open_transports(pool)
            await until(lambda: not transport.is_reading())
            assert [each async for batch in response.payloads() for each in batch] == text
        await pool.aclose()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(read_slowly())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def answer_and_reset(listening, context, answer, block):
    """Answers a request over TLS, and resets the connection, while `block` holds up its reader."""
    with listening, listening.accept()[0] as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or a reset drops the answer
        server = context.wrap_socket(raw, server_side=True)
        server.recv(2**16)
        was_reset = block()
        server.sendall(answer)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        was_reset.set()


@pytest.mark.parametrize("make_loop", [*LOOPS.values(), ForkableLoop], ids=[*LOOPS, "run_sync"])
def test_a_connection_that_is_reset_with_bytes_still_to_be_read_is_told_of(
    contexts, accelerate, make_loop
):
    async def read():
        loop = asyncio.get_running_loop()

        def block():
            is_blocked, was_reset = threading.Event(), threading.Event()
            loop.call_soon_threadsafe(lambda: (is_blocked.set(), was_reset.wait(10)))
            is_blocked.wait(10)
            return was_reset

        listening = socket.create_server(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        answer = CHUNKED + chunk(b"data: 1\n\n")
        answering = asyncio.to_thread(answer_and_reset, listening, contexts[0], answer, block)
        server = asyncio.ensure_future(answering)
        pool = ConnectionPool(ssl=contexts[1], accelerate=accelerate)
        async with asyncio.timeout(20):
            with pytest.raises(StreamInterrupted):
                async with Http(pool, connect=30.0).open("POST", url, json={}) as response:
                    assert await response.next_payloads() == [b"1"]
                    await response.next_payloads()
        await server
        await pool.aclose()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(read())


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


@pytest.mark.parametrize("breaks", ["untrusted", "cancelled", "hangs up", "resets"])
async def test_a_handshake_that_fails_leaves_nothing(contexts, accelerate, breaks):
    said = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    pool = ConnectionPool(ssl=contexts[1] if breaks != "untrusted" else None, accelerate=accelerate)
    before = open_descriptors()
    came = asyncio.Event()

    async def serve(reader, writer):
        came.set()
        if breaks == "hangs up":
            await reader.read(1)  # with anything unread it would be a reset
            writer.close()
        if breaks == "resets":
            writer.transport.abort()
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
    assert said == []


def handshakes():
    """Return the limits of time of handshakes that the event loop has still to look after."""
    timers = asyncio.get_running_loop()._scheduled
    return [timer for timer in timers if not timer.cancelled() and "handshake" in repr(timer)]


async def test_a_handshake_that_is_cancelled_leaves_no_timer_that_holds_it(contexts, accelerate):
    pool = ConnectionPool(ssl=contexts[1], accelerate=accelerate)
    writers = []

    async def serve(reader, writer):
        writers.append(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    asking = asyncio.create_task(Http(pool).open("GET", url).__aenter__())
    await until(lambda: writers and handshakes())
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: not handshakes())
    await pool.aclose()
    server.close()
    writers[0].transport.abort()


# What the extra `speed` brings.


@pytest.fixture
def found(monkeypatch):
    """Look for aiofastnet anew, before and after the test."""
    fast.known_aiofastnet.cache_clear()
    yield monkeypatch
    fast.known_aiofastnet.cache_clear()


async def transport_of_a_stream(contexts, **options):
    pool = ConnectionPool(ssl=contexts[1], **options)
    answer = [CHUNKED + chunk(b"data: 1\n\n"), 5.0]
    async with (
        raw_server(answer, tls=contexts[0]) as (url, _),
        Http(pool, connect=30.0).open("POST", url, json={}) as response,
    ):
        assert await response.next_payloads() == [b"1"]
        [transport] = open_transports(pool)
        await pool.aclose()
        return transport


@pytest.mark.parametrize("loop", LOOPS)
def test_aiofastnet_is_taken_by_itself_with_pythons_own_ssl(contexts, found, loop):
    pytest.importorskip("aiofastnet")
    found.delenv("ASYNCLLM_ACCELERATE", raising=False)
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        transport = runner.run(transport_of_a_stream(contexts))
        assert type(transport).__module__.startswith("aiofastnet")
        assert type(transport.get_extra_info("ssl_object")) is ssl.SSLObject


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("option", [True, False])
def test_it_is_switched_off_by_an_option_and_by_the_environment(contexts, found, loop, option):
    if option:
        found.setenv("ASYNCLLM_ACCELERATE", "0")
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        transport = runner.run(transport_of_a_stream(contexts, accelerate=option))
        assert type(transport).__module__.startswith(("asyncio", "uvloop"))


class Broken(types.ModuleType):
    """A module that can't be imported to its end."""

    def __getattr__(self, name):
        raise OSError("no such library: libssl.so.9")


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (types.ModuleType("aiofastnet"), "AttributeError"),
        (Broken("aiofastnet"), "OSError: no such library: libssl.so.9"),
        (
            types.SimpleNamespace(__version__="0.9.0"),
            r"its version is 0\.9\.0, and 1\.2\.x is needed",
        ),
        (
            types.SimpleNamespace(__version__="2.0.0"),
            r"its version is 2\.0\.0, and 1\.2\.x is needed",
        ),
    ],
)
async def test_one_that_can_not_be_used_is_done_without(contexts, found, caplog, module, said):
    found.delenv("ASYNCLLM_ACCELERATE", raising=False)
    vars(module)["__spec__"] = ModuleSpec("aiofastnet", None)
    found.setitem(sys.modules, "aiofastnet", module)
    for _ in range(2):
        transport = await transport_of_a_stream(contexts)
        assert type(transport).__module__ == "asyncio.sslproto"
    [record] = caplog.records
    assert re.search(said, record.message)


async def test_who_has_not_installed_it_hears_nothing_of_it(contexts, found, caplog):
    found.setitem(sys.modules, "aiofastnet", None)
    transport = await transport_of_a_stream(contexts)
    assert type(transport).__module__ == "asyncio.sslproto"
    assert not caplog.records


async def test_callbacks_of_a_context_harm_nobody(contexts, accelerate, tmp_path):
    """Such as SSLKEYLOGFILE has; aiofastnet's own use of OpenSSL would crash or hang there."""
    server, client = contexts
    client.keylog_filename = str(tmp_path / "keys")
    try:
        await transport_of_a_stream((server, client), accelerate=accelerate)
    finally:
        client.keylog_filename = None
    assert (tmp_path / "keys").stat().st_size
