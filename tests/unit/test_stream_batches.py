"""What a stream makes of the batches that its source gives it, without any network."""

import asyncio
import contextlib
import traceback

import pytest

from asyncllm import (
    Finish,
    Ping,
    Reasoning,
    ReplyTooLargeError,
    StreamInterrupted,
    StreamTimeout,
    Timeouts,
    ToolCall,
    Usage,
)
from asyncllm.stream.begun import Begun, begin_under
from asyncllm.stream.stream import Stream

CALL = ToolCall("call_1", "look_up", '{"word": "yes"}')


def stream_by(begin, *, timeouts=None, owner=None, **options):
    timeouts = timeouts or Timeouts()
    return Stream(begin, name="Test", model="m", timeouts=timeouts, owner=owner, **options)


def stream_of(*batches, **options):
    async def source():
        for batch in batches:
            yield batch

    async def begin():
        batches_to_come = source()
        return Begun(await anext(batches_to_come), batches_to_come, batches_to_come)

    return stream_by(begin, **options)


def stream_waiting_for_ever(**options):
    async def begin():
        await asyncio.Event().wait()

    return stream_by(begin, **options)


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


async def test_a_reply_may_take_all_that_it_may_and_no_byte_more():
    batches = ["x" * 100], [Finish("stop")]
    size = ("x" * 100).__sizeof__()
    assert await stream_of(*batches, max_reply_bytes=size).collect()
    with pytest.raises(ReplyTooLargeError):
        await stream_of(*batches, max_reply_bytes=size - 1).collect()


class Owner:
    """Ends the stream that uses it, as a session manager does."""

    def attach(self, stream):
        self.stream = stream

    def detach(self, stream):
        assert stream is self.stream


class Source:
    """What gives a batch, and waits for ever; it takes a while to close."""

    def __init__(self, *batches):
        self.is_closed = False
        self.generator = self._generate(batches)  # held, so that no finalizer closes it

    async def begin(self):
        return Begun(await anext(self.generator), self.generator, self.generator)

    async def _generate(self, batches):
        try:
            for batch in batches:
                yield batch
            await asyncio.Event().wait()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            self.is_closed = True


def stream_from(source, **options):
    return stream_by(source.begin, **options)


@pytest.mark.parametrize(
    ("batch", "phase"),
    [
        ([Ping()], "first_token"),
        (["a"], "stall"),
        (["a", Ping()], "stall"),
        ([Reasoning("hm")], "stall"),
        ([Ping(), Reasoning("hm")], "stall"),
        ([CALL], "stall"),
        ([], "stall"),  # something is being written that can't be given out yet
    ],
    ids=str,
)
async def test_a_silence_is_a_stall_once_more_than_pings_have_come(batch, phase):
    limits = Timeouts(first_token=0.05, stall=0.05)
    with pytest.raises(StreamTimeout) as caught:
        await stream_from(Source(batch), timeouts=limits).collect()
    assert caught.value.phase == phase


async def test_closing_between_two_reads_waits_until_the_source_is_closed():
    source = Source(["a"])
    stream = stream_from(source)
    assert await anext(stream) == "a"
    await stream.aclose()
    assert source.is_closed
    assert await stream.read() == []


async def test_who_reads_on_after_it_was_ended_is_told_why_each_time_and_where_it_was_raised():
    source, owner = Source(["a"]), Owner()
    stream = stream_from(source, owner=owner)
    assert await anext(stream) == "a"
    await owner.stream.end(StreamInterrupted("the manager was closed"))
    for _ in range(2):
        with pytest.raises(StreamInterrupted, match="^the manager was closed$") as caught:
            await anext(stream)
        assert caught.value.reply.text == "a"
    assert source.is_closed


async def test_a_reply_that_is_too_large_has_its_source_closed_before_it_is_told():
    source = Source(["x" * 600], ["x" * 600])
    with pytest.raises(ReplyTooLargeError) as caught:
        await stream_from(source, max_reply_bytes=KIB).collect()
    assert source.is_closed
    assert len(caught.value.reply.text) == 1200


async def test_a_failure_is_told_again_with_the_place_that_it_comes_from():
    async def begin():
        failing = fail()
        return Begun(["a"], failing, failing)

    async def fail():
        raise StreamInterrupted("gone")
        yield

    stream = stream_by(begin)
    for _ in range(2):
        with pytest.raises(StreamInterrupted, match="^gone$") as caught:
            await stream.collect()
        assert "in fail" in "".join(traceback.format_exception(caught.value))


async def test_of_two_who_end_it_the_first_says_why():
    owner = Owner()
    stream = stream_waiting_for_ever(owner=owner)
    reading = asyncio.create_task(stream.collect())
    await asyncio.sleep(0)
    ending = [
        asyncio.create_task(owner.stream.end(StreamInterrupted(why))) for why in ("first", "second")
    ]
    with pytest.raises(StreamInterrupted, match="first"):
        await reading
    await asyncio.wait(ending)
    assert not reading.cancelled()
    assert reading.cancelling() == 0


@pytest.mark.parametrize(
    ("why", "last", "given", "reason"),
    [
        (None, ["b"], [], "cancelled"),
        (None, ["b", Finish("stop")], [], "stop"),
        (StreamInterrupted("the manager was closed"), ["b", Finish("stop")], ["b"], "stop"),
    ],
    ids=["closed", "closed when whole", "ended when whole"],
)
async def test_a_batch_that_comes_though_its_read_was_ended_is_given_out_if_nobody_left(
    why, last, given, reason
):
    async def source():
        yield ["a"]
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        yield last

    async def begin():
        batches = source()
        return Begun(await anext(batches), batches, batches)

    owner, room = Owner(), 2 * "a".__sizeof__()
    stream = stream_by(begin, owner=owner, max_reply_bytes=room)
    assert await anext(stream) == "a"
    reading = asyncio.create_task(stream.read())
    await asyncio.sleep(0)
    await owner.stream.end(why)
    assert (await reading, reading.cancelling()) == (given, 0)
    assert await stream.read() == []
    assert (stream.reply.text, stream.reply.finish_reason) == ("ab", reason)


class Lease:
    """What stands while an answer is read, and takes until `may_end` to be given back."""

    def __init__(self, *batches, ends_by=None):
        self.log = []
        self.is_leaving, self.may_end = asyncio.Event(), asyncio.Event()
        self._batches, self._ends_by = batches, ends_by

    async def begin(self):
        return await begin_under(self._stand())

    async def _stand(self):
        async with contextlib.aclosing(self._read()) as source:
            try:
                yield Begun(
                    await anext(source, None), source, source, lambda: self.log.append("whole")
                )
            finally:
                self.log.append("leaving")
                self.is_leaving.set()
                await self.may_end.wait()
                self.log.append("left")

    async def _read(self):
        for batch in self._batches:
            yield batch
        if self._ends_by is not None:
            raise self._ends_by


ENDS = [
    (["a", Finish("stop")], None, ["whole", "leaving", "left"]),
    (["a"], None, ["leaving", "left"]),
    (["a"], StreamInterrupted("gone"), ["leaving", "left"]),
]


@pytest.mark.parametrize(("batch", "failure", "log"), ENDS, ids=["whole", "cut", "failed"])
async def test_an_answer_has_given_back_what_it_holds_when_its_end_is_told(batch, failure, log):
    lease = Lease(batch, ends_by=failure)
    reading = asyncio.create_task(stream_from(lease).collect())
    await lease.is_leaving.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not reading.done()
    lease.may_end.set()
    await asyncio.wait([reading])
    assert (reading.exception() is None, lease.log) == ("whole" in log, log)


@pytest.mark.parametrize(("batch", "failure", "log"), ENDS, ids=["whole", "cut", "failed"])
async def test_who_is_cancelled_while_an_answer_gives_back_what_it_holds_is_told_so(
    batch, failure, log
):
    lease = Lease(batch, ends_by=failure)
    stream = stream_from(lease)
    reading = asyncio.create_task(stream.collect())
    await lease.is_leaving.wait()
    reading.cancel("by somebody")
    with pytest.raises(asyncio.CancelledError, match="by somebody"):
        await reading
    assert lease.log == log[:-1]
    assert stream.reply.finish_reason == ("stop" if "whole" in log else "cancelled")
    assert await stream.read() == []


@pytest.mark.parametrize(("batch", "failure", "log"), ENDS, ids=["whole", "cut", "failed"])
async def test_who_closes_a_stream_while_it_gives_back_what_it_holds_ends_it_quietly(
    batch, failure, log
):
    lease = Lease(batch, ends_by=failure)
    stream = stream_from(lease)
    reading = asyncio.create_task(stream.read())
    assert await reading == ["a"]
    reading = asyncio.create_task(stream.read())
    await lease.is_leaving.wait()
    await stream.aclose()
    assert await reading == []
    assert lease.log == log[:-1]


async def test_an_answer_that_has_ended_without_a_batch_gives_back_what_it_holds():
    lease = Lease()
    lease.may_end.set()
    with pytest.raises(StreamInterrupted, match="without its end marker"):
        await stream_from(lease).collect()
    assert lease.log == ["leaving", "left"]


async def test_a_failure_is_told_though_giving_back_takes_longer_than_a_limit():
    lease = Lease(["a"], ends_by=StreamInterrupted("gone"))
    limits = Timeouts(stall=0.05, total=0.05)
    reading = asyncio.create_task(stream_from(lease, timeouts=limits).collect())
    await lease.is_leaving.wait()
    asyncio.get_running_loop().call_later(0.2, lease.may_end.set)
    with pytest.raises(StreamInterrupted, match="^gone$"):
        await reading
