"""Passing failures are tried again, as often and after as long as the policy says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import selectors
import sys

import pytest

from asyncllm import (
    AuthenticationError,
    ConfigurationError,
    HTTPStatusError,
    ProtocolError,
    ProviderError,
    ProxyError,
    RateLimitError,
    Retry,
    StreamInterrupted,
    StreamTimeout,
    TransportError,
)
from asyncllm.stream.retry import retrying


class VirtualTime(selectors.DefaultSelector):
    """A selector that does not wait: time jumps to where the loop would have waited until."""

    now = 0.0

    def select(self, timeout=None):
        events = super().select(0)
        if not events:
            assert timeout is not None, "everything waits for what never comes"
            self.now += max(timeout, 0)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._virtual = VirtualTime()
        super().__init__(self._virtual)

    def time(self):
        return self._virtual.now


class Work:
    """Fails with each of `failures`, then succeeds; remembers when it was called."""

    def __init__(self, *failures):
        self._failures = list(failures)
        self.called_at = []

    async def __call__(self):
        self.called_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        if self._failures:
            raise self._failures.pop(0)
        return "done"

    @property
    def waits(self):
        return [b - a for a, b in zip(self.called_at, self.called_at[1:], strict=False)]


def run(work, **policy):
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(retrying(work, Retry(**policy), "work"))


def status(code, cls=HTTPStatusError, **more):
    return cls("POST", "http://host.example/", status=code, message="no", **more)


def wishing(code, wish):
    return status(code, headers={"X-Should-Retry": wish})


PASSING = [
    TransportError("gone"),
    *(status(s) for s in (408, 409, 425, 429, 500, 502, 503, 599)),
    *(wishing(s, "true") for s in (400, 401, 429)),
    *(wishing(429, wish) for wish in ("", "maybe")),
]
LASTING = [
    *(wishing(s, "false") for s in (408, 429, 500, 503)),
    *(wishing(400, wish) for wish in ("", "maybe")),
    *(status(s) for s in (400, 401, 403, 404, 405, 413, 422, 600)),
    ProxyError("refused"),
    ConfigurationError("wrong"),
    StreamTimeout("connect", 10),
    ProviderError("failed"),
    ProtocolError("what"),
    StreamInterrupted("cut"),
]


def shown(error):
    return f"{type(error).__name__}-{getattr(error, 'status', '')}"


@pytest.mark.parametrize("error", PASSING, ids=shown)
def test_a_passing_failure_is_tried_again(error):
    assert error.is_passing
    work = Work(error)
    assert run(work) == "done"
    assert len(work.called_at) == 2


@pytest.mark.parametrize("error", LASTING, ids=shown)
def test_a_lasting_failure_is_raised_at_once(error):
    assert not error.is_passing
    work = Work(error)
    with pytest.raises(type(error)) as caught:
        run(work)
    assert caught.value is error
    assert work.called_at == [0]


@pytest.mark.parametrize("error", [OSError("no"), ValueError("no"), RuntimeError("no")])
def test_what_is_not_ours_is_never_tried_again(error):
    work = Work(error)
    with pytest.raises(type(error)):
        run(work)
    late = Work(TransportError("gone"), error)
    with pytest.raises(type(error)):
        run(late)
    assert (len(work.called_at), len(late.called_at)) == (1, 2)


def test_success_at_once_waits_for_nothing():
    work = Work()
    assert run(work) == "done"
    assert work.called_at == [0]


@pytest.mark.parametrize("attempts", [1, 2, 3, 5])
def test_no_more_than_the_attempts_are_made_and_the_last_failure_is_raised(attempts):
    failures = [TransportError(f"number {n}") for n in range(1, 10)]
    work = Work(*failures)
    with pytest.raises(TransportError) as caught:
        run(work, attempts=attempts)
    assert len(work.called_at) == attempts
    assert caught.value is failures[attempts - 1]


def test_the_last_attempt_may_succeed():
    work = Work(TransportError("1"), status(503))
    assert run(work, attempts=3) == "done"
    assert len(work.called_at) == 3


def test_a_lasting_failure_after_a_passing_one_is_raised_at_once():
    work = Work(TransportError("gone"), status(401, AuthenticationError))
    with pytest.raises(AuthenticationError):
        run(work, attempts=5)
    assert len(work.called_at) == 2


def test_waits_double_with_jitter_of_up_to_the_first_wait():
    work = Work(*[TransportError("gone")] * 4)
    run(work, attempts=5, initial_wait=0.25, max_wait=1000)
    for wait, least in zip(work.waits, [0.25, 0.5, 1, 2], strict=True):
        assert least - 1e-6 <= wait <= least + 0.25 + 1e-6


def test_no_wait_is_longer_than_the_longest():
    work = Work(*[TransportError("gone")] * 9)
    run(work, attempts=10, initial_wait=1, max_wait=3)
    assert max(work.waits) <= 3 + 1e-6
    assert work.waits[-1] == pytest.approx(3)


def test_a_first_wait_beyond_the_longest_is_the_longest():
    work = Work(TransportError("gone"))
    run(work, initial_wait=60, max_wait=5)
    assert work.waits == [pytest.approx(5)]


@pytest.mark.parametrize("asked", [1.1, 7.0, 29.0])
def test_a_longer_wait_that_the_server_asks_for_is_kept(asked):
    work = Work(status(429, RateLimitError, retry_after=asked))
    assert run(work, initial_wait=0.5, max_wait=30) == "done"
    assert work.waits == [pytest.approx(asked)]


@pytest.mark.parametrize("asked", [0.0, 0.25])
def test_no_wait_is_shorter_than_the_back_off_though_the_server_asks_for_less(asked):
    work = Work(*[status(429, RateLimitError, retry_after=asked)] * 3)
    assert run(work, attempts=4, initial_wait=0.5, max_wait=30) == "done"
    for wait, least in zip(work.waits, [0.5, 1, 2], strict=True):
        assert least - 1e-6 <= wait <= least + 0.5 + 1e-6


def test_many_attempts_overflow_nothing():
    many = sys.getrecursionlimit() + 100
    assert run(Work(*[TransportError("gone")] * many), attempts=many + 1, max_wait=1) == "done"


@pytest.mark.parametrize("asked", [31.0, 86400.0, float("inf")])
def test_the_server_s_wish_is_bounded_by_the_longest_wait(asked):
    work = Work(status(503, retry_after=asked))
    assert run(work, max_wait=30) == "done"
    assert work.waits == [pytest.approx(30)]


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        (2, ["work: attempt 1 of 2 failed: gone", "work: attempt 2 of 2 failed: gone"]),
        (1, ["work: attempt 1 of 2 failed: gone"]),
        (0, []),
    ],
)
def test_each_failed_attempt_is_logged_with_what_was_done(caplog, failures, said):
    caplog.set_level(logging.INFO, logger="asyncllm")
    with contextlib.suppress(TransportError):
        run(Work(*[TransportError("gone")] * failures), attempts=2)
    assert [record.getMessage() for record in caplog.records if record.name == "asyncllm"] == said


def test_a_first_failure_is_not_logged_where_nothing_is_tried_again(caplog):
    caplog.set_level(logging.INFO, logger="asyncllm")
    with pytest.raises(TransportError):
        run(Work(TransportError("gone")), attempts=1)
    with pytest.raises(AuthenticationError):
        run(Work(status(401, AuthenticationError)), attempts=2)
    assert not [record for record in caplog.records if record.name == "asyncllm"]


def test_cancelling_while_waiting_makes_no_further_attempt():
    work = Work(*[TransportError("gone")] * 9)

    async def main():
        task = asyncio.create_task(retrying(work, Retry(initial_wait=10), "work"))
        await asyncio.sleep(5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
    assert work.called_at == [0]
