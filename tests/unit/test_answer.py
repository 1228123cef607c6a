"""The states of an answer, in whatever order its server, its reader and others act."""

import asyncio
import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asyncllm import Finish, Ping, StreamInterrupted, StreamTimeout, Timeouts
from asyncllm.stream.answer import Answer
from asyncllm.stream.begun import Begun, begin_under
from asyncllm.stream.partial_reply import PartialReply
from asyncllm.stream.state import State

END = None
FAILURE = ValueError("gone")
BATCHES = [["a"], ["b", Ping()], [], [Finish("stop")], END, FAILURE]
OVER = {State.ENDING, State.ENDED}


class Life(RuleBasedStateMachine):
    """What an answer is told to do, beside what is to come of it.

    `outcome` is the finish reason and the error of the one end that it is to have.
    """

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.coming = asyncio.Queue()
        partial = PartialReply("m", 1024, keep=True)
        limits = Timeouts(first_token=None, stall=None)
        self.answer = Answer(self.begin, partial, timeouts=limits, owner=self, secrets=())
        self.reader, self.is_attached, self.is_held = None, False, False
        self.finishes, self.is_whole, self.outcome = 0, False, None

    def attach(self, answer):
        self.is_attached = True

    def detach(self, answer):
        self.is_attached = False

    async def begin(self):
        return await begin_under(self.stand())

    async def stand(self):
        async with contextlib.aclosing(self.batches()) as source:
            batch = await anext(source, None)
            self.is_held = True
            try:
                yield Begun(batch, source, source, self.finish)
            finally:
                await asyncio.sleep(0)
                self.is_held = False

    async def batches(self):
        while (batch := await self.coming.get()) is not END:
            if isinstance(batch, Exception):
                raise batch
            yield batch

    def finish(self):
        self.finishes += 1

    def run(self, *actions):
        """Do all of that in one tick of the loop, and let come of it what does."""

        async def act():
            for action in actions:
                action()
            for _ in range(10):
                await asyncio.sleep(0)

        self.runner.run(act())

    def close_by(self, error):
        self.closing = asyncio.ensure_future(self.answer.end(error))

    def expect(self, reason, error=None):
        self.outcome = self.outcome or ("stop" if self.is_whole else reason, error)

    def is_reading(self):
        return self.reader is not None and not self.reader.done()

    def take(self, batch):
        """Expect what comes of it that the reader gets `batch`."""
        if batch is FAILURE:
            self.expect(None, ValueError)
        elif batch is END:
            self.expect(None, None if self.is_whole else StreamInterrupted)
        elif Finish("stop") in batch:
            self.is_whole = True

    @rule()
    def read(self):
        if self.is_reading():
            return
        if self.outcome is None and not self.coming.empty():
            self.take(self.coming._queue[0])
        self.run(self.start_reading)

    def start_reading(self):
        self.reader = asyncio.ensure_future(self.answer.read_batch())

    @rule(batches=st.lists(st.sampled_from(BATCHES), max_size=4))
    def go_on(self, batches):
        for batch in batches:
            self.read()
            self.come(batch)

    @rule(batch=st.sampled_from(BATCHES))
    def come(self, batch):
        if self.is_reading():
            self.take(batch)
        self.run(lambda: self.coming.put_nowait(batch))

    @precondition(lambda self: self.is_reading())
    @rule(is_closed_too=st.sampled_from([None, "first", "last"]))
    def cancel(self, is_closed_too):
        self.expect("cancelled")
        actions = [self.reader.cancel]
        if is_closed_too:
            actions.insert(is_closed_too == "last", lambda: self.close_by(None))
        self.run(*actions)
        assert self.reader.cancelled()

    @rule(error=st.sampled_from([None, StreamTimeout("total", 1.0)]), times=st.integers(1, 2))
    def close(self, error, times):
        kind = None if error is None or self.is_whole else StreamTimeout
        self.expect("cancelled" if error is None else None, kind)
        was_reading = self.is_reading()
        self.run(*[lambda: self.close_by(error)] * times)
        assert self.closing.done()
        assert not self.is_reading()
        if was_reading:
            assert not self.reader.cancelled()
            assert self.reader.cancelling() == 0

    @invariant()
    def it_ends_once_and_as_it_has_to(self):
        state, reply = self.answer.state, self.answer.partial.reply()
        assert (self.outcome is not None) == (state in OVER)
        if self.outcome is None:
            assert (state is State.READING) == self.is_reading()
            assert reply.finish_reason == ("stop" if self.is_whole else None)
            assert self.is_attached == (state is not State.NEW)
        else:
            assert state is State.ENDED
            assert (self.is_held, self.is_attached) == (False, False)
            assert reply.finish_reason == self.outcome[0]
            assert self.told() == self.outcome[1]
        assert self.finishes == self.is_whole

    def told(self):
        """Return the kind of error that whoever reads on gets, if any."""
        try:
            assert self.runner.run(self.answer.read_batch()) is False
        except (ValueError, StreamInterrupted, StreamTimeout) as error:
            return type(error)

    def teardown(self):
        if self.reader is not None:
            self.run(self.reader.cancel)
            self.reader.cancelled() or self.reader.exception()
        self.run(lambda: self.close_by(None))
        self.runner.close()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=50, stateful_step_count=10, deadline=None)
