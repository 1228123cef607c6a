"""Client processes and the load server: whole answers, in plain HTTP and over TLS."""

import asyncio
import dataclasses
from urllib.parse import urlsplit

import pytest

pytest.importorskip("benchmarks", reason="the source distribution lacks the folder benchmarks")
pytest.importorskip("uvloop", reason="needs the extra speed")

from benchmarks.contenders import FLOOR, REMEDIED, SDK, contender
from benchmarks.contenders.base import Contender
from benchmarks.load import load_server
from benchmarks.measure import JobError, Worker
from benchmarks.setups import Runner, Setup
from benchmarks.wires import tokens_of


@pytest.fixture(scope="module")
def site():
    with load_server() as found:
        yield found


@pytest.mark.parametrize(("who", "is_uvloop"), [(SDK, True), (FLOOR, False)])
def test_a_client_process_does_its_jobs_over_tls(site, who, is_uvloop):
    with Worker(Runner(who, Setup(is_uvloop, is_tls=True)), site) as worker:
        # A job that gets something else than the whole answers fails.
        assert worker.ask("burst", streams=2, tokens=300)["cpu"] > 0
        assert worker.ask("first_token", requests=2, is_cold=True)["wait"] > 0
        assert worker.ask("many", streams=3)["bytes"] > -(2**20)
        assert worker.ask("takes_aiofastnet") == {"taken": False}


def test_a_client_that_does_not_trust_the_server_gets_no_token(site):
    runner, stranger = Runner(FLOOR, Setup(is_tls=True)), dataclasses.replace(site, authority="")
    refused = pytest.raises(JobError, match="CERTIFICATE_VERIFY_FAILED")
    with Worker(runner, stranger) as worker, refused:
        worker.ask("burst", streams=1, tokens=5)


def test_a_profile_splits_what_a_token_costs(site):
    with Worker(Runner(FLOOR), site) as worker:
        arguments = {"streams": 1, "tokens": 20_000}
        parts = worker.ask("profile", of="burst", arguments=arguments)
    assert sum(parts.values()) > 0
    assert parts["Stream"] == 0


@pytest.mark.parametrize(("who", "most"), [(FLOOR, 256 * 1024), (REMEDIED, 64 * 1024)])
async def test_the_remedied_reference_reads_at_most_64_kib_and_the_other_what_asyncio_reads(
    site, who, most
):
    found = contender(who, site.http)
    assert isinstance(found, Contender)
    taken = []
    async with found:
        # More than one read brings: of an answer that came at once aiohttp shows no connection.
        await found.consume("burst/5000", taken.append)
        (pooled,) = found._session.connector._conns.values()
        assert [protocol.transport.max_size for protocol, _ in pooled] == [most]
    assert taken == tokens_of(5000)


async def test_the_server_closes_the_connection_of_a_cold_answer_and_keeps_others(site):
    place = urlsplit(site.http)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    asked = "POST /{}/5/v1/chat/completions HTTP/1.1\r\n\r\n"
    for program, is_last in (("burst", False), ("once", True)):
        writer.write(asked.format(program).encode())
        answer = await reader.readuntil(b"\r\n0\r\n\r\n")
        assert (b"\r\nConnection: close\r\n" in answer) is is_last
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
