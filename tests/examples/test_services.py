"""The services of docs/services.md: real processes between real clients and the sandbox."""

import asyncio
import json
import random
import re
import signal
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
from programs import copy, environment, started
from proxies.launcher import free_port

from asyncllm.sandbox import BigEvent, Drop, Sandbox, SlowAnswer, Stall
from asyncllm.sandbox.background import running_in_background
from support.waiting import until

pytestmark = pytest.mark.programs

SERVICES = ["service.py", "service_fastapi.py"]
SOON = 10.0  # seconds: a busy machine starts and ends a process slowly


@pytest.fixture
def server():
    with running_in_background(Sandbox(token_rate=20)) as sandbox:
        yield sandbox
        assert sandbox.conversations == 0  # the service has gone by now


@pytest.fixture(params=SERVICES)
def service(request, server, tmp_path):
    """Return how to start the service.

    `drain` is what running answers have after SIGTERM, `most` how many may run at a time.
    """

    @asynccontextmanager
    async def start(*, drain=10, most=200, **settings):
        settings, port = {"SPARES": 0, **settings}, free_port()
        if request.param == "service.py":
            path = copy(request.param, tmp_path, PORT=port, DRAIN=drain, MOST=most, **settings)
            arguments = [path]
        else:
            path = copy(request.param, tmp_path, **settings)
            arguments = ["-m", "uvicorn", f"{path.stem}:app", "--port", port]
            arguments += ["--timeout-graceful-shutdown", drain]
            arguments += ["--limit-concurrency", most + 1]  # it refuses the one that reaches it
        async with started(*arguments, cwd=tmp_path, env=environment(server)) as process:
            url = (await process.says(rf"unning on (http://127\.0\.0\.1:{port})"))[1]
            async with aiohttp.ClientSession(url, read_bufsize=2**25) as client:
                running = Service(request.param, client, url, process)
                yield running
                if process.is_running:
                    await running.stop()
        assert "Traceback" not in process.said, process.said

    return start


class Service:
    def __init__(self, name, client, url, process):
        self.name, self.client, self.url, self.process = name, client, url, process

    def ask(self, prompt="Hello"):
        return self.client.post("/ask", json={"prompt": prompt})

    async def stop(self):
        """End it as a supervisor does, and return how many seconds that took."""
        clock = asyncio.get_running_loop().time
        start = clock()
        self.process.terminate()
        # uvicorn ends by the very signal, once it has cleaned up.
        assert await self.process.ended() == (0 if self.name == "service.py" else -signal.SIGTERM)
        return clock() - start


async def events_of(answer):
    """Give the pairs of an event's name and data."""
    assert answer.status == 200
    assert answer.content_type == "text/event-stream"
    while block := await answer.content.readuntil(b"\n\n"):
        name, data = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", block.decode()).groups()
        yield name, json.loads(data)


async def read(answer):
    """Return the text of an answer, and its last event."""
    text, last = "", None
    async for last in events_of(answer):
        text += last[1]["text"] if last[0] == "text" else ""
    return text, last


def asked(server, pattern):
    return [re.sub(r"[0-9a-f]{24}", "…", r.path) for r in server.requests].count(pattern)


def stops(server):
    return asked(server, "/conversation/…/stop-generating")


async def test_a_whole_answer_is_relayed_token_by_token_and_ends_with_done(server, service):
    server.add_fault(SlowAnswer(seconds=0.1))
    async with service() as running, running.ask("Привет 👋") as answer:
        events = [event async for event in events_of(answer)]
        assert len(events) > 5
        assert "Привет 👋" in "".join(data.get("text", "") for _, data in events)
        assert events[-1] == ("done", {"finish_reason": "stop", "usage": None})
        await until(lambda: server.conversations == 0)
        assert stops(server) == 0


@pytest.mark.parametrize("moment", ["before the first token", "amid the answer"])
async def test_a_client_that_leaves_stops_the_generation_soon(server, service, moment):
    async with service() as running:
        if moment == "amid the answer":
            async with running.ask() as answer:
                await answer.content.readuntil(b"\n\n")
                answer.close()
        else:
            server.add_fault(SlowAnswer(seconds=30))
            asking = asyncio.create_task(running.ask().__aenter__())
            await until(lambda: server.generating == 1)
            asking.cancel()
            await asyncio.wait([asking])
            if not asking.cancelled():  # uvicorn sends the headers at once
                asking.result().close()
        # A question that was not answered yet is stopped twice: the first may have overtaken it.
        took = await until(lambda: stops(server) >= 1 and server.conversations == 0)
        assert took < SOON
        await until(lambda: server.generating == 0)
        await running.process.says(r"a client left after \d+ characters")


async def test_of_many_clients_those_who_stay_get_it_whole_and_nothing_is_left(server, service):
    dice = random.Random(20)

    async def one(number, running):
        async with running.ask(f"Question {number}") as answer:
            if number % 2:
                await answer.content.readany()
                await asyncio.sleep(dice.uniform(0, 0.5))
                answer.close()
                return None
            return await read(answer)

    server.add_fault(SlowAnswer(seconds=0.2, times=10))
    async with service(SPARES=3) as running:
        ends = await asyncio.gather(*(one(number, running) for number in range(30)))
        for number, end in enumerate(ends):
            if number % 2 == 0:
                text, last = end
                assert f"“Question {number}”" in text
                assert text.endswith("about it.")
                assert last[0] == "done"
        await until(lambda: server.conversations == 3)
        assert await running.stop() < SOON


async def test_an_error_is_an_event_with_what_had_arrived_and_no_address_in_it(server, service):
    server.add_fault(Drop(after=3))
    async with service() as running:
        async with running.ask() as answer:
            text, last = await read(answer)
        assert text == "This is the"
        assert last == ("error", {"error": "StreamInterrupted", "text": text})
        await running.process.says("an answer failed: StreamInterrupted: ")


async def test_a_server_that_falls_silent_is_a_timeout_event(server, service):
    server.add_fault(Stall(after=2))
    async with service(LIMITS="Timeouts(first_token=30, stall=0.3)") as running:
        async with running.ask() as answer:
            _, last = await read(answer)
        assert last == ("error", {"error": "StreamTimeout", "text": "This is"})
        await until(lambda: stops(server) == 1 and server.conversations == 0)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"prompt": 1}', b'{"prompt": " "}'])
async def test_what_is_no_question_is_refused_before_anything_is_asked(server, service, body):
    async with service() as running:
        headers = {"Content-Type": "application/json"}
        async with running.client.post("/ask", data=body, headers=headers) as answer:
            assert answer.status in {400, 422}
    assert not server.requests


async def test_one_too_many_is_refused_and_the_others_go_on(server, service):
    async with service(most=1) as running:
        async with running.ask() as first:
            await first.content.readuntil(b"\n\n")
            async with running.ask() as second:
                assert second.status == 503
            assert (await read(first))[1][0] == "done"
        async with running.ask() as third:
            assert third.status == 200
            third.close()


def connect(running, prompt="Hello"):
    """Ask over a bare socket with a small window, and return it unread."""
    host, port = running.url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    body = json.dumps({"prompt": prompt}).encode()
    client.sendall(
        b"POST /ask HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    return client


async def test_a_client_that_reads_nothing_is_cut_off_and_its_generation_stopped(server, service):
    server.add_fault(BigEvent(size=12_000_000))
    async with service(SLOWEST_READ=0.5) as running:
        with connect(running):
            await running.process.says("a client read nothing for 0.5 s")
            await until(lambda: stops(server) == 1 and server.conversations == 0)
        assert await running.stop() < SOON


async def test_a_client_that_pauses_gets_everything(server, service):
    server.add_fault(BigEvent(size=12_000_000))
    async with service() as running:
        async with running.ask() as answer:
            await asyncio.sleep(1)
            text, last = await read(answer)
        assert len(text) > 12_000_000
        assert text.endswith("about it.")
        assert last[0] == "done"
        await until(lambda: server.conversations == 0)


async def test_sigterm_lets_a_running_answer_end(server, service):
    async with service(SPARES=2) as running, running.ask() as answer:
        await answer.content.readuntil(b"\n\n")
        stopping = asyncio.create_task(running.stop())
        text, last = await read(answer)
        assert text.endswith("about it.")
        assert last[0] == "done"
        assert await stopping < 10
    assert (stops(server), server.conversations) == (0, 0)


async def test_sigterm_ends_what_does_not_end_by_itself(server, service):
    server.add_fault(Stall(after=3))
    async with service(SPARES=2, drain=1) as running, running.ask() as answer:
        await until(lambda: server.generating == 1)
        await answer.content.readuntil(b"\n\n")
        stopping = asyncio.create_task(running.stop())
        text, (name, data) = await read(answer)
        assert (text, name, data["text"]) == (" is the", "error", "This is the")
        assert await stopping < 1 + SOON
    assert (stops(server), server.conversations, server.generating) == (1, 0, 0)
