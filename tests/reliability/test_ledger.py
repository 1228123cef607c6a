"""The ledger: what a killed process leaves on a server is deleted by the next one."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap

import pytest

import asyncllm
from asyncllm import H2o, Retry, SessionManager
from asyncllm.ledger import Entry, Ledger
from asyncllm.sandbox import Sandbox, Stall, Status
from asyncllm.sandbox.background import running_in_background

KILLED = """
    import asyncio, sys
    from asyncllm import H2o, SessionManager

    async def main():
        async with SessionManager(ledger=sys.argv[2], spare_conversations=2) as sessions:
            h2o = H2o(base_url=sys.argv[1], sessions=sessions)
            async for token in h2o.stream("Hello"):
                print(token, flush=True)

    asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def server():
    with running_in_background(Sandbox()) as sandbox:
        yield sandbox


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def rows(path):
    with sqlite3.connect(path) as db:
        return db.execute("SELECT url, headers, owner FROM conversations").fetchall()


async def kill_amid_a_stream(server, path):
    server.add_fault(Stall(after=1, times=1))
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), server.url, path],
        stdout=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        await until(lambda: server.conversations == 3)
        process.send_signal(signal.SIGKILL)


async def test_what_a_killed_process_left_is_deleted_by_the_next_with_the_same_ledger(server, path):
    await kill_amid_a_stream(server, path)
    assert server.conversations == 3
    assert len(rows(path)) == 3
    async with SessionManager(ledger=path) as sessions:
        await until(lambda: server.conversations == 0)
        assert (await H2o(base_url=server.url, sessions=sessions).complete("Hello")).text
    assert server.conversations == 0
    assert rows(path) == []


async def test_the_live_conversations_of_others_are_left_alone(server, path):
    server.add_fault(Stall(after=1))
    async with SessionManager(ledger=path) as ours, SessionManager(ledger=path) as theirs:
        stream = H2o(base_url=server.url, sessions=ours).stream("Hello")
        await anext(stream)
        other = H2o(base_url=server.url, sessions=theirs).stream("Hello")
        await anext(other)
        assert len(rows(path)) == 2
        await other.aclose()
        await until(lambda: len(rows(path)) == 1)
        assert server.conversations == 1
    assert server.conversations == 0
    assert rows(path) == []


async def test_what_could_not_be_deleted_stays_for_the_next(server, path, caplog):
    await kill_amid_a_stream(server, path)
    server.add_fault(Status(status=500, on="delete"))
    async with SessionManager(ledger=path, retry=Retry(attempts=1)):
        await until(lambda: caplog.text.count("of a dead process: not deleted") == 3)
    assert len(rows(path)) == 3


async def test_without_a_ledger_no_file_is_written(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with SessionManager() as sessions:
        await H2o(base_url=server.url, sessions=sessions).complete("Hello")
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_readable_by_its_owner_only(path):
    path.touch(mode=0o644)
    ledger = Ledger(path)
    ledger.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_entry_does_not_show_its_cookie():
    assert "canary" not in repr(Entry("http://h/conversation/1", {"Cookie": "hf-chat=canary"}))


def test_a_ledger_that_can_not_be_used_is_refused(tmp_path):
    (tmp_path / "text").write_text(
        "no database, and long enough not to look like an empty one" * 20
    )
    for path in (tmp_path, tmp_path / "missing" / "ledger.db", tmp_path / "text"):
        with pytest.raises(asyncllm.ConfigurationError, match="ledger"):
            SessionManager(ledger=path)


@pytest.mark.parametrize(
    ("owner", "is_inherited"),
    [
        ("{host} 999999999 1", True),  # no such process
        ("{host} {pid} 1", True),  # a later process of the same number
        ("{host} {pid} {start}", False),
        ("{host} 1 ?", True),
        ("elsewhere 999999999 1", False),  # who knows what lives on another machine
    ],
)
def test_only_what_certainly_died_is_inherited(path, owner, is_inherited):
    ledger = Ledger(path)
    ledger.add(Entry("http://h/conversation/1", {"Cookie": "a=b"}))
    host, pid, start = ledger._owner.split()
    assert pid == str(os.getpid())
    with sqlite3.connect(path) as db:
        named = owner.format(host=host, pid=pid, start=start)
        db.execute("UPDATE conversations SET owner = ?", (named,))
    expected = [Entry("http://h/conversation/1", {"Cookie": "a=b"})] if is_inherited else []
    assert ledger.take_over() == expected
    assert ledger.take_over() == []
    ledger.close()
