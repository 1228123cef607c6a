"""The pool's own rules, where a server that hangs for half a minute would be too slow a test."""

import asyncio
import logging

import pytest

from asyncllm import HTTPStatusError, NotFoundError, Retry, TransportError
from asyncllm.http.entries import Entry
from asyncllm.session.conversations import ConversationPool
from asyncllm.session.server import Progress
from support.leftovers import settled
from support.waiting import until

STEP = 0.05
WANTS_SETTINGS = 418


class Hanging:
    """A server that never answers the step `hangs_on`, and all others at once."""

    name = settings_key = key = "a server"
    was_resent = False

    def __init__(self, hangs_on=None):
        self.hangs_on = hangs_on
        self.asked = []
        self.is_hanging = asyncio.Event()

    async def _answer(self, step):
        self.asked.append(step)
        if step == self.hangs_on:
            self.is_hanging.set()
            await asyncio.Event().wait()

    async def accept_settings(self):
        await self._answer("settings")

    def wants_settings(self, refusal):
        return refusal.status == WANTS_SETTINGS

    async def create(self):
        await self._answer("create")
        return str(len(self.asked))

    async def stop(self, conversation_id):
        await self._answer("stop")

    async def delete(self, conversation_id):
        await self._answer("delete")

    def ledger_entry(self, conversation_id):
        return Entry(f"http://h/{conversation_id}", {})

    def session_entry(self):
        return None


def new_pool(**options):
    return ConversationPool(clean_up=pytest.fail, **options)


@pytest.fixture
async def pool():
    retry = Retry(attempts=1, initial_wait=STEP, max_wait=STEP)
    pool = new_pool(spares=0, retry=retry, step=STEP)
    yield pool
    await pool.aclose(grace=1)
    await settled()


async def test_settings_that_hang_fail_all_who_wait_and_are_asked_for_anew(pool):
    server = Hanging("settings")
    waiting = [asyncio.create_task(pool.take(server)) for _ in range(3)]
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(failure) for failure in failures] == [TransportError] * 3
    assert {str(failure) for failure in failures} == {
        f"accepting settings: no answer within {STEP} s"
    }
    assert len(set(map(id, failures))) == 3
    assert not pool._settings._accepting
    server.hangs_on = None
    await pool.take(server)
    assert server.asked == ["settings", "settings", "create"]


async def test_settings_that_fail_when_nobody_waits_any_more_are_asked_for_anew(pool):
    server = Hanging("settings")
    task = asyncio.create_task(pool.take(server))
    await server.is_hanging.wait()
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(2 * STEP)
    server.hangs_on = None
    await pool.take(server)
    assert server.asked == ["settings", "settings", "create"]


async def test_settings_that_have_just_failed_are_not_the_next_caller_s_failure(pool):
    server, settings_asked, is_refused = Hanging(), asyncio.Event(), asyncio.Event()

    async def refuse():
        settings_asked.set()
        await is_refused.wait()
        raise TransportError("refused")

    server.accept_settings = refuse
    first = asyncio.create_task(pool.take(server))
    await settings_asked.wait()
    del server.accept_settings
    is_refused.set()  # the settings fail in the turn of the loop in which this goes on
    await asyncio.sleep(0)
    assert (await pool.take(server)).id
    with pytest.raises(TransportError):
        await first


async def test_a_creation_that_is_waited_for_has_no_limit_of_the_pool_s(pool):
    server = Hanging("create")
    creating = asyncio.create_task(pool.take(server))
    await asyncio.wait([creating], timeout=3 * STEP)
    assert not creating.done()
    creating.cancel()


@pytest.mark.parametrize("spares", [0, 1])
async def test_a_creation_that_hangs_when_nobody_waits_ends_and_is_logged(caplog, spares):
    caplog.set_level(logging.WARNING)
    pool, server = new_pool(spares=spares, retry=Retry(), step=STEP), Hanging("create")
    task = asyncio.create_task(pool.take(server))
    await server.is_hanging.wait()
    task.cancel()
    await settled()
    await pool.aclose(grace=1)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "creating a conversation on a server"
    ] * (1 + spares)


async def test_a_creation_in_flight_when_the_pool_closes_is_logged(caplog):
    pool, server = new_pool(spares=0, retry=Retry(), step=60), Hanging("create")
    task = asyncio.create_task(pool.take(server))
    await server.is_hanging.wait()
    task.cancel()
    await asyncio.wait([task])
    await pool.aclose(grace=STEP / 5)
    assert "creating a conversation on a server" in caplog.text


@pytest.mark.parametrize("is_cancelled_too", [False, True])
async def test_who_waits_for_a_creation_when_the_pool_closes_is_told_so(is_cancelled_too):
    pool, server = new_pool(spares=0, retry=Retry(), step=60), Hanging("create")
    task = asyncio.create_task(pool.take(server))
    await server.is_hanging.wait()
    (creating,) = pool._tasks._tasks
    creating.add_done_callback(lambda _: is_cancelled_too and task.cancel())
    await pool.aclose(grace=0)
    kind = asyncio.CancelledError if is_cancelled_too else TransportError
    with pytest.raises(kind, match=None if is_cancelled_too else "manager was closed"):
        await task


class Named(Hanging):
    """One of many models, or of many users."""

    def __init__(self, key, settings_key="a server"):
        super().__init__()
        self.key, self.settings_key = key, settings_key


async def test_nothing_is_kept_for_each_model_that_was_ever_asked(pool):
    for number in range(1000):
        conversation = await pool.take(Named(number))
        conversation.progress = Progress.OVER
        pool.hand_back(conversation)
    await settled()
    kept = [pool._spares._ready, pool._spares._coming, pool._existing, pool._deletions._kept]
    assert [len(each) for each in kept] == [0] * 4


@pytest.mark.parametrize("spares", [1, 2])
async def test_spares_are_counted_for_each_model_and_nothing_else_is(spares):
    pool = new_pool(spares=spares, retry=Retry())
    servers = [Named(number) for number in range(20)]
    for server in servers:
        pool.hand_back(await pool.take(server))
    await settled()
    kept = {key: len(each) for key, each in pool._spares._ready.items()}
    assert kept == dict.fromkeys(range(20), spares)
    assert not pool._spares._coming
    await pool.aclose(grace=10)
    assert (len(pool._spares._ready), len(pool._existing)) == (0, 0)


async def test_spares_of_too_many_kinds_are_deleted_the_oldest_first():
    pool, servers = new_pool(spares=1, retry=Retry()), [Named(number) for number in range(101)]
    for server in servers:
        pool.hand_back(await pool.take(server))
    await settled()
    oldest = servers[0].asked
    assert oldest.count("create") == oldest.count("delete") == 2
    assert list(pool._spares._ready) == list(range(1, 101))
    assert len(pool._existing) == 100
    await pool.aclose(grace=10)


async def test_a_spare_is_created_while_its_like_is_used_and_is_the_next_to_be_used():
    pool, server = new_pool(spares=1, retry=Retry()), Hanging()
    await pool.take(server)
    await settled()
    assert server.asked == ["settings", "create", "create"]
    assert (await pool.take(server)).is_spare
    assert "delete" not in server.asked
    await pool.aclose(grace=10)


async def test_a_spare_that_comes_after_closing_is_deleted():
    pool, server, is_created = new_pool(spares=1, retry=Retry()), Hanging(), asyncio.Event()
    create = server.create

    async def create_later():
        await is_created.wait()
        return await create()

    await pool.take(server)
    await settled()
    server.create = create_later
    await pool.take(server)  # the spare, in whose place another one is on its way
    closing = asyncio.create_task(pool.aclose(grace=10))
    await asyncio.sleep(0)
    is_created.set()
    await closing
    assert server.asked.count("create") == server.asked.count("delete") == 3


async def test_of_the_settings_of_many_users_the_newest_are_kept(pool):
    first = Named("a model", "user 0")
    await pool.take(first)
    for number in range(1, 1000):
        await pool.take(Named("a model", f"user {number}"))
    await pool.take(first)
    await pool.take(Named("a model", "user 1000"))
    await pool.take(first)
    assert first.asked == ["settings", "create", "create", "create"]
    assert len(pool._settings._accepting) == 1000


def refusal(status, kind=HTTPStatusError):
    return kind("POST", "http://h/", status=status, message="no")


@pytest.mark.parametrize(
    ("error", "is_spare", "is_forgotten"),
    [
        (refusal(404, NotFoundError), False, False),
        (refusal(404, NotFoundError), True, True),
        (refusal(500), True, False),
        (refusal(405), True, False),
        (refusal(WANTS_SETTINGS), False, True),
    ],
)
async def test_only_what_may_have_been_lost_meanwhile_is_forgotten(
    pool, error, is_spare, is_forgotten
):
    conversation = await pool.take(Hanging())
    conversation.is_spare = is_spare
    assert pool.is_forgotten(conversation, error) == is_forgotten


async def test_renewing_forgets_the_settings_and_the_spares():
    pool, server = new_pool(spares=1, retry=Retry()), Hanging()
    lost = await pool.take(server)
    await settled()
    pool.renew(lost)
    assert not pool._spares._ready
    assert not (await pool.take(server)).is_spare
    assert server.asked.count("settings") == 2
    await pool.aclose(grace=10)


async def hand_back_amid_an_answer(pool, server):
    conversation = await pool.take(server)
    conversation.progress = Progress.ANSWERING
    pool.hand_back(conversation)


async def test_a_delete_that_hangs_is_given_up_for_now_and_logged(pool, caplog):
    server = Hanging("delete")
    await hand_back_amid_an_answer(pool, server)
    await until(lambda: "not deleted: no answer within" in caplog.text)
    assert server.asked == ["settings", "create", "stop", "delete"]


async def test_a_stop_that_hangs_does_not_keep_the_conversation_from_being_deleted(caplog):
    pool, server = new_pool(spares=0, retry=Retry(), stop=STEP), Hanging("stop")
    await hand_back_amid_an_answer(pool, server)
    await pool.aclose(grace=10)
    assert server.asked == ["settings", "create", "stop", "delete"]
    assert "not deleted" not in caplog.text


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (None, f"no answer within {STEP} s"),
        (refusal(500), "POST http://h/: 500 no"),
    ],
)
async def test_a_stop_that_fails_is_told_of_and_neither_tried_again_nor_waited_for(
    failure, reason, caplog
):
    caplog.set_level(logging.INFO, "asyncllm")
    pool, server = new_pool(spares=0, retry=Retry(), stop=STEP), Hanging("stop")

    async def stop(_):
        server.asked.append("stop")
        raise failure

    if failure is not None:
        server.stop = stop
    conversation = await pool.take(server)
    conversation.progress = Progress.ASKED
    pool.hand_back(conversation)
    await until(lambda: "delete" in server.asked)
    assert server.asked == ["settings", "create", "stop", "delete"]
    said = f"conversation '2' on a server: its generation was not stopped: {reason}"
    assert [record.getMessage() for record in caplog.records] == [said]
    await pool.aclose(grace=10)


async def test_a_server_that_can_not_be_told_to_stop_is_not_told_to_delete_before_it_can(pool):
    server, failures = Hanging(), [TransportError("away")] * 2

    async def stop(_):
        server.asked.append("stop")
        if failures:
            raise failures.pop()

    server.stop = stop
    await hand_back_amid_an_answer(pool, server)
    await until(lambda: server.asked == ["settings", "create", *["stop"] * 3, "delete"])


async def test_a_server_that_can_not_be_told_to_stop_at_closing_is_told_to_delete():
    pool, server = new_pool(spares=0, retry=Retry(attempts=1)), Hanging()

    async def stop(_):
        server.asked.append("stop")
        raise TransportError("away")

    server.stop = stop
    conversation = await pool.take(server)
    conversation.progress = Progress.ANSWERING
    await pool.aclose(grace=10)
    assert server.asked == ["settings", "create", "stop", "delete"]


@pytest.mark.parametrize(
    ("progress", "asked"),
    [
        (Progress.UNUSED, ["delete"]),
        (Progress.ASKED, ["stop", "stop", "delete"]),
        (Progress.ANSWERING, ["stop", "delete"]),
        (Progress.OVER, ["delete"]),
    ],
)
async def test_what_may_be_generated_is_stopped_before_its_conversation_is_deleted(progress, asked):
    pool, server = new_pool(spares=0, retry=Retry()), Hanging()
    conversation = await pool.take(server)
    conversation.progress = progress
    pool.hand_back(conversation)
    await pool.aclose(grace=10)
    assert server.asked == ["settings", "create", *asked]
