"""What could not be deleted: tried again until it is gone, and never lost without a word."""

import asyncio
import contextlib
import logging
import socket
import sqlite3
from functools import partial

import pytest

import asyncllm
from asyncllm import H2o, NotFoundError, ProxyError, Retry, SessionManager, TransportError
from asyncllm.sandbox import SlowAnswer, Stall, Status
from asyncllm.session.deletions import Deletion, Deletions
from asyncllm.stream.waiting import OwnedTasks
from support.waiting import until

SOON = Retry(attempts=1, initial_wait=0.01, max_wait=0.05)
LATER = Retry(attempts=1, initial_wait=600, max_wait=600)


class Way:
    """A way to a server that can be closed and opened again, as its port stays reserved."""

    def __init__(self, port):
        self._target = port
        self._writers = set()
        self._server = None
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._holder.getsockname()[1]}"

    async def __aenter__(self):
        await self.open()
        return self

    async def __aexit__(self, *_):
        await self.close()
        self._holder.close()

    async def open(self):
        port = self._holder.getsockname()[1]
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", port, reuse_port=True)

    async def close(self):
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await until(lambda: not self._writers)

    async def _relay(self, reader, writer):
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, back_writer}
        self._writers |= ends
        try:
            await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))
        finally:
            self._writers -= ends


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()


@pytest.fixture
async def way(sandbox):
    async with Way(sandbox.port) as opened:
        yield opened


def through(way, sandbox, sessions, kind):
    if kind == "server":
        return H2o(base_url=way.url, sessions=sessions)
    return H2o(base_url=sandbox.url, proxy=way.url, sessions=sessions)


async def broken_off(way, h2o, *, count=5):
    """Have the way closed amid so many streams."""
    streams = [h2o.stream("Hello") for _ in range(count)]
    await asyncio.gather(*map(anext, streams))
    await way.close()
    for stream in streams:
        with pytest.raises(asyncllm.StreamInterrupted):
            await stream.collect()


def warnings(caplog):
    ours = [each for each in caplog.records if each.name == "asyncllm"]
    return [each.getMessage() for each in ours if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("kind", ["server", "proxy"])
async def test_what_a_dead_server_or_proxy_leaves_is_stopped_and_deleted_when_it_lives_again(
    sandbox, way, kind, caplog
):
    sandbox.add_fault(Stall(after=1))
    async with SessionManager(retry=SOON) as sessions:
        await broken_off(way, through(way, sandbox, sessions, kind))
        await until(lambda: len(warnings(caplog)) == 5)
        assert (sandbox.conversations, sandbox.generating) == (5, 5)
        await way.open()
        await until(lambda: sandbox.conversations == 0)
        await until(lambda: sandbox.generating == 0)
    assert all("it will be tried again" in each for each in warnings(caplog))
    assert len(warnings(caplog)) == 5


@pytest.mark.parametrize("kind", ["server", "proxy"])
async def test_what_is_kept_is_tried_once_more_when_the_manager_closes(sandbox, way, kind, caplog):
    async with SessionManager(retry=LATER) as sessions:
        sandbox.add_fault(Stall(after=1))
        await broken_off(way, through(way, sandbox, sessions, kind))
        await until(lambda: len(warnings(caplog)) == 5)
        await way.open()
    assert sandbox.conversations == 0


def lengths_of_queues(sessions):
    return sorted(map(len, sessions.conversations._deletions._queues.values()))


async def test_what_waits_for_a_dead_proxy_holds_up_nothing_that_goes_another_way(
    sandbox, way, caplog
):
    async with SessionManager(retry=LATER) as sessions:
        sandbox.add_fault(Stall(after=1, times=5))
        await broken_off(way, through(way, sandbox, sessions, "proxy"))
        sandbox.add_fault(Status(status=500, on="delete", times=1))
        await H2o(base_url=sandbox.url, sessions=sessions).complete("Hello")
        await until(lambda: len(warnings(caplog)) == 6)
        assert lengths_of_queues(sessions) == [1, 5]
        await way.open()
    assert sandbox.conversations == 0


async def test_a_server_that_is_away_is_asked_once_for_all_of_its_users(sandbox, way, caplog):
    async with SessionManager(retry=LATER) as sessions:
        sandbox.add_fault(Stall(after=1))
        users = [
            H2o(base_url=way.url, sessions=sessions, headers={"X-User": name}) for name in "abc"
        ]
        streams = [user.stream("Hello") for user in users]
        await asyncio.gather(*map(anext, streams))
        await way.close()
        await asyncio.gather(*(stream.collect() for stream in streams), return_exceptions=True)
        await until(lambda: len(warnings(caplog)) == 3)
        assert lengths_of_queues(sessions) == [3]
        await way.open()
    assert sandbox.conversations == 0


async def test_what_can_not_be_deleted_at_closing_either_is_in_the_ledger_still(
    sandbox, way, caplog, tmp_path
):
    sandbox.add_fault(Stall(after=1))
    path = tmp_path / "ledger.db"
    async with SessionManager(retry=SOON, ledger=path) as sessions:
        await broken_off(way, through(way, sandbox, sessions, "server"), count=3)
        await until(lambda: len(warnings(caplog)) == 3)
    assert len(warnings(caplog)) == 4
    assert "left to the ledger if there is one: conversation " in warnings(caplog)[3]
    assert warnings(caplog)[3].endswith(", and 2 more")
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM entries").fetchone() == (3,)


async def test_a_delete_that_hangs_does_not_make_closing_longer_than_its_grace(sandbox, caplog):
    sandbox.add_fault(Status(status=500, on="delete", times=1))
    loop = asyncio.get_running_loop()
    async with SessionManager(retry=LATER, grace=0.1) as sessions:
        await H2o(base_url=sandbox.url, sessions=sessions).complete("Hello")
        await until(lambda: warnings(caplog))
        sandbox.add_fault(SlowAnswer(seconds=60, on="delete"))
        start = loop.time()
    assert loop.time() - start < 20
    assert "despite repeated attempts" in warnings(caplog)[-1]
    assert "more" not in warnings(caplog)[-1]


# --- the rules, without a server ---------------------------------------------------------


class Things:
    """Things to delete, each of which fails as often as told, and who was asked when."""

    def __init__(self, deletions):
        self.deletions = deletions
        self.asked, self.gone, self.left = [], [], []

    async def delete(self, what, *failures, place="here"):
        left = list(failures)

        async def send():
            self.asked.append(what)
            if left:
                raise left.pop(0)

        gone, left_to_heirs = (partial(each.append, what) for each in (self.gone, self.left))
        await self.deletions.delete(Deletion(what, lambda: place, send, gone, left_to_heirs))


@pytest.fixture
async def tasks():
    tasks = OwnedTasks()
    yield tasks
    await tasks.aclose(0)


def gone():
    return NotFoundError("DELETE", "http://h/", status=404, message="gone")


async def test_a_proxy_that_refuses_is_a_passing_failure_of_a_delete(tasks, caplog):
    things = Things(Deletions(tasks, retry=Retry(attempts=3, initial_wait=0.001), step=5))
    await things.delete("it", ProxyError("refused"), ProxyError("refused"))
    assert things.asked == ["it"] * 3
    assert (things.gone, warnings(caplog)) == (["it"], [])


async def test_what_somebody_else_has_deleted_is_gone(tasks):
    things = Things(Deletions(tasks, retry=SOON, step=5))
    await things.delete("at once", gone())
    await things.delete("later", TransportError("away"), gone())
    await until(lambda: things.gone == ["at once", "later"])


async def test_the_first_of_a_place_is_asked_for_all_of_it(tasks):
    away = [TransportError("away")] * 4
    things = Things(Deletions(tasks, retry=SOON, step=5))
    for number in range(100):
        await things.delete(number, *(away if number < 2 else away[:1]))
    await things.delete("elsewhere", away[0], place="there")
    await until(lambda: len(things.gone) == 101)
    again = [what for what in things.asked[101:] if what != "elsewhere"]
    assert len(again) == 98 + 2 * 4
    await until(lambda: things.deletions._queues == {})
    assert things.deletions._kept == set()


async def test_once_the_first_of_a_place_is_gone_the_rest_goes_eight_at_a_time(tasks):
    deletions, eight, gone = Deletions(tasks, retry=SOON, step=60), asyncio.Barrier(8), []

    def deletion(number):
        failures = [TransportError("away")]

        async def send():
            if failures:
                raise failures.pop()
            assert eight.n_waiting < 8
            if number > 0:
                await eight.wait()

        return Deletion("it", lambda: "here", send, partial(gone.append, number), list)

    for number in range(17):
        await deletions.delete(deletion(number))
    await until(lambda: len(gone) == 17)
    assert gone[0] == 0


async def test_one_that_always_fails_keeps_no_other(monkeypatch, tasks):
    may_go_on = asyncio.Event()
    deletions = Deletions(tasks, retry=SOON, step=5)

    async def closes_within(seconds):
        await may_go_on.wait()
        return False

    monkeypatch.setattr(deletions, "_closes_within", closes_within)
    things = Things(deletions)
    await things.delete("never", *[TransportError("no")] * 3)
    for name in "abcd":
        await things.delete(name, TransportError("away"))
    asked = len(things.asked)
    may_go_on.set()
    await until(lambda: len(things.gone) == 5)
    assert things.asked[asked:] == ["never", *"abcd", "never", "never"]


async def test_all_of_a_place_wait_in_one_queue(tasks):
    things = Things(Deletions(tasks, retry=LATER, step=5))
    for name in "abc":
        await things.delete(name, TransportError("away"), place="here")
    await things.delete("d", TransportError("away"), place="there")
    queues = things.deletions._queues
    assert {place: len(queue) for place, queue in queues.items()} == {"here": 3, "there": 1}


async def test_at_closing_each_is_tried_once_more_and_no_more(tasks, caplog):
    things = Things(Deletions(tasks, retry=LATER, step=5))
    for name in "ab":
        await things.delete(name, *[TransportError("away")] * 3)
    things.deletions.close()
    await until(lambda: not things.deletions._queues)
    assert sorted(things.asked) == ["a", "a", "b", "b"]
    things.deletions.report()
    assert "despite repeated attempts" in warnings(caplog)[-1]


async def test_beyond_the_most_that_are_kept_each_is_named_as_left(tasks, caplog):
    things = Things(Deletions(tasks, retry=LATER, step=5, most=2))
    for name in "abc":
        await things.delete(name, TransportError("away"))
    *kept, left = warnings(caplog)
    assert kept == [f"{name}: not deleted: away; it will be tried again" for name in "ab"]
    assert left == (
        "c: not deleted: away; 2 others are waiting for a retry already, so it is left to the "
        "ledger if there is one"
    )
    assert things.left == ["c"]


async def test_each_wait_is_longer_than_the_one_before_up_to_the_longest(monkeypatch, tasks):
    waits = []
    deletions = Deletions(tasks, retry=Retry(attempts=1, initial_wait=1, max_wait=30), step=5)

    async def closes_within(seconds):
        waits.append(seconds)
        await asyncio.sleep(0)
        return False

    monkeypatch.setattr(deletions, "_closes_within", closes_within)
    things = Things(deletions)
    await things.delete("it", *[TransportError("away")] * 8)
    await until(lambda: things.gone)
    for wait, longest in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert longest / 2 <= wait <= longest
