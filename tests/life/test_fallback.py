"""`Fallback`: whoever begins to answer, and the four ends of what it answers."""

import asyncio
import contextlib

import anyio
import pytest

import asyncllm
from asyncllm import (
    AuthenticationError,
    ConfigurationError,
    Fallback,
    H2o,
    OpenAICompatible,
    Provider,
    ServerError,
    SessionManager,
    StreamInterrupted,
    StreamTimeout,
    Timeouts,
)
from asyncllm.sandbox import Drop, Sandbox, SlowAnswer, Stall, Status
from support.waiting import until

ONCE = asyncllm.Retry(attempts=1)
DOWN = Status(status=503)


@pytest.fixture
async def servers():
    async with Sandbox() as first, Sandbox() as second:
        yield first, second


def chain(servers, *, sessions=None, **options):
    first, second = servers
    common = {"retry": ONCE, "sessions": sessions}
    return Fallback(
        H2o(base_url=first.url, **common),
        OpenAICompatible(base_url=f"{second.url}/v1", model="gpt-4", **common),
        **options,
    )


async def gone(sandbox):
    await until(lambda: not (sandbox.conversations or sandbox.generating))


async def test_the_first_answers_where_it_can(servers):
    stream = chain(servers).stream("Hello")
    assert "Hello" in (await stream.collect()).text
    assert stream.reply.model == H2o.model
    assert not servers[1].requests


@pytest.mark.parametrize("fault", [DOWN, Status(status=429), Drop(after=0)], ids=str)
async def test_the_next_answers_where_the_first_fails_for_a_passing_reason(servers, fault):
    servers[0].add_fault(fault)
    reply = await chain(servers).complete("Hello")
    assert "Hello" in reply.text
    assert reply.model == "gpt-4"
    await gone(servers[0])


@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_fallbacks_nest(servers, depth):
    servers[0].add_fault(DOWN)
    nested = chain(servers)
    for _ in range(depth):
        nested = Fallback(H2o(base_url=servers[0].url, retry=ONCE), nested)
    assert "Hello" in (await nested.complete("Hello")).text


async def test_what_is_no_passing_failure_is_told_at_once(servers):
    servers[0].add_fault(Status(status=401))
    with pytest.raises(AuthenticationError):
        await chain(servers).complete("Hello")
    assert not servers[1].requests


async def test_where_all_fail_the_last_one_says_why(servers):
    for server in servers:
        server.add_fault(DOWN)
    with pytest.raises(ServerError) as caught:
        await chain(servers).complete("Hello")
    assert str(servers[1].url) in str(caught.value)


async def test_after_the_first_item_nobody_else_is_asked(servers):
    servers[0].add_fault(Drop(after=3))
    with pytest.raises(StreamInterrupted) as caught:
        await chain(servers).complete("Hello")
    assert caught.value.reply.text == "This is the"
    assert not servers[1].requests


async def test_what_one_of_them_can_not_be_asked_is_refused_before_anything_is_sent(servers):
    with pytest.raises(ConfigurationError, match="has no model"):
        chain(servers).stream("Hello", model="no-such")
    with pytest.raises(ConfigurationError, match="at least one"):
        Fallback()


async def test_a_limit_holds_over_all_that_are_asked(servers):
    for server in servers:
        server.add_fault(SlowAnswer(seconds=60))
    with pytest.raises(StreamTimeout):
        await chain(servers, timeouts=Timeouts(first_token=0.2)).complete("Hello")
    await gone(servers[0])


async def close(stream):
    await anext(stream)
    await stream.aclose()


async def cancel(stream):
    reading = asyncio.create_task(stream.collect())
    while not stream.reply.text:
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def cancel_the_scope(stream):
    with anyio.CancelScope() as scope:
        async for _ in stream:
            scope.cancel()


async def drop(stream):
    await anext(stream)


@pytest.mark.parametrize("leave", [close, cancel, cancel_the_scope, drop])
@pytest.mark.parametrize("fault", [None, DOWN], ids=["first", "second"])
async def test_who_leaves_it_leaves_whoever_answers(servers, leave, fault):
    for server in servers:
        server.add_fault(Stall(after=2))
    if fault is not None:
        servers[0].add_fault(fault)
    async with SessionManager() as sessions:
        with contextlib.suppress(StreamInterrupted):
            await leave(chain(servers, sessions=sessions).stream("Hello"))
        for server in servers:
            await gone(server)


def test_it_is_what_every_provider_is():
    assert isinstance(Fallback(H2o()), asyncllm.AsyncGeneratorProvider)
    assert not isinstance(Fallback(H2o()), OpenAICompatible)
    assert not issubclass(str, asyncllm.AsyncGeneratorProvider)


class Telling(Provider):
    """Fails with its key in the text."""

    def __init__(self):
        super().__init__()
        self.secrets = ("canary-of-a-key",)

    def prepare(self, question):
        async def begin():
            raise asyncllm.TransportError("the key canary-of-a-key is worn out")

        return begin


async def test_what_is_logged_of_a_provider_that_failed_shows_no_secret(servers, caplog):
    with caplog.at_level("INFO", logger="asyncllm"):
        await Fallback(Telling(), chain(servers)).complete("Hello")
    assert "asking the next provider" in caplog.text
    assert "canary" not in caplog.text
