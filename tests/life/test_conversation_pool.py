"""The pool's own rules, where a server that hangs for half a minute would be too slow a test."""

import asyncio
import logging

import pytest

from asyncllm import Retry, TransportError
from asyncllm.conversation_pool import ConversationPool
from conftest import settled

STEP = 0.05


class Hanging:
    """A server that never answers the step `hangs_on`, and all others at once."""

    settings_key = key = "a server"
    was_resent = False

    def __init__(self, hangs_on=None):
        self.hangs_on = hangs_on
        self.asked = []

    async def _answer(self, step):
        self.asked.append(step)
        if step == self.hangs_on:
            await asyncio.Event().wait()

    async def accept_settings(self):
        await self._answer("settings")

    async def create(self):
        await self._answer("create")
        return str(len(self.asked))

    async def stop(self, conversation_id):
        await self._answer("stop")

    async def delete(self, conversation_id):
        await self._answer("delete")

    def ledger_entry(self, conversation_id):
        raise NotImplementedError

    def session_entry(self):
        return None


@pytest.fixture
async def pool():
    pool = ConversationPool(spares=0, retry=Retry(attempts=1), step=STEP)
    yield pool
    await pool.aclose(grace=1)
    await settled()


async def test_settings_that_hang_fail_all_who_wait_and_are_asked_for_anew(pool):
    server = Hanging("settings")
    waiting = [asyncio.create_task(pool.take(server)) for _ in range(3)]
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(failure) for failure in failures] == [TransportError] * 3
    assert len(set(map(id, failures))) == 3
    server.hangs_on = None
    await pool.take(server)
    assert server.asked == ["settings", "settings", "create"]


async def test_settings_that_fail_when_nobody_waits_any_more_are_asked_for_anew(pool):
    server = Hanging("settings")
    task = asyncio.create_task(pool.take(server))
    await asyncio.sleep(0)
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
    pool, server = ConversationPool(spares=spares, retry=Retry(), step=STEP), Hanging("create")
    task = asyncio.create_task(pool.take(server))
    await asyncio.sleep(STEP / 5)
    task.cancel()
    await settled()
    await pool.aclose(grace=1)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "creating a conversation on a server"
    ] * (1 + spares)


async def test_a_creation_in_flight_when_the_pool_closes_is_logged(caplog):
    pool, server = ConversationPool(spares=0, retry=Retry(), step=60), Hanging("create")
    task = asyncio.create_task(pool.take(server))
    await asyncio.sleep(STEP / 5)
    task.cancel()
    await asyncio.wait([task])
    await pool.aclose(grace=STEP / 5)
    assert "creating a conversation on a server" in caplog.text


async def test_a_delete_that_hangs_ends_and_is_logged(pool, caplog):
    server = Hanging("delete")
    pool.hand_back(await pool.take(server), was_used=True, is_running=True)
    await settled()
    assert server.asked == ["settings", "create", "stop", "delete"]
    assert "not deleted" in caplog.text
