"""Connections that are opened ahead."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest

from asyncllm import (
    ConfigurationError,
    OpenAICompatible,
    SessionManager,
    StreamTimeout,
    Timeouts,
    TransportError,
)
from asyncllm.http.connections import ConnectionPool
from asyncllm.http.http import Http
from asyncllm.http.warm import warm
from asyncllm.sandbox import Sandbox
from support.leftovers import open_descriptors, settled
from support.raw_server import CHUNKED, chunk, raw_server
from support.tls import open_transports
from support.waiting import until

EVENT = b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
END = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
ANSWER = CHUNKED + chunk(EVENT + END) + b"0\r\n\r\n"


def model_at(url, sessions):
    return OpenAICompatible(base_url=f"{url}/v1", model="gpt-4", sessions=sessions)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_next_streams_take_the_connections_that_are_open(contexts, scheme):
    tls = contexts[0] if scheme == "https" else None
    async with Sandbox(ssl=tls) as server, SessionManager(ssl=contexts[1]) as sessions:
        await sessions.warm(f"{server.url}/v1", 3)
        assert server.connections == 3
        assert not server.requests
        model = model_at(server.url, sessions)
        await asyncio.gather(*(model.complete("Hello") for _ in range(3)))
        assert server.connections == 3


async def test_connections_that_are_kept_already_count(sandbox, sessions):
    await sessions.warm(sandbox.url)
    await sessions.warm(sandbox.url, 3)
    await sessions.warm(sandbox.url, 2)
    assert sandbox.connections == 3


async def test_what_comes_on_a_connection_before_it_has_served_is_no_answer(sessions, caplog):
    speaks = asyncio.Event()
    came = []

    async def serve(reader, writer):
        came.append(writer)
        if len(came) == 1:
            await speaks.wait()
            writer.write(ANSWER)
        else:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await sessions.warm(url)
    speaks.set()
    await until(lambda: caplog.records)
    assert (await model_at(url, sessions).complete("Hello")).text == "Hello"
    assert len(came) == 2
    server.close()
    for writer in came:
        writer.transport.abort()


async def test_a_server_that_hangs_up_meanwhile_gets_a_new_connection(sessions):
    async with raw_server([None], [ANSWER]) as (url, connections):
        await sessions.warm(url)
        assert (await model_at(url, sessions).complete("Hello")).text == "Hello"
        assert len(connections) == 2


@pytest.mark.parametrize(
    ("url", "n", "named"),
    [
        ("localhost:8000", 1, "url can't be used"),
        ("http://user:secret@localhost", 1, "url can't be used"),
        ("http://localhost", 0, "n must be a whole number from 1"),
        ("http://localhost", True, "n must be a whole number from 1"),
        ("http://localhost", 1.5, "n must be a whole number from 1"),
        ("http://localhost", 1001, "n must be a whole number from 1"),
    ],
)
async def test_what_can_not_be_used_is_said(sessions, url, n, named):
    with pytest.raises(ConfigurationError, match=named):
        await sessions.warm(url, n)


async def test_a_manager_that_is_closed_opens_nothing(sandbox):
    sessions = SessionManager()
    async with sessions:
        pass
    with pytest.raises(ConfigurationError, match="closed"):
        await sessions.warm(sandbox.url)
    assert not sandbox.connections


async def test_a_server_that_can_not_be_reached_is_an_error_as_of_a_stream(sessions, contexts):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()
    with pytest.raises(TransportError, match="cannot connect to 127.0.0.1") as caught:
        await sessions.warm(url, 3)
    assert caught.value.__cause__ is caught.value.__context__ is None
    async with Sandbox(ssl=contexts[0]) as untrusted:
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED"):
            await sessions.warm(untrusted.url)


@pytest.fixture
async def silent():
    """A server that accepts, and says nothing."""
    writers = []

    async def serve(reader, writer):
        writers.append(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", writers
    server.close()
    for writer in writers:
        writer.transport.abort()


async def test_a_handshake_that_takes_too_long_is_a_timeout(silent):
    async with SessionManager(timeouts=Timeouts(connect=0.2)) as sessions:
        with pytest.raises(StreamTimeout, match=r"no connection within 0\.2 s") as caught:
            await sessions.warm(silent[0], 2)
        assert caught.value.phase == "connect"
        assert caught.value.__cause__ is caught.value.__context__ is None


async def test_what_is_cancelled_leaves_nothing(silent, sessions):
    url, writers = silent
    before = open_descriptors()
    warming = asyncio.create_task(sessions.warm(url, 5))
    await until(lambda: len(writers) == 5)
    warming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await warming
    for writer in writers:
        writer.transport.abort()
    await until(lambda: open_descriptors() == before)
    assert not open_transports(sessions.connections)
    await settled()


async def test_a_manager_that_is_closed_meanwhile_ends_the_warming(silent):
    sessions = SessionManager(ssl=ssl.create_default_context())
    async with sessions:
        warming = asyncio.create_task(sessions.warm(silent[0], 2))
        await until(lambda: len(silent[1]) == 2)
        before = asyncio.get_running_loop().time()
    with pytest.raises(TransportError, match="closed meanwhile"):
        await warming
    assert asyncio.get_running_loop().time() - before < 5  # rather than the connect limit


async def test_a_ticket_of_tls_on_a_connection_that_is_kept_is_no_answer(contexts):
    """It comes just before the question, when the event loop has no time to read it."""
    pool = ConnectionPool(ssl=contexts[1])
    async with (
        raw_server([ANSWER], tls=contexts[0]) as (server, connections),
        holding_tickets(server) as (url, tickets, to_client),
    ):
        await warm(pool, url, 1, proxy=None, connect=30.0)
        await until(lambda: tickets)
        to_client[0].write(b"".join(tickets))
        tickets.clear()
        async with Http(pool).open("POST", url, json={}) as response:
            assert await response.next_payloads()
        assert len(connections) == 1
        await pool.aclose()


@asynccontextmanager
async def holding_tickets(server):
    """Stand in front of a server, and hold what it says once the client is done with TLS."""
    tickets, to_client, pumps = [], [], []

    async def pump(source, send):
        while data := await source.read(65536):
            send(data)

    async def serve(reader, writer):
        from_server, to_server = await asyncio.open_connection(*server[8:].split(":"))
        flights = []

        def hear(data):
            flights.append(data)
            to_server.write(data)

        def tell(data):
            (tickets.append if len(flights) == 2 else writer.write)(data)

        to_client.append(writer)
        pumps.extend(map(asyncio.create_task, (pump(reader, hear), pump(from_server, tell))))
        await asyncio.wait(pumps)
        to_server.close()

    relay = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"https://127.0.0.1:{relay.sockets[0].getsockname()[1]}", tickets, to_client
    relay.close()
    for task in pumps:
        task.cancel()
    await asyncio.wait(pumps)
    to_client[0].close()
