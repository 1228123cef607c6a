"""No connection outlives its session manager, whoever is at the other end."""

import asyncio
import contextlib
import gc
import os
import socket
import stat
import struct
from pathlib import Path

import pytest

from asyncllm import StreamInterrupted
from asyncllm.sandbox import Sandbox

from .conftest import ROUTES, ask_openai, raises
from .launcher import PASSWORD, USER

pytestmark = pytest.mark.timeout(300)  # installing takes a while

IDLE_TUNNELS = 16
MANY = 24
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
EVENT = b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
END = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class DeafServer:
    """Begins an answer to each request, or none at all, and hears nothing any more."""

    def __init__(self, tls=None, answer=b""):
        self._tls, self._answer = tls, answer
        self._writers = []
        self.asked = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def end(self):
        """Send the rest of each answer."""
        for writer in self._writers:
            writer.write(EVENT + END)
            writer.close()

    def reset(self):
        """Break the connections off as a machine that restarts does."""
        for writer in self._writers:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self._writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        writer.write(self._answer)
        self.asked.set()


def connections_to(*ports):
    """Return how many of this process's sockets are connected to one of the ports."""
    found = 0
    for each in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):  # the listing's own descriptor is closed by now
            fd = os.dup(int(each.name))
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.close(fd)
                continue
            with socket.socket(fileno=fd) as end:
                found += end.family == socket.AF_INET and end.getpeername()[1] in ports
    return found


async def until_at_most(count, *ports):
    async with asyncio.timeout(30):
        while connections_to(*ports) > count:
            await asyncio.sleep(0.01)


@pytest.fixture(params=[None, *ROUTES], ids=lambda route: " as ".join(route or ["direct"]))
async def way(request, proxies, tap):
    """A proxy's URL, or None, and the port that is connected to instead of the server's."""
    if request.param is None:
        return None, None
    kind, scheme = request.param
    tapped = await tap(proxies(kind))
    credentials = (USER, PASSWORD) if tapped.proxy.wants_credentials else ("", "")
    return tapped.url(*credentials, scheme=scheme), tapped.port


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_a_stream_left_early_leaves_no_connection_behind_its_manager(
    tls, way, server_tls, manager
):
    proxy, port = way
    async with DeafServer(server_tls if tls else None, HEAD + EVENT) as server:
        sessions = await manager(proxy=proxy)
        async with ask_openai(server, sessions).stream("Hello") as stream:
            assert await anext(stream) == "Hello"
            assert connections_to(port or server.port) == 1
        async with asyncio.timeout(20):  # TLS would wait for 30 s
            await sessions.connections.aclose()  # the manager's own closing takes a moment longer
        assert connections_to(port or server.port) == 0


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_a_stream_cancelled_before_its_answer_leaves_no_connection_behind_its_manager(
    tls, way, server_tls, manager
):
    proxy, port = way
    async with DeafServer(server_tls if tls else None) as server:
        sessions = await manager(proxy=proxy)
        asking = asyncio.create_task(ask_openai(server, sessions).complete("Hello"))
        await server.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await sessions.aclose()
        assert connections_to(port or server.port) == 0


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's advice
async def test_a_request_that_the_server_does_not_take_leaves_no_connection_behind(
    server_tls, manager
):
    for tls in (None, server_tls):
        async with DeafServer(tls) as server:
            sessions = await manager()
            question = "Hello " * 4_000_000
            asking = asyncio.create_task(ask_openai(server, sessions).complete(question))
            await server.asked.wait()
            asking.cancel()
            await asyncio.wait([asking])
            assert connections_to(server.port) == 0


async def test_a_connection_that_is_reset_is_told_of_once(manager, caplog):
    async with DeafServer(answer=HEAD + EVENT) as server:
        stream = ask_openai(server, await manager()).stream("Hello")
        await anext(stream)
        server.reset()
        with raises(StreamInterrupted):
            await anext(stream)
        del stream
        await asyncio.sleep(0)
        gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_whole_answer_leaves_no_connection_behind_its_manager(way, server_tls, manager):
    proxy, port = way
    async with Sandbox(ssl=server_tls) as server:
        port = port or int(server.url.rpartition(":")[2])
        sessions = await manager(proxy=proxy)
        await ask_openai(server, sessions).complete("Hello")
        assert connections_to(port) == 1  # kept
        await sessions.aclose()
        assert connections_to(port) == 0


@pytest.mark.parametrize("kind", ["microsocks", "dante", "socks4a"])
async def test_of_many_socks_proxies_only_the_last_few_keep_their_connections(
    server, kind, proxies, tap, manager
):
    taps = [await tap(proxies(kind)) for _ in range(MANY)]
    ports = [each.port for each in taps]
    sessions = await manager()
    for each in taps:
        await ask_openai(server, sessions, proxy=each.url()).complete("Hello")
    await until_at_most(IDLE_TUNNELS + 1, *ports)
    for each in (taps[-IDLE_TUNNELS], taps[0]):
        await ask_openai(server, sessions, proxy=each.url()).complete("Hello")
    assert taps[-IDLE_TUNNELS].connections == 1
    assert taps[0].connections == 2
    await sessions.aclose()
    assert connections_to(*ports) == 0


async def test_a_socks_proxy_that_is_used_again_is_kept_before_one_that_is_not(
    sandbox, proxies, tap, manager
):
    first, *others = [await tap(proxies("microsocks")) for _ in range(MANY)]
    sessions = await manager()
    for each in others:
        await ask_openai(sandbox, sessions, proxy=first.url()).complete("Hello")
        await ask_openai(sandbox, sessions, proxy=each.url()).complete("Hello")
    assert first.connections == 1


async def test_a_socks_proxy_in_use_is_never_closed_however_many_there_are(
    sandbox, proxies, tap, manager
):
    taps = [await tap(proxies("microsocks")) for _ in range(3 * MANY)]
    used, unanswered, passing = taps[:MANY], taps[MANY], taps[MANY + 1 :]
    sessions = await manager()
    async with DeafServer(answer=HEAD + EVENT) as answering, DeafServer() as deaf:
        streams = [ask_openai(answering, sessions, proxy=each.url()).stream("Hi") for each in used]
        assert [await anext(stream) for stream in streams] == ["Hello"] * MANY
        asking = asyncio.create_task(
            ask_openai(deaf, sessions, proxy=unanswered.url()).complete("Hello")
        )
        await deaf.asked.wait()
        for each in passing:
            await ask_openai(sandbox, sessions, proxy=each.url()).complete("Hello")
        answering.end()
        for stream in streams:
            assert [token async for token in stream] == ["Hello"]
        assert not asking.done()
        asking.cancel()
    assert [each.connections for each in taps] == [1] * len(taps)


async def test_a_manager_waits_for_the_connections_of_the_socks_proxies_it_lets_go(
    server_tls, proxies, tap, manager
):
    taps = [await tap(proxies("microsocks")) for _ in range(MANY)]
    sessions = await manager()
    async with DeafServer(server_tls, HEAD + EVENT) as server:
        for each in taps:
            async with ask_openai(server, sessions, proxy=each.url()).stream("Hello") as stream:
                await anext(stream)
        await sessions.connections.aclose()  # the manager's own closing takes a moment longer
        assert connections_to(*(each.port for each in taps)) == 0
