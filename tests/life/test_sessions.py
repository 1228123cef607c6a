"""Session managers and the conversations they own: nothing is left, whatever happens."""

import asyncio
import collections
import random
import re

import anyio
import pytest

import asyncllm
from asyncllm import H2o, Retry, SessionManager, Timeouts
from asyncllm.sandbox import Late, Sandbox, SlowAnswer, SlowCreate, Stall, Status
from asyncllm.sandbox.background import running_in_background
from support.leftovers import open_descriptors, settled
from support.waiting import until

SEED = 20_230_701


async def test_a_stream_ended_early_is_stopped_before_it_is_deleted(sandbox, sessions, h2o):
    sandbox.add_fault(Stall(after=1))
    async with h2o.stream("Hello") as stream:
        await anext(stream)
    await sessions.aclose()
    last_two = [
        (r.method, r.path.endswith("/stop-generating")) for r in list(sandbox.requests)[-2:]
    ]
    assert last_two == [("POST", True), ("DELETE", False)]
    assert (sandbox.conversations, sandbox.generating) == (0, 0)


async def test_what_is_closed_with_a_manager_does_not_outlast_its_grace():
    is_over = asyncio.Event()

    async def close():
        try:
            await asyncio.Event().wait()
        finally:
            is_over.set()

    async with SessionManager(grace=0.01) as sessions:
        sessions.at_close(close)
    async with asyncio.timeout(30):
        await is_over.wait()


async def test_a_question_that_is_overtaken_by_the_request_to_stop_is_stopped(sandbox, h2o):
    sandbox.add_fault(Late(seconds=0.1))
    sandbox.add_fault(Late(seconds=0.2, on="delete"))  # or it would not find the conversation
    sandbox.add_fault(Stall())
    task = asyncio.create_task(h2o.complete("Hello"))
    await until(lambda: len(sandbox.requests) == 3)  # it has come, but is not read yet
    task.cancel()
    await asyncio.wait([task])
    await until(lambda: sandbox.conversations == 0)
    assert sandbox.generating == 0


async def test_cancel_while_creating_leaves_no_conversation(sandbox, sessions, h2o):
    sandbox.add_fault(SlowCreate(seconds=0.1))
    task = asyncio.create_task(h2o.complete("Hello"))
    await until(lambda: sandbox.conversations == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: sandbox.conversations == 0)


async def test_cancel_while_creating_leaves_a_spare_where_one_is_wanted():
    async with Sandbox(faults=[SlowCreate(seconds=0.1)]) as sandbox:
        async with SessionManager(spare_conversations=1) as sessions:
            h2o = H2o(base_url=sandbox.url, sessions=sessions)
            task = asyncio.create_task(h2o.complete("Hello"))
            await until(lambda: sandbox.conversations == 2)
            task.cancel()
            await asyncio.wait([task])
            await until(lambda: len(sandbox.requests) == 4)
            assert sandbox.conversations == 1
        assert sandbox.conversations == 0


async def test_spare_conversations_make_a_stream_start_with_one_request():
    async with Sandbox() as sandbox, SessionManager(spare_conversations=2) as sessions:
        h2o = H2o(base_url=sandbox.url, sessions=sessions)
        await h2o.complete("Hello")
        await until(lambda: sandbox.conversations == 2)
        before = len(sandbox.requests)
        await anext(h2o.stream("Hello"))
        paths = [request.path for request in list(sandbox.requests)[before:]]
        assert paths[0].startswith("/conversation/") or paths[1].startswith("/conversation/")
        assert "/settings" not in paths
    assert sandbox.conversations == 0


async def test_spares_are_kept_for_each_model():
    async with Sandbox() as sandbox, SessionManager(spare_conversations=1) as sessions:
        for model in ("falcon-7b", "falcon-40b"):
            await H2o(base_url=sandbox.url, sessions=sessions, model=model).complete("Hello")
        await until(lambda: sandbox.conversations == 2)
    assert sandbox.conversations == 0


@pytest.mark.parametrize(
    "header", [("Authorization", "Bearer {}"), ("Cookie", "login={}"), ("X-User", "{}")]
)
async def test_two_users_of_one_manager_never_get_each_other_s_spares_or_settings(sandbox, header):
    name, value = header
    async with SessionManager(spare_conversations=2) as sessions:
        users = [
            H2o(base_url=sandbox.url, sessions=sessions, headers={name: value.format(user)})
            for user in ("ann", "bob")
        ]
        for user in (*users, *users, *users):
            await user.complete("Hello")
            await until(lambda: not sandbox.generating)
        await until(lambda: sandbox.conversations == 4)
    creations = collections.Counter(
        request.headers[name.lower()].partition(";")[0]
        for request in sandbox.requests
        if request.path == "/conversation"
    )
    askers = collections.defaultdict(set)
    for request in sandbox.requests:
        if request.path == "/settings" or len(request.path.split("/")) == 3:
            askers[request.path].add(request.headers[name.lower()].partition(";")[0])
    both = {value.format("ann"), value.format("bob")}
    assert askers.pop("/settings") == both == set(creations)
    assert all(len(each) == 1 for each in askers.values())


async def test_streams_through_different_proxies_share_no_spare(sandbox):
    """The sandbox is its own proxy here, under the name of two users."""
    proxies = [sandbox.url.replace("//", f"//{user}:word@") for user in ("ann", "bob")]
    async with SessionManager(spare_conversations=2) as sessions:
        for proxy in proxies * 3:
            h2o = H2o(base_url=sandbox.url, sessions=sessions, proxy=proxy)
            await h2o.complete("Hello")
        await until(lambda: sandbox.conversations == 4)
    ways = collections.defaultdict(set)
    for request in sandbox.requests:
        ways[request.path].add(request.headers["proxy-authorization"])
    assert len(ways.pop("/settings") | ways.pop("/conversation")) == 2
    assert all(len(each) == 1 for each in ways.values())


async def test_no_key_of_the_pool_shows_a_secret(sessions, sandbox):
    secret = "sk-canary-0123456789"
    h2o = H2o(base_url=sandbox.url, sessions=sessions, headers={"Authorization": secret})
    await h2o.complete("Hello")
    [key] = sessions.conversations._settings._accepting
    assert secret not in f"{key!r} {key}"


async def test_a_spare_that_the_server_forgot_is_replaced_unnoticed():
    async with Sandbox() as sandbox, SessionManager(spare_conversations=1) as sessions:
        h2o = H2o(base_url=sandbox.url, sessions=sessions)
        await h2o.complete("Hello")
        await until(lambda: sandbox.conversations == 1)
        sandbox.add_fault(Status(status=404, times=1))
        assert (await h2o.complete("Hello")).finish_reason == "stop"
    assert sandbox.conversations == 0


async def test_a_conversation_of_a_session_that_was_lost_meanwhile_is_replaced_unnoticed(
    sandbox, h2o
):
    await h2o.complete("the first")
    sandbox.add_fault(SlowCreate(seconds=0.1, times=1))
    caught = asyncio.create_task(h2o.complete("caught by the restart"))
    await until(lambda: len(sandbox.requests) > 4)  # created, but not yet known to us
    sandbox.lose_sessions()
    assert (await h2o.complete("another")).finish_reason == "stop"
    assert (await caught).finish_reason == "stop"


async def test_a_limit_shorter_than_creating_takes_leaves_no_conversation(sandbox, sessions):
    sandbox.add_fault(SlowCreate(seconds=0.1, times=None))
    h2o = H2o(base_url=sandbox.url, sessions=sessions, timeouts=Timeouts(first_token=0.03))

    def created():
        return [r.path for r in sandbox.requests if r.method == "POST"].count("/conversation")

    while created() < 5:  # a busy machine may not even have begun to create one in time
        with pytest.raises(asyncllm.StreamTimeout):
            await h2o.complete("Hello")
    await sessions.aclose()
    assert sandbox.conversations == 0


async def test_a_failing_settings_step_fails_every_waiter_with_an_error_of_its_own(
    sandbox, sessions
):
    sandbox.add_fault(SlowAnswer(seconds=0.05, on="settings"))
    sandbox.add_fault(Status(status=500, on="settings"))
    h2o = H2o(base_url=sandbox.url, sessions=sessions, retry=Retry(attempts=1))
    errors = await asyncio.gather(
        *(h2o.complete("Hello") for _ in range(5)), return_exceptions=True
    )
    assert {type(error) for error in errors} == {asyncllm.ServerError}
    assert len({id(error) for error in errors}) == 5
    assert len(sandbox.requests) == 1


async def test_a_failed_delete_is_tried_again(sandbox, sessions, h2o):
    sandbox.add_fault(Status(status=503, on="delete", times=1))
    await h2o.complete("Hello")
    await until(lambda: sandbox.conversations == 0)


async def test_a_conversation_that_cannot_be_deleted_is_logged(sandbox, caplog):
    sandbox.add_fault(Status(status=500, on="delete"))
    async with SessionManager(retry=Retry(attempts=1)) as sessions:
        await H2o(base_url=sandbox.url, sessions=sessions).complete("Hello")
    assert f"on {sandbox.url}: not deleted" in caplog.text


async def test_closing_takes_no_longer_than_its_grace_and_says_what_is_left(sandbox, caplog):
    sandbox.add_fault(SlowAnswer(seconds=60, on="delete"))
    loop = asyncio.get_running_loop()
    async with SessionManager(grace=0.2) as sessions:
        await H2o(base_url=sandbox.url, sessions=sessions).complete("Hello")
        start = loop.time()
    assert loop.time() - start < 10  # the answer comes after a minute
    assert re.search(
        r"conversation '\w+' on .*: not deleted within the manager's grace", caplog.text
    )


async def test_closing_the_manager_ends_its_streams_with_a_clear_error(sandbox):
    sandbox.add_fault(Stall(after=2))
    sessions = SessionManager()
    h2o = H2o(base_url=sandbox.url, sessions=sessions)
    reading, idle = asyncio.create_task(h2o.complete("Hello")), h2o.stream("Hello")
    await anext(idle)
    await until(lambda: sandbox.generating == 2)
    await sessions.aclose()
    for failing in (reading, idle.collect()):
        with pytest.raises(asyncllm.StreamInterrupted, match="session manager was closed"):
            await failing
    assert idle.reply.text == "This is"
    assert sandbox.conversations == 0


async def test_a_closed_manager_refuses_new_streams(sandbox):
    async with SessionManager() as sessions:
        pass
    await sessions.aclose()
    with pytest.raises(asyncllm.ConfigurationError, match="closed"):
        await H2o(base_url=sandbox.url, sessions=sessions).complete("Hello")


def test_a_manager_of_another_loop_is_refused():
    sessions = SessionManager()

    async def use():
        async with sessions:
            await asyncio.sleep(0)

    asyncio.run(use())
    with pytest.raises(asyncllm.ConfigurationError, match="another event loop"):
        asyncio.run(use())


@pytest.mark.parametrize(
    "options", [{"grace": -1}, {"spare_conversations": -1}, {"max_event_bytes": 0}, {"proxy": "x"}]
)
def test_bad_options_are_refused(options):
    with pytest.raises(asyncllm.ConfigurationError):
        SessionManager(**options)


@pytest.mark.parametrize("cancel", ["task", "scope"])
async def test_being_cancelled_does_not_cut_closing_short(sandbox, cancel):
    sandbox.add_fault(Stall(after=1))
    sandbox.add_fault(SlowAnswer(seconds=0.05, on="delete"))

    async def use():
        async with SessionManager() as sessions:
            async for _ in H2o(base_url=sandbox.url, sessions=sessions).stream("Hello"):
                pass

    if cancel == "scope":
        with anyio.move_on_after(0.2):
            await use()
    else:
        task = asyncio.create_task(use())
        await until(lambda: sandbox.generating == 1)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert sandbox.conversations == 0


def test_fresh_providers_in_run_after_run_leave_nothing_and_print_nothing(capfd):
    with running_in_background(Sandbox()) as sandbox:
        for _ in range(3):
            assert asyncio.run(H2o(base_url=sandbox.url).complete("Hello")).finish_reason == "stop"

            async def break_off():
                async for _ in H2o.create_async_generator("", "Hello", base_url=sandbox.url):
                    break

            asyncio.run(break_off())
        assert sandbox.conversations == 0
    assert capfd.readouterr() == ("", "")


async def test_a_thousand_streams_cancelled_at_random_moments_leave_nothing():
    dice = random.Random(SEED)
    ways = {"task": 0, "scope": 0, "aclose": 0, "break": 0}
    with running_in_background(Sandbox(rtt=0.005, token_rate=400)) as sandbox:
        descriptors = open_descriptors()
        async with SessionManager(spare_conversations=3, grace=30) as sessions:
            h2o = H2o(base_url=sandbox.url, sessions=sessions)

            async def end_early(way):
                delay, stream = (
                    dice.uniform(0, 0.12),
                    h2o.stream("Hello", temperature=dice.random()),
                )
                ways[way] += 1
                if way == "scope":
                    with anyio.move_on_after(delay):
                        await stream.collect()
                elif way == "break":
                    pieces = dice.randrange(1, 12)
                    async with stream:
                        async for _ in stream:
                            pieces -= 1
                            if not pieces:
                                break
                else:
                    reader = asyncio.create_task(stream.collect())
                    await asyncio.sleep(delay)
                    await stream.aclose() if way == "aclose" else reader.cancel()
                    await asyncio.wait([reader])
                    if not reader.cancelled() and reader.exception():
                        assert isinstance(reader.exception(), asyncllm.StreamInterrupted)
                assert stream.reply.finish_reason in ("cancelled", "stop")

            choices = ["task"] * 4 + ["scope"] * 4 + ["aclose", "break"]
            for _ in range(10):
                await asyncio.gather(*(end_early(dice.choice(choices)) for _ in range(100)))
        assert sandbox.conversations == 0
        assert sum(ways.values()) == 1000
        assert min(ways.values()) > 50
        await settled()
        await until(lambda: open_descriptors() - descriptors <= 0 or sandbox.generating)
        assert open_descriptors() <= descriptors


async def test_an_answer_that_was_given_out_whole_is_whole_when_the_manager_closes(sandbox):
    async with SessionManager() as sessions:
        stream = H2o(base_url=sandbox.url, sessions=sessions).stream("Hello")
        async for item in stream.events():
            if isinstance(item, asyncllm.Finish):
                break
    assert (await stream.collect()).finish_reason == "stop"


async def test_a_creation_that_the_closing_of_the_manager_ends_is_an_error_and_no_cancellation(
    sandbox,
):
    sandbox.add_fault(SlowCreate(seconds=60))
    sessions = SessionManager(grace=0.1)
    fallback = asyncllm.Fallback(H2o(base_url=sandbox.url, sessions=sessions))
    asking = asyncio.create_task(fallback.complete("Hello"))
    await until(lambda: len(sandbox.requests) == 2)
    await sessions.aclose()
    with pytest.raises(asyncllm.TransportError, match="closed"):
        await asking


async def test_a_closed_manager_can_be_asked_nothing_not_even_which_models_there_are(sandbox):
    sessions = SessionManager()
    await sessions.aclose()
    llm = asyncllm.OpenAICompatible(base_url=f"{sandbox.url}/v1", sessions=sessions)
    with pytest.raises(asyncllm.ConfigurationError, match="closed"):
        await llm.list_models()
    with pytest.raises(asyncllm.ConfigurationError, match="closed"):
        await asyncllm.Fallback(llm).complete("Hello")
