"""What a stream makes of the batches that its source gives it, without any network."""

import asyncio

import pytest

from asyncllm import (
    Finish,
    Ping,
    Reasoning,
    ReplyTooLargeError,
    StreamInterrupted,
    Timeouts,
    ToolCall,
    Usage,
)
from asyncllm.stream import Stream

CALL = ToolCall("call_1", "look_up", '{"word": "yes"}')


def stream_of(*batches, **options):
    async def source():
        for batch in batches:
            yield batch

    async def begin():
        batches_to_come = source()
        return batches_to_come, await anext(batches_to_come)

    return Stream(begin, name="Test", model="m", timeouts=Timeouts(), owner=None, **options)


def stream_waiting_for_ever():
    async def begin():
        await asyncio.Event().wait()

    return Stream(begin, name="Test", model="m", timeouts=Timeouts(), owner=None)


async def test_read_gives_all_text_of_a_batch_and_nothing_else_then_nothing():
    stream = stream_of(
        ["a", Reasoning("hm"), "b", Ping()], [Reasoning("so")], ["c"], [Finish("stop")]
    )
    assert [await stream.read() for _ in range(4)] == [["a", "b"], ["c"], [], []]


async def test_the_reply_has_what_every_kind_of_item_says():
    usage = Usage(prompt_tokens=1, completion_tokens=2)
    batches = [Ping()], [Reasoning("hm"), "a"], ["b", "c"], [CALL, usage], ["d", Finish("length")]
    reply = await stream_of(*batches).collect()
    assert (reply.text, reply.reasoning) == ("abcd", "hm")
    assert (reply.tool_calls, reply.usage, reply.finish_reason) == ((CALL,), usage, "length")
    assert reply.model == "m"


KIB = 1024
TOO_MUCH = {
    "text": ["x" * 600],
    "text beside events": ["x" * 600, Ping()],
    "reasoning": [Reasoning("x" * 600)],
    "the id of a call": [ToolCall("x" * 600, "f", "{}")],
    "the name of a call": [ToolCall("i", "x" * 600, "{}")],
    "the arguments of a call": [ToolCall("i", "f", "x" * 600)],
}


@pytest.mark.parametrize("batch", TOO_MUCH.values(), ids=list(TOO_MUCH))
async def test_two_batches_that_are_too_much_together_end_it_with_what_had_come(batch):
    assert await stream_of(batch, [Finish("stop")], max_reply_bytes=KIB).collect()
    with pytest.raises(ReplyTooLargeError, match="more than 1024 bytes") as caught:
        await stream_of(batch, batch, [Finish("stop")], max_reply_bytes=KIB).collect()
    reply = caught.value.reply
    assert reply.finish_reason is None
    assert len(reply.text + reply.reasoning) in {0, 1200}
    assert len(reply.tool_calls) in {0, 2}


@pytest.mark.parametrize("kind", ["text", "text beside events", "reasoning"])
async def test_what_is_not_kept_has_no_bound(kind):
    batch = TOO_MUCH[kind]
    stream = stream_of(*[batch] * 9, [Finish("stop")], max_reply_bytes=KIB, keep=False)
    reply = await stream.collect()
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("", "", "stop")


async def test_of_two_who_end_it_the_first_says_why():
    stream = stream_waiting_for_ever()
    reading = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)
    ending = [
        asyncio.create_task(stream.end(StreamInterrupted(why))) for why in ("first", "second")
    ]
    with pytest.raises(StreamInterrupted, match="first"):
        await reading
    await asyncio.wait(ending)
    assert not reading.cancelled()
    assert reading.cancelling() == 0
