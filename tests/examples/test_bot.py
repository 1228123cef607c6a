"""The bot of docs/bots.md: a real process between a strict platform and the sandbox."""

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from fake_platform import TOKEN, Platform
from programs import copy, environment, started

from asyncllm.sandbox import Drop, ErrorInStream, Sandbox, SlowAnswer, Stall, Status
from asyncllm.sandbox.background import running_in_background
from support.waiting import until

pytestmark = pytest.mark.programs

INTERVAL = 0.1  # seconds that the platform wants between two calls for one chat
EVERY = 0.15  # seconds that the bot leaves; what it sends may be under way longer or shorter


@pytest.fixture
def server():
    with running_in_background(Sandbox(token_rate=20)) as sandbox:
        yield sandbox
        assert (sandbox.conversations, sandbox.generating) == (0, 0)


@pytest.fixture
async def platform():
    async with Platform(INTERVAL) as running:
        yield running


@pytest.fixture
def bot(server, platform, tmp_path):
    """Return how to start the bot."""

    @asynccontextmanager
    async def start(status=0, token=TOKEN, **settings):
        path = copy("bot.py", tmp_path, **{"EDIT_EVERY": EVERY, **settings})
        env = environment(server, BOT_API=platform.url, BOT_TOKEN=token)
        async with started(path, cwd=tmp_path, env=env) as process:
            yield process
            if status == 0 and process.is_running:
                await until(lambda: server.generating == 0)
                process.terminate()
            assert await process.ended() == status, process.said
        assert "Traceback" not in process.said, process.said
        assert TOKEN not in process.said

    return start


def settled(platform, chat, count=1, *, ends=("about it.",)):
    """Whether the chat shows so many messages, the last of them with its end."""
    texts = platform.in_chat(chat)
    return len(texts) == count and texts[-1].endswith(ends)


async def test_one_message_is_edited_as_tokens_come_and_ends_with_the_whole_text(bot, platform):
    platform.write(1, "Hello")
    async with bot():
        await until(lambda: settled(platform, 1))
    calls = platform.calls_for(1)
    assert [call.method for call in calls[:2]] == ["sendMessage", "editMessageText"]
    assert {call.method for call in calls[1:]} == {"editMessageText"}
    assert len(calls) > 4
    texts = ["" if call.text == "…" else call.text for call in calls]
    assert all(later.startswith(earlier) and later > earlier for earlier, later in pairwise(texts))
    assert "“Hello”" in texts[-1]


async def test_no_chat_is_written_in_faster_than_the_platform_allows(bot, platform, server):
    async with bot(), asyncio.TaskGroup() as waiting:
        for chat in range(10):
            platform.write(chat, f"Question {chat}")
            waiting.create_task(until(lambda chat=chat: settled(platform, chat), within=20))
    for chat in range(10):
        assert f"“Question {chat}”" in platform.in_chat(chat)[0]
        assert platform.calls_for(chat, 429) == []
    # An answer takes a second, or so: they came at once and not one after the other.
    calls = [call.at for call in platform.calls]
    assert calls[-1] - calls[0] < 5


async def test_what_the_platform_asks_to_wait_is_waited_and_the_end_is_shown_all_the_same(
    bot, platform
):
    async with bot():
        platform.write(1, "Hello")
        await until(lambda: len(platform.calls_for(1)) >= 2)
        platform.refuse_next(1, count=2)
        await until(lambda: settled(platform, 1))
    refused = platform.calls_for(1, 429)
    assert len(refused) == 2
    for call in refused:
        after = next(other for other in platform.calls if other.at > call.at)
        assert after.at - call.at >= 1


async def test_one_chat_that_must_wait_keeps_no_other_waiting(bot, platform):
    async with bot():
        platform.refuse_next(1, count=3)
        platform.write(1, "Hello")
        platform.write(2, "Hello")
        await until(lambda: settled(platform, 2))
        assert platform.in_chat(1) == []
        await until(lambda: settled(platform, 1))


async def test_writing_again_drops_the_old_answer_and_keeps_what_it_showed(bot, platform, server):
    async with bot():
        platform.write(1, "First")
        await until(lambda: len(platform.calls_for(1)) >= 3)
        platform.write(1, "Second")
        await until(lambda: any(r.path.endswith("stop-generating") for r in server.requests))
        await until(lambda: server.conversations <= 1)
        await until(lambda: settled(platform, 1, 2))
    first, second = platform.in_chat(1)
    assert first.startswith("This is the")
    assert first.endswith(" …")
    assert "“Second”" in second
    assert b"User: First\\nUser: Second" in server.requests[-2].body


async def test_writing_three_times_at_once_answers_the_last(bot, platform, server):
    server.add_fault(SlowAnswer(seconds=0.3))
    for text in ("One", "Two", "Three"):
        platform.write(1, text)
    async with bot():
        await until(lambda: settled(platform, 1))
    assert "“Three”" in platform.in_chat(1)[0]


async def test_the_model_is_told_what_was_said_before(bot, platform, server):
    async with bot():
        platform.write(1, "First")
        await until(lambda: settled(platform, 1))
        platform.write(1, "Second")
        await until(lambda: settled(platform, 1, 2))
    inputs = [r.body.decode() for r in server.requests if b'"inputs"' in r.body]
    assert "User: First\\nAssistant: This is the" in inputs[1]
    assert "User: Second\\nAssistant:" in inputs[1]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Drop(after=3, times=1), "This is the\n\n⚠️ The answer broke off."),
        (ErrorInStream(after=2, times=1), "This is\n\n⚠️ The answer broke off."),
        (Stall(after=2, times=1), "This is\n\n⚠️ No answer came in time."),
        (
            Status(status=429, times=3, retry_after=0.01),
            "⚠️ Too many questions at once. Please ask again in 1 s.",
        ),
        (Status(status=429, times=3), "⚠️ Too many questions at once. Please ask again later."),
    ],
)
async def test_an_error_is_told_below_what_had_arrived(bot, platform, server, fault, text):
    server.add_fault(fault)
    async with bot(LIMITS="Timeouts(first_token=10, stall=0.5)"):
        platform.write(1, "Hello")
        await until(lambda: platform.in_chat(1) == [text])
        platform.write(1, "And now?")
        await until(lambda: settled(platform, 1, 2))
    assert "127.0.0.1" not in "".join(platform.in_chat(1))


async def test_an_answer_that_fits_in_no_message_goes_on_in_the_next(bot, platform, server):
    async with bot(PART=30):
        platform.write(1, "Hello 👋")
        await until(lambda: settled(platform, 1, 5, ends=("👋 👨‍👩‍👧‍👦",)))
    texts = platform.in_chat(1)
    assert [len(text) for text in texts[:-1]] == [30] * 4
    assert "".join(texts).startswith("This is the asyncllm sandbox speaking, not a model.")


async def test_who_blocks_the_bot_stops_the_generation(bot, platform, server):
    server.add_fault(Stall(after=5, times=1))
    async with bot() as process:
        platform.write(1, "Hello")
        await until(lambda: len(platform.calls_for(1)) >= 2)
        platform.blocked.add(1)
        platform.write(1, "Still there?")
        await process.says("bot was blocked")
        await until(lambda: server.conversations == 0)
        platform.write(2, "Hello")
        await until(lambda: settled(platform, 2))


async def test_what_is_no_text_is_passed_over(bot, platform):
    platform.deliver({"my_chat_member": {}})
    platform.deliver({"message": {"message_id": 1, "chat": {"id": 1}, "photo": []}})
    platform.write(1, "/start")
    platform.write(1, "Hello")
    async with bot():
        await until(lambda: settled(platform, 1))
    assert len(platform.in_chat(1)) == 1


async def test_a_platform_that_goes_away_for_a_while_is_waited_for(bot, platform, server):
    async with bot() as process:
        platform.write(1, "Hello")
        await until(lambda: len(platform.calls_for(1)) >= 2)
        await platform.__aexit__()
        await process.says("no updates from the platform")
        async with platform:
            await until(lambda: settled(platform, 1))
            process.terminate()
            await process.ended()


async def test_sigterm_shows_what_has_come_and_leaves_nothing(bot, platform, server):
    server.add_fault(Stall(after=5))
    async with bot() as process:
        for chat in range(3):
            platform.write(chat, "Hello")
        text = "This is the asyncllm sandbox"
        await until(lambda: all(platform.in_chat(chat) == [text] for chat in range(3)))
        process.terminate()
        await process.ended()
    for chat in range(3):
        assert platform.in_chat(chat) == [f"{text} …"]


async def test_no_token_is_one_line_and_exit_status_1(bot):
    async with bot(status=1, token="") as process:
        await process.ended()
    assert process.said == "set BOT_TOKEN to the token of your bot\n"


async def test_a_wrong_token_is_one_line_and_exit_status_1(bot):
    async with bot(status=1, token="12345:wrong") as process:
        await process.says("the platform wants no such bot: getUpdates: 401 Unauthorized")
    assert "12345" not in process.said
