"""The limits of a stream are kept to the second, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import selectors
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncllm import StreamTimeout, Timeouts
from asyncllm.stream.watchdog import Watchdog


class VirtualTime(selectors.DefaultSelector):
    """A selector that does not wait: time jumps to where the loop would have waited until."""

    now = 0.0
    turns_without_time = 0

    def select(self, timeout=None):
        events = super().select(0)
        self.turns_without_time += 1
        if self.turns_without_time == 10_000:
            self.turns_without_time = 0  # the runner still has to clean up
            raise AssertionError("the loop spins: a timer sets itself for now")
        if not events and timeout != 0:
            assert timeout is not None, "everything waits for what never comes"
            self.now += timeout
            self.turns_without_time = 0
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self.virtual = VirtualTime()
        self.timers = 0
        super().__init__(self.virtual)

    def time(self):
        return self.virtual.now

    def call_at(self, when, callback, *args, context=None):
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)


class Caller:
    """Reads a stream, as far as its watchdog can tell."""

    def __init__(self, timeouts):
        self.loop = asyncio.get_running_loop()
        self.expired = asyncio.Event()
        self.timeout: StreamTimeout | None = None
        self.expired_at: float | None = None
        self.times_expired = 0
        self.watchdog = Watchdog(timeouts, weakref.ref(self))

    def stop(self, timeout):
        self.timeout, self.expired_at = timeout, self.loop.time()
        self.times_expired += 1
        self.expired.set()

    async def read(self, seconds, *, content):
        """Wait for what comes after `seconds`; False when the time was up before."""
        self.watchdog.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.expired.wait()
        if self.timeout is None:
            self.watchdog.arrived(content=content)
        return self.timeout is None

    async def wait(self):
        """Wait for what never comes, and return which limit ended it, and when."""
        self.watchdog.wait()
        await self.expired.wait()
        assert self.timeout is not None
        return self.timeout.phase, self.expired_at


def run(timeouts, main):
    async def with_caller():
        caller = Caller(timeouts)
        try:
            return await main(caller)
        finally:
            caller.watchdog.stop()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(with_caller())


def limits(first_token=None, stall=None, total=None):
    return Timeouts(first_token=first_token, stall=stall, total=total)


def test_no_first_token_in_time_expires():
    async def main(caller):
        assert await caller.wait() == ("first_token", 5)
        assert caller.timeout.limit == 5

    run(limits(first_token=5, stall=1, total=100), main)


def test_content_starts_the_shorter_stall_limit():
    async def main(caller):
        await caller.read(4, content=True)
        assert await caller.wait() == ("stall", 5)
        assert caller.timeout.limit == 1

    run(limits(first_token=100, stall=1), main)


def test_content_starts_the_longer_stall_limit():
    async def main(caller):
        await caller.read(0.5, content=True)
        assert await caller.wait() == ("stall", 100.5)

    run(limits(first_token=1, stall=100), main)


def test_each_content_gives_the_full_stall_limit_again():
    async def main(caller):
        for _ in range(50):
            assert await caller.read(2, content=True)
        assert await caller.wait() == ("stall", 103)

    run(limits(first_token=3, stall=3), main)


def test_pings_do_not_reset_the_first_token_limit():
    async def main(caller):
        while await caller.read(1, content=False):
            pass
        assert (caller.timeout.phase, caller.expired_at) == ("first_token", 5.5)

    run(limits(first_token=5.5, stall=1), main)


def test_pings_do_not_reset_the_stall_limit():
    async def main(caller):
        await caller.read(1, content=True)
        while await caller.read(1, content=False):
            pass
        assert (caller.timeout.phase, caller.expired_at) == ("stall", 6.5)

    run(limits(first_token=100, stall=5.5), main)


def test_time_that_the_caller_takes_for_itself_does_not_count_before_the_first_token():
    async def main(caller):
        await caller.read(2, content=False)
        await asyncio.sleep(1000)
        assert await caller.wait() == ("first_token", 1005)

    run(limits(first_token=5), main)


def test_time_that_the_caller_takes_for_itself_does_not_count_as_a_stall():
    async def main(caller):
        for _ in range(3):
            await caller.read(4, content=True)
            await asyncio.sleep(1000)
        assert await caller.wait() == ("stall", 3017)

    run(limits(first_token=5, stall=5), main)


def test_the_total_runs_also_while_the_caller_does_something_else():
    async def main(caller):
        await caller.read(1, content=True)
        await asyncio.sleep(8)
        assert await caller.wait() == ("total", 10)
        assert caller.timeout.limit == 10

    run(limits(first_token=5, stall=5, total=10), main)


def test_a_total_that_passes_while_nobody_reads_expires_then():
    async def main(caller):
        await caller.read(1, content=True)
        await caller.read(1, content=True)  # leaves a timer set
        await asyncio.sleep(1000)
        assert (caller.timeout.phase, caller.expired_at) == ("total", 10)
        assert caller.times_expired == 1

    run(limits(first_token=5, stall=5, total=10), main)


def test_the_total_ends_a_stream_that_never_stalls():
    async def main(caller):
        while await caller.read(1, content=True):
            pass
        assert (caller.timeout.phase, caller.expired_at) == ("total", 10.5)

    run(limits(first_token=5, stall=5, total=10.5), main)


def test_without_limits_nothing_expires_and_no_timer_is_set():
    async def main(caller):
        caller.watchdog.wait()
        before = caller.loop.timers
        await asyncio.sleep(1e6)
        caller.watchdog.arrived(content=True)
        caller.watchdog.wait()
        assert caller.loop.timers == before + 1  # that of the sleep
        assert caller.timeout is None

    run(limits(), main)


def test_only_a_stall_limit_leaves_the_first_token_all_its_time():
    async def main(caller):
        await caller.read(1e6, content=True)
        assert await caller.wait() == ("stall", 1e6 + 5)

    run(limits(stall=5), main)


def test_content_that_nobody_waited_for_gives_the_full_stall_limit():
    async def main(caller):
        await caller.read(4, content=False)
        caller.watchdog.arrived(content=True)
        assert await caller.wait() == ("stall", 9)

    run(limits(first_token=5, stall=5), main)


def test_after_stop_nothing_expires():
    async def main(caller):
        caller.watchdog.wait()
        caller.watchdog.stop()
        caller.watchdog.stop()
        await asyncio.sleep(1000)
        assert caller.timeout is None

    run(limits(first_token=5, stall=5, total=5), main)


def test_it_expires_once():
    async def main(caller):
        await caller.wait()
        await asyncio.sleep(1000)
        assert caller.times_expired == 1

    run(limits(first_token=5, stall=5, total=7), main)


def test_a_caller_that_is_gone_is_not_kept_alive_and_not_called():
    async def main(_):
        caller = Caller(limits(first_token=5))
        gone, watchdog = weakref.ref(caller), caller.watchdog
        watchdog.wait()
        del caller
        assert gone() is None
        await asyncio.sleep(10)

    run(limits(), main)


def test_reads_set_no_timer_each():
    async def main(caller):
        before = caller.loop.timers
        for _ in range(10_000):
            caller.watchdog.wait()
            caller.loop.virtual.now += 0.001
            caller.watchdog.arrived(content=True)
        assert caller.loop.timers - before <= 3

    run(limits(first_token=5, stall=5), main)


def test_a_ping_that_came_later_than_its_limit_leaves_no_timer_spinning():
    async def main(caller):
        caller.watchdog.wait()
        caller.loop.virtual.now += 6  # something blocked the loop, and then the ping is seen first
        caller.watchdog.arrived(content=False)
        await asyncio.sleep(3600)
        assert await caller.wait() == ("first_token", 3606)

    run(limits(first_token=5, stall=5), main)


def test_a_caller_that_takes_its_time_is_not_woken_over_and_over():
    async def main(caller):
        await caller.read(4.99, content=False)  # leaves the timer a hundredth of a second
        before = caller.loop.timers
        await asyncio.sleep(3600)
        assert caller.loop.timers - before < 100

    run(limits(first_token=5, stall=5), main)


def expected(timeouts, steps):
    """Say in the plainest way which limit ends a caller of these steps, and when."""
    now, waited = 0.0, 0.0
    phase, limit = "first_token", timeouts.first_token
    total = timeouts.total or math.inf
    for pause, wait, content in steps:
        now += pause
        if total < now:
            return "total", total
        ends = {now + (limit or math.inf) - waited: phase, total: "total"}
        end = min(ends)
        if end < now + wait:
            return ends[end], end
        now, waited = now + wait, waited + wait
        if content:
            phase, limit, waited = "stall", timeouts.stall, 0.0
    return None, None


# Whole seconds for steps, and limits in different parts of one: no two things happen at once.
pauses = st.integers(min_value=0, max_value=8).map(float)
waits = st.integers(min_value=1, max_value=8).map(float)


def maybe(part):
    return st.none() | st.integers(min_value=0, max_value=20).map(lambda whole: whole + part)


@given(
    timeouts=st.builds(limits, first_token=maybe(0.5), stall=maybe(0.5), total=maybe(0.25)),
    steps=st.lists(st.tuples(pauses, waits, st.booleans()), max_size=8),
)
def test_any_caller_is_ended_by_the_right_limit_at_the_right_time(timeouts, steps):
    async def main(caller):
        for pause, wait, content in steps:
            await asyncio.sleep(pause)
            if not await caller.read(wait, content=content):
                break
        return caller.timeout and caller.timeout.phase, caller.expired_at

    phase, at = run(timeouts, main)
    expected_phase, expected_at = expected(timeouts, steps)
    assert phase == expected_phase
    assert at == (expected_at if expected_at is None else pytest.approx(expected_at))
