"""The ledger: what a killed process leaves on a server is deleted by the next one."""

import asyncio
import contextlib
import json
import logging
import re
import signal
import sqlite3
import ssl
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import trustme

from asyncllm import (
    ConfigurationError,
    H2o,
    HTTPStatusError,
    ProtocolError,
    Retry,
    ServerError,
    SessionManager,
    StreamTimeout,
    TransportError,
)
from asyncllm.http.entries import Entry, Way
from asyncllm.http.proxies import parse_proxy
from asyncllm.sandbox import NoOrigin, Sandbox, SlowCreate, Stall, Status
from asyncllm.sandbox.background import running_in_background
from asyncllm.session.conversations import ConversationPool
from asyncllm.session.ledger import Ledger
from asyncllm.session.ledger_owner import NOBODY
from support.lateness import TRIES
from support.waiting import until

KILLED = """
    import asyncio, json, ssl, sys
    from asyncllm import H2o, SessionManager

    async def main():
        url, path, authority, options = *sys.argv[1:4], json.loads(sys.argv[4])
        if authority:
            options["ssl"] = ssl.create_default_context(cafile=authority)
        async with SessionManager(ledger=path, **options) as sessions:
            h2o = H2o(base_url=url, sessions=sessions)
            async for token in h2o.stream("Hello"):
                print(token, flush=True)

    asyncio.run(main())
"""

# Without ORIGIN, chat-ui refuses the Referer of every form that is sent over plain http.
WITH_AND_WITHOUT_ORIGIN = [NoOrigin(times=0), NoOrigin()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def server():
    with running_in_background(Sandbox()) as sandbox:
        yield sandbox


def rows(path, *, sessions=False):
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as db:
        entries = [json.loads(row[0]) for row in db.execute("SELECT entry FROM entries")]
    return [entry for entry in entries if entry["is_session"] is sessions]


def owners(path):
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as db:
        return [row[0] for row in db.execute("SELECT owner FROM entries")]


@contextlib.contextmanager
def process(server, path, authority="", **options):
    """A process that streams an answer, and is killed in the end."""
    arguments = [server.url, path, authority, json.dumps(options)]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), *map(str, arguments)],
        stdout=subprocess.PIPE,
    ) as running:
        try:
            yield running
        finally:
            running.send_signal(signal.SIGKILL)


async def kill_amid_a_stream(server, path, *, conversations=1, **options):
    """Leave conversations, in one of which a token was seen."""
    server.add_fault(Stall(after=1, times=1))
    with process(server, path, **options) as running:
        await asyncio.to_thread(running.stdout.readline)
        await until(lambda: server.conversations == conversations == len(rows(path)))


@contextlib.asynccontextmanager
async def relay_to(server, *, loses=b"nothing", after=0.0, on_loss=lambda listening: None):
    """A relay, or a proxy that forwards; the first answer to a request that begins with `loses`
    is lost on the way, `after` seconds later. Yields its URL, and what went through it."""
    heard, lost = [], []
    host, port = server.url.removeprefix("http://").split(":")

    async def pump(reader, writer, client):
        while data := await reader.read(2**16):
            if reader is not client and lost == ["now"]:
                lost.append("done")
                on_loss(listening)
                await asyncio.sleep(after)
                return
            if reader is client:
                heard.append(data)
                if data.startswith(loses) and not lost:
                    lost.append("now")
            writer.write(data)

    async def serve(reader, writer):
        there, back = await asyncio.open_connection(host, int(port))
        pumps = [
            asyncio.create_task(pump(reader, back, reader)),
            asyncio.create_task(pump(there, writer, reader)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for each in pumps:
            each.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        back.transport.abort()
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", heard


async def test_what_a_killed_process_left_is_deleted_by_the_next_with_the_same_ledger(server, path):
    await kill_amid_a_stream(server, path, conversations=3, spare_conversations=2)
    async with SessionManager(ledger=path) as sessions:
        await until(lambda: server.conversations == 0)
        assert (await H2o(base_url=server.url, sessions=sessions).complete("Hello")).text
    assert server.conversations == 0
    assert rows(path) == rows(path, sessions=True) == []


async def test_an_heir_stops_the_generation_before_it_deletes(server, path):
    await kill_amid_a_stream(server, path)
    assert server.generating == 1
    async with SessionManager(ledger=path):
        pass
    stop, delete, delete_all = list(server.requests)[-3:]
    assert (stop.method, delete.method, delete_all.method) == ("POST", "DELETE", "POST")
    assert stop.path == f"{delete.path}/stop-generating"
    assert delete_all.path.startswith("/conversations")
    await until(lambda: server.generating == 0)


@pytest.mark.parametrize("origin", WITH_AND_WITHOUT_ORIGIN)
async def test_what_a_process_was_creating_when_it_was_killed_is_deleted_too(server, path, origin):
    server.add_fault(origin)
    server.add_fault(SlowCreate(seconds=60, times=1))
    with process(server, path):
        await until(lambda: server.conversations == 1)
    assert rows(path) == []
    async with SessionManager(ledger=path):
        pass
    assert server.conversations == 0
    assert rows(path, sessions=True) == []


class QuietServer:
    """A server that does what it is asked."""

    name = settings_key = key = "a server"
    was_resent = False

    async def accept_settings(self):
        pass

    def wants_settings(self, refusal):
        return False

    async def stop(self, conversation_id):
        pass

    delete = stop

    def ledger_entry(self, conversation_id):
        return Entry(f"http://h/conversation/{conversation_id}", {})


@contextlib.asynccontextmanager
async def pool_with_ledger(path, clean_up=pytest.fail, *, left=0):
    """A pool that leaves so many conversations in its ledger when it is closed."""
    ledger, retry = Ledger(path), Retry(attempts=1)
    pool = ConversationPool(spares=0, retry=retry, clean_up=clean_up, ledger=ledger)
    yield pool
    await pool.aclose(grace=5)
    await ledger.aclose(5)
    assert (len(rows(path)), rows(path, sessions=True)) == (left, [])


async def test_a_session_is_in_the_file_before_a_conversation_is_asked_for(path):
    class Server(QuietServer):
        async def create(self):
            assert [row["url"] for row in rows(path, sessions=True)] == ["http://h/session"]
            return "1"

        def session_entry(self):
            return Entry("http://h/session", {}, is_session=True)

    async with pool_with_ledger(path) as pool:
        assert (await pool.take(Server())).id == "1"


async def test_the_newest_thousand_sessions_stand_in_the_file(path):
    """A server may begin a new session with each answer."""

    class Server(QuietServer):
        session = 0

        async def create(self):
            return "1"

        def session_entry(self):
            return Entry(f"http://h/{self.session}", {}, is_session=True)

    server = Server()
    async with pool_with_ledger(path) as pool:
        for server.session in (*range(1000), 0, *range(1000, 1100)):
            pool.hand_back(await pool.take(server))
        newest = {f"http://h/{session}" for session in (0, *range(101, 1100))}
        await until(lambda: {row["url"] for row in rows(path, sessions=True)} == newest)


async def test_of_a_session_that_was_given_only_what_was_noted_is_deleted(server, path):
    """It may be a browser's, in which its user has chats."""
    cookie = {"Cookie": "hf-chat=00000000-0000-4000-8000-000000000000"}
    async with SessionManager() as browser:
        chats = H2o(base_url=server.url, sessions=browser, headers=cookie).stream("Hello")
        await anext(chats)
        async with SessionManager(ledger=path) as sessions:
            server.add_fault(Stall(after=1))
            stream = H2o(base_url=server.url, sessions=sessions, headers=cookie).stream("Hello")
            await anext(stream)
            await until(lambda: len(rows(path)) == 1)
            assert rows(path, sessions=True) == []
            await stream.aclose()
        assert server.conversations == 1


@pytest.mark.parametrize("origin", WITH_AND_WITHOUT_ORIGIN)
@pytest.mark.parametrize("is_given", [False, True])
async def test_a_lost_answer_to_a_creation_is_told_of_and_deleted_in_a_session_of_our_own(
    server, is_given, origin, caplog
):
    server.add_fault(origin)
    headers = {"Cookie": "hf-chat=00000000-0000-4000-8000-000000000000"} if is_given else None
    lost = b"POST /conversation HTTP"
    async with relay_to(server, loses=lost, after=0.2) as (url, _):
        async with SessionManager(retry=Retry(attempts=1)) as sessions:
            with pytest.raises(TransportError):
                await H2o(base_url=url, sessions=sessions, headers=headers).complete("Hello")
            assert server.conversations == 1
        assert server.conversations == is_given
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert f"on {url}: the answer was lost" in warnings[0]
    assert ("there still" if is_given else "deleted when") in warnings[0]


async def test_what_was_perhaps_created_and_can_not_be_deleted_in_time_is_told_of(server, caplog):
    async with (
        relay_to(server, loses=b"POST /conversation HTTP", after=0.2) as (url, _),
        SessionManager(retry=Retry(attempts=1), grace=0) as sessions,
    ):
        with pytest.raises(TransportError):
            await H2o(base_url=url, sessions=sessions).complete("Hello")
    assert re.search(r"perhaps created in \S+: not deleted within the manager's grace", caplog.text)


async def test_what_was_created_twice_as_the_connection_was_lost_is_deleted(server, path):
    async with relay_to(server, loses=b"POST /conversation HTTP") as (url, _):
        async with SessionManager(ledger=path) as sessions:
            assert (await H2o(base_url=url, sessions=sessions).complete("Hello")).text
            await until(lambda: server.conversations == 1)
        assert server.conversations == 0
        assert rows(path) + rows(path, sessions=True) == []


async def test_what_was_perhaps_created_before_it_was_asked_for_again_in_vain_is_deleted(
    server, caplog
):
    def refuse_from_now_on(_):
        server.add_fault(Status(status=503, on="create"))

    lost = b"POST /conversation HTTP"
    async with relay_to(server, loses=lost, on_loss=refuse_from_now_on) as (url, _):
        async with SessionManager(retry=Retry(attempts=1)) as sessions:
            with pytest.raises(HTTPStatusError):
                await H2o(base_url=url, sessions=sessions).complete("Hello")
            assert server.conversations == 1
        assert server.conversations == 0
    assert f"on {url}: the answer was lost; if it was created, it is deleted" in caplog.text


async def test_what_was_perhaps_created_before_a_server_was_away_is_told_of(server, caplog):
    lost = b"POST /conversation HTTP"
    async with (
        relay_to(server, loses=lost, on_loss=asyncio.Server.close) as (url, _),
        SessionManager(retry=Retry(attempts=1)) as sessions,
    ):
        with pytest.raises(TransportError, match="cannot connect"):
            await H2o(base_url=url, sessions=sessions).complete("Hello")
        assert f"on {url}: the answer was lost; if it was created, it is deleted" in caplog.text


def refusal(status):
    return HTTPStatusError("POST", "http://h/", status=status, message="no")


def never_sent():
    error = TransportError("no connection")
    error.was_sent = False
    return error


@pytest.mark.parametrize(
    ("error", "is_doubtful"),
    [
        (ConfigurationError("no header"), False),
        (StreamTimeout("connect", 1), False),
        (never_sent(), False),
        *((refusal(status), False) for status in (400, 500, 503)),
        *((refusal(status), True) for status in (502, 504)),
        (StreamTimeout("first_token", 1), True),
        (TransportError("gone"), True),
        (ProtocolError("a page"), True),
    ],
    ids=str,
)
async def test_where_a_conversation_may_exist_its_session_is_emptied_at_closing(error, is_doubtful):
    emptied = []

    class Server(QuietServer):
        async def create(self):
            raise error

        def session_entry(self):
            return Entry("http://h/session", {}, is_session=True)

    async def clean_up(entry):
        emptied.append(entry.url)

    pool = ConversationPool(spares=0, retry=Retry(), clean_up=clean_up)
    with pytest.raises(type(error)):
        await pool.take(Server())
    await pool.aclose(grace=30)
    assert emptied == ["http://h/session"] * is_doubtful


async def test_a_creation_that_was_refused_or_never_sent_is_no_lost_answer(caplog):
    async with SessionManager(retry=Retry(attempts=1)) as sessions:
        async with Sandbox() as sandbox:
            h2o = H2o(base_url=sandbox.url, sessions=sessions)
            await h2o.complete("Hello")
            sandbox.add_fault(Status(status=500, on="create", times=1))
            with pytest.raises(ServerError):
                await h2o.complete("Hello")
        with pytest.raises(TransportError):
            await h2o.complete("Hello")
    assert "lost" not in caplog.text


async def test_an_heir_goes_through_the_proxy_that_the_conversation_was_made_through(server, path):
    async with relay_to(server) as (proxy, heard):
        await kill_amid_a_stream(server, path, proxy=proxy.replace("//", "//user:canary@"))
        heard.clear()
        async with SessionManager(ledger=path):
            await until(lambda: server.conversations == 0)
    assert [head.split()[0] for head in heard] == [b"POST", b"DELETE", b"POST"]
    assert all(b"Proxy-Authorization: Basic" in head for head in heard)


async def test_an_heir_goes_through_the_proxy_that_the_environment_named_back_then(
    server, path, monkeypatch
):
    async with relay_to(server) as (proxy, heard):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        await kill_amid_a_stream(server, path, trust_env=True)
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        heard.clear()
        async with SessionManager(ledger=path, trust_env=True):
            await until(lambda: server.conversations == 0)
    assert [head.split()[0] for head in heard] == [b"POST", b"DELETE", b"POST"]


async def test_an_heir_does_not_go_around_a_dead_proxy(server, path, caplog):
    async with relay_to(server) as (proxy, _):
        await kill_amid_a_stream(server, path, proxy=proxy)
    async with SessionManager(ledger=path, retry=Retry(attempts=1), grace=1):
        pass
    assert server.conversations == 1
    assert len(rows(path)) == len(rows(path, sessions=True)) == 1
    assert "cannot connect to the proxy" in caplog.text


async def test_an_heir_goes_without_a_proxy_where_the_conversation_was_made_without(server, path):
    await kill_amid_a_stream(server, path)
    async with SessionManager(ledger=path, proxy="http://127.0.0.1:9"):
        pass
    assert server.conversations == 0


async def test_an_heir_verifies_a_server_with_a_context_of_its_own_or_leaves_it(
    path, tmp_path, caplog
):
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    pem = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(pem))
    with running_in_background(Sandbox(ssl=tls)) as server:
        await kill_amid_a_stream(server, path, authority=pem)
        async with SessionManager(ledger=path):
            pass
        assert server.conversations == 1
        assert "pass ssl=" in caplog.text
        async with SessionManager(ledger=path, ssl=ssl.create_default_context(cafile=pem)):
            pass
        assert server.conversations == 0


async def test_the_live_conversations_of_others_are_left_alone(server, path):
    server.add_fault(Stall(after=1))
    async with SessionManager(ledger=path) as ours, SessionManager(ledger=path) as theirs:
        stream = H2o(base_url=server.url, sessions=ours).stream("Hello")
        await anext(stream)
        other = H2o(base_url=server.url, sessions=theirs).stream("Hello")
        await anext(other)
        await until(lambda: len(rows(path)) == 2)
        await other.aclose()
        await until(lambda: len(rows(path)) == 1)
        assert server.conversations == 1
    assert server.conversations == 0
    assert rows(path) == []


async def test_what_could_not_be_deleted_stays_for_the_next(server, path, caplog):
    await kill_amid_a_stream(server, path)
    server.add_fault(Status(status=500, on="delete"))
    server.add_fault(Status(status=500, on="delete_all"))
    async with SessionManager(ledger=path, retry=Retry(attempts=1)):
        await until(lambda: caplog.text.count("of a dead process: not deleted") == 2)
    assert len(rows(path)) == len(rows(path, sessions=True)) == 1
    server.clear_faults()
    async with SessionManager(ledger=path):  # though the heir before was of this same process
        pass
    assert server.conversations == 0
    assert rows(path) == rows(path, sessions=True) == []


@pytest.mark.parametrize("url", ["http://[x/1", "http://h:99999/1"])
async def test_a_row_that_can_not_be_sent_keeps_no_other_from_being_deleted(
    server, path, url, caplog
):
    await kill_amid_a_stream(server, path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        row = (url, json.dumps({"url": url, "headers": {}}), "")
        db.execute("INSERT INTO entries VALUES (?, ?, ?)", row)
    async with SessionManager(ledger=path):
        await until(lambda: server.conversations == 0)
    assert rows(path) == rows(path, sessions=True) == []
    [warning] = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert "was set aside" in warning.getMessage()


async def test_an_entry_that_can_not_be_sent_is_told_of_and_stays(path, caplog):
    async def clean_up(entry):
        raise ValueError(f"canary of {entry.url}")

    for url in ("http://h/1", "http://h/2"):
        ledger = Ledger(path)
        ledger.add(Entry(url, {}))
        await ledger.aclose(5)
    async with pool_with_ledger(path, clean_up, left=2) as pool:
        pool.inherit()
        await until(lambda: caplog.text.count("of a dead process: not deleted") == 2)
    assert "canary" not in caplog.text


async def test_what_was_left_behind_a_dead_proxy_holds_up_nothing_that_goes_another_way(
    path, caplog
):
    async def clean_up(entry):
        raise TransportError("away")

    ledger, dead = Ledger(path), parse_proxy("http://127.0.0.1:9")
    for number in range(5):
        ledger.add(Entry(f"http://h/{number}", {}, way=Way(dead)))
    ledger.add(Entry("http://h/5", {}, way=Way()))
    ledger.add(Entry("https://h/6", {}, way=Way()))
    await ledger.aclose(5)
    async with pool_with_ledger(path, clean_up, left=7) as pool:
        pool.inherit()
        await until(lambda: caplog.text.count("not deleted: away") == 7)
        assert sorted(map(len, pool._deletions._queues.values())) == [1, 1, 5]


async def test_what_is_too_much_to_be_kept_is_only_in_the_file_from_then_on(path, caplog):
    class Server(QuietServer):
        async def create(self):
            return "1"

        def session_entry(self):
            return None

        async def delete(self, conversation_id):
            raise TransportError("away")

    async def clean_up(entry):
        raise TransportError("away")

    ledger = Ledger(path)
    ledger.add(Entry("http://h/2", {}))
    await ledger.aclose(5)
    async with pool_with_ledger(path, clean_up, left=2) as pool:
        pool._deletions._most = 0
        pool.inherit()
        await until(lambda: "http://h/2 of a dead process: not deleted" in caplog.text)
        pool.hand_back(await pool.take(Server()))
        await until(lambda: "conversation '1' on a server: not deleted" in caplog.text)
        await until(lambda: owners(path) == [NOBODY, NOBODY])
        await until(lambda: not pool._ledger._backlog.wanted)


async def test_without_a_ledger_no_file_is_written(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with SessionManager() as sessions:
        await H2o(base_url=server.url, sessions=sessions).complete("Hello")
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def locked(path):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


@contextlib.asynccontextmanager
async def longest_gaps():
    """Yield a list: in it are, afterwards, the longest times between two steps of the event loop,
    and between two of a thread beside it, which stands still only when the machine does."""
    gaps, is_over = [], threading.Event()

    def steps_of_a_thread():
        longest, last = 0.0, time.monotonic()
        while not is_over.wait(0.001):
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        return longest

    async def steps_of_the_loop():
        longest, last = 0.0, time.monotonic()
        while not is_over.is_set():
            await asyncio.sleep(0.001)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        return longest

    beside = asyncio.create_task(asyncio.to_thread(steps_of_a_thread))
    turning = asyncio.create_task(steps_of_the_loop())
    try:
        yield gaps
    finally:
        is_over.set()
        gaps += await asyncio.gather(turning, beside)


@pytest.mark.parametrize("is_locked_before", [True, False])
async def test_a_locked_ledger_stops_neither_the_loop_nor_a_stream(
    server, path, caplog, is_locked_before
):
    async def gaps_beside_a_lock():
        caplog.clear()
        Ledger(path)
        async with contextlib.AsyncExitStack() as stack:
            if is_locked_before:
                stack.enter_context(locked(path))
            sessions = await stack.enter_async_context(SessionManager(ledger=path, grace=0.5))
            h2o = H2o(base_url=server.url, sessions=sessions)
            if not is_locked_before:
                await h2o.complete("Hello")
                stack.enter_context(locked(path))
            async with longest_gaps() as gaps:
                replies = await asyncio.gather(*(h2o.complete("Hello") for _ in range(20)))
                await until(lambda: "can't be written" in caplog.text)  # after a second's wait
            assert all(reply.text for reply in replies)
        warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
        assert [w for w in warnings if "can't be written" not in w] == []
        return gaps

    seen = []
    for _ in range(TRIES):
        ours, the_machines = await gaps_beside_a_lock()
        if ours < 0.25 + the_machines:
            return
        seen.append(f"{ours:.3f} s, a thread beside it {the_machines:.3f} s")
    pytest.fail(f"each time the loop stood still: {seen}")
