"""What a client process is asked to do, and what it measures of itself while it does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contenders.h2o import H2O_CONTENDERS, H2oAsyncllm
from benchmarks.crowd import Crowd, control
from benchmarks.sampling import Sampler
from benchmarks.setups import AIOFASTNET
from benchmarks.wires import tokens_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from benchmarks.contenders.base import BlockingContender, Contender, Take
    from benchmarks.contenders.h2o import H2oContender

Result = dict[str, float]

_SHORT = 5  # tokens
_AT_ONCE = 50
_READINGS = 5
_PAGE = resource.getpagesize()


class BlockingJobs:
    """The jobs of a contender without an event loop."""

    def __init__(self, contender: BlockingContender) -> None:
        self._contender = contender

    def burst(self, *, streams: int, tokens: int) -> Result:
        """Consume whole answers one after the other: CPU seconds for each token."""
        answers = [list[str]() for _ in range(streams)]
        gc.collect()
        cpu = time.process_time()
        for answer in answers:
            self._contender.consume(f"burst/{tokens}", answer.append)
        cpu = time.process_time() - cpu
        _check(answers, tokens)
        return {"cpu": cpu / streams / tokens}


class Jobs:
    """The jobs of a contender on an event loop.

    Args:
        contender: who does them; open.
        http: the load server's origin in plain HTTP, where it is told what to do.

    """

    def __init__(self, contender: Contender, http: str) -> None:
        self._contender = contender
        self._http = http
        self._crowd = Crowd(contender, http)

    async def close(self) -> None:
        """End what was left open."""
        await self._crowd.close()

    async def burst(self, *, streams: int, tokens: int, times: int = 1) -> Result:
        """Consume whole answers, `streams` at once, `times` times: CPU seconds for each token."""
        cpu = 0.0
        gc.collect()
        for _ in range(times):
            answers = [list[str]() for _ in range(streams)]
            before = time.process_time()
            await _together(
                self._contender.consume(f"burst/{tokens}", answer.append) for answer in answers
            )
            cpu += time.process_time() - before
            _check(answers, tokens)
        return {"cpu": cpu / times / streams / tokens}

    async def listen(self, *, streams: int, seconds: float) -> Result:
        """Listen to `streams` at 20 tokens a second each; see `Crowd.listen`."""
        return await self._crowd.listen(streams, seconds)

    async def keep_up(self, *, streams: int, seconds: float) -> Result:
        """Listen to `streams` at 20 tokens a second each; see `Crowd.keep_up`."""
        return await self._crowd.keep_up(streams, seconds)

    async def many(self, *, streams: int) -> Result:
        """Open streams and keep them open: bytes of memory for each.

        A quarter of them is open before, as the first find memory that was used already.
        """
        await self.burst(streams=1, tokens=_SHORT, times=_AT_ONCE)
        first = streams // 4
        await self._crowd.grow(first)
        before = _memory()
        if not await self._crowd.grow(streams):
            raise AssertionError(f"{streams} streams can't be opened at once")
        return {"bytes": (_memory() - before) / (streams - first)}

    async def first_token(self, *, requests: int, is_cold: bool) -> Result:
        """Ask one question after the other: median seconds to the first token, CPU for each.

        Where it is cold, the server closes each connection after its answer.
        """
        program = "once" if is_cold else "burst"
        ask = partial(self._contender.consume, f"{program}/{_SHORT}")
        cpu = time.process_time()
        waits = [await _first_token(ask) for _ in range(requests)]
        cpu = time.process_time() - cpu
        return {"wait": statistics.median(waits), "cpu": cpu / requests}

    async def h2o_first_token(self, *, rtt: int) -> Result:
        """Wait for the first token of H2o: in round trips of `rtt` milliseconds each."""
        base_url = f"{self._http}/h2o/{rtt}/{_SHORT}"
        async with H2oAsyncllm(base_url) as h2o:
            cold = await _first_token(h2o.consume)
            accepted = await _first_token(h2o.consume)
        async with H2oAsyncllm(base_url, spares=1) as h2o:
            await h2o.consume(_ignore)
            await asyncio.sleep(4 * rtt / 1000)  # the spare conversation comes meanwhile
            spare = await _first_token(h2o.consume)
        trips = 1000 / rtt
        return {"cold": cold * trips, "accepted": accepted * trips, "spare": spare * trips}

    async def h2o_throughput(self, *, name: str, at_once: int, answers: int, tokens: int) -> Result:
        """Get whole answers of H2o, deletions included: answers for each second."""
        kind = next(cls for cls in H2O_CONTENDERS if cls.name == name)
        per_user = answers // at_once
        taken = [list[str]() for _ in range(at_once)]

        async def use(h2o: H2oContender, take: Take) -> None:
            for _ in range(per_user):
                await h2o.consume(take)

        gc.collect()
        began, cpu = time.perf_counter(), time.process_time()
        async with kind(f"{self._http}/h2o/0/{tokens}") as h2o:
            await _together(use(h2o, one.append) for one in taken)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        if any(one != tokens_of(tokens) * per_user for one in taken):
            raise AssertionError("something else than the whole answers came")
        if left := (await control(self._http, "state"))["conversations"]:
            raise AssertionError(f"{left} conversations are left on the server")
        return {"rate": answers / seconds, "cpu": cpu / answers}

    async def takes_aiofastnet(self) -> Result:
        """Ask one question, and tell by 1 or 0 whether aiofastnet was loaded for it."""
        await self.burst(streams=1, tokens=_SHORT)
        return {"taken": AIOFASTNET in sys.modules}

    async def profile(self, *, of: str, arguments: dict[str, Any]) -> Result:
        """Do a job twice, and sample the second time: CPU seconds for each token, by part."""
        came: Result = await getattr(self, of)(**arguments)
        with Sampler() as sampler:
            await getattr(self, of)(**arguments)
        return sampler.split(came["cpu"])

    async def soak(self, *, streams: int, first: int) -> Result:
        """Run short streams: bytes of memory after `first` and after all of them.

        Every tenth is H2o's with a conversation of its own; every twentieth is left half-way.
        """
        async with H2oAsyncllm(f"{self._http}/h2o/0/{_SHORT}") as h2o:

            async def run(numbers: range) -> None:
                for number in numbers:
                    if number % 20 == 1:
                        with contextlib.suppress(_LeftError):
                            await self._contender.consume(f"burst/{_SHORT}", _leave)
                    elif number % 10 == 0:
                        await h2o.consume(_ignore)
                    else:
                        await self._contender.consume(f"burst/{_SHORT}", _ignore)

            async def memory_after(numbers: range) -> float:
                readings = []
                for part in (numbers, *[range(2 * _AT_ONCE)] * (_READINGS - 1)):
                    await _together(run(part[start::_AT_ONCE]) for start in range(_AT_ONCE))
                    readings.append(_memory())
                return statistics.median(readings)

            early = await memory_after(range(first))
            return {"early": early, "late": await memory_after(range(first, streams))}


class _LeftError(Exception):
    """A caller leaves its stream."""


def _ignore(_token: str) -> None:
    pass


def _leave(_token: str) -> None:
    raise _LeftError


async def _together(work: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*work)


async def _first_token(consume: Callable[[Take], Awaitable[None]]) -> float:
    """Return the seconds to the first token of an answer that is consumed to its end."""
    times: list[float] = []

    def take(_token: str) -> None:
        if not times:
            times.append(time.perf_counter())

    began = time.perf_counter()
    await consume(take)
    return times[0] - began


def _check(answers: list[list[str]], tokens: int) -> None:
    """Refuse figures that were got for something else than the whole answers."""
    for answer in answers:
        if answer != tokens_of(tokens):
            raise AssertionError(f"{len(answer)} tokens came, not the {tokens} that were sent")


def _memory() -> int:
    """Return this process's resident memory in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
