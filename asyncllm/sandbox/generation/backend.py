"""The model behind the wires: answers being generated, at a rate, each in a task of its own.

A generation does not know who reads it. It goes on when its reader has left, as the
text-generation server behind chat-ui does, until it is complete or stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asyncllm.sandbox.faults import BigEvent, Delay, Late, Step
from asyncllm.sandbox.generation.answers import Answer, answer_to

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asyncllm.sandbox.faults.book import FaultBook


class Generation:
    """One answer being generated; `produced` of its tokens exist so far.

    One that `is_failing` comes to no answer, whatever it produces.
    """

    def __init__(
        self, tokens: Sequence[str], on_end: Callable[[Generation], None], *, is_failing: bool
    ) -> None:
        self.tokens = tokens
        self.is_failing = is_failing
        self.produced = 0
        self.is_stopped = False
        self.is_over = False
        self._on_end = on_end
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, *, delay: float, rate: float | None, until: int, hang: bool) -> None:
        """Produce the first `until` tokens at `rate` a second, `delay` seconds from now.

        With `hang` the generation never ends by itself.
        """
        self._task = asyncio.create_task(self._produce(delay, rate, until, hang=hang))
        self._task.add_done_callback(self._end)

    def stop(self) -> None:
        """End it now; nothing happens if it has ended."""
        if self._task is not None and not self._task.done():
            self.is_stopped = True
            self._task.cancel()

    async def has_more_than(self, count: int) -> bool:
        """Wait for more than `count` tokens; `False` if there will be none."""
        while self.produced <= count and not self.is_over:
            self._news.clear()
            await self._news.wait()
        return self.produced > count

    async def wait_over(self) -> None:
        """Wait until no more tokens will come."""
        while not self.is_over:
            self._news.clear()
            await self._news.wait()

    async def _produce(self, delay: float, rate: float | None, until: int, *, hang: bool) -> None:
        await asyncio.sleep(delay)
        if rate is None:
            self._advance(until)
        else:
            await self._produce_at(rate, until)
        if hang:
            await asyncio.Event().wait()

    async def _produce_at(self, rate: float, until: int) -> None:
        clock = asyncio.get_running_loop().time
        begin = clock()
        while self.produced < until:
            # By the clock, not by counting naps: naps are too coarse for thousands a second.
            await asyncio.sleep(begin + (self.produced + 1) / rate - clock())
            self._advance(min(until, int((clock() - begin) * rate)))

    def _advance(self, produced: int) -> None:
        self.produced = produced
        self._news.set()

    def _end(self, _task: asyncio.Task[None]) -> None:
        self.is_over = True
        self._news.set()
        self._on_end(self)


@dataclass
class Backend:
    """What all wires share: the pace, the declared faults and the running generations.

    `rtt` is in seconds, `token_rate` in tokens per second (`None`: all at once), `tokens` the
    length of every answer (`None`: the natural one).
    """

    rtt: float
    token_rate: float | None
    tokens: int | None
    models: Sequence[str]
    faults: FaultBook
    _running: set[Generation] = field(default_factory=set["Generation"])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])

    @property
    def generating(self) -> int:
        """How many answers are being generated now."""
        return len(self._running)

    def delay(self, step: Step) -> float:
        """Seconds to wait before the answer to this request."""
        slow = self.faults.take(Delay, step)
        return self.rtt + (slow.seconds if slow is not None else 0.0)

    async def hold_up(self, step: Step) -> None:
        """Wait where this request is late, even if its client leaves: it is on its way."""
        late = self.faults.take(Late, step)
        if late is None:
            return
        arriving = asyncio.create_task(asyncio.sleep(late.seconds))
        while not arriving.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([arriving])

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a task that outlives what began it, and end it at the latest with all else."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def answer_to(self, prompt: str, *, limit: int | None) -> Answer:
        """Decide what is answered, in at most `limit` tokens."""
        answer = answer_to(prompt, tokens=self.tokens, limit=limit)
        big = self.faults.take(BigEvent, "stream")
        return answer if big is None else answer.beginning_with("A" * big.size)

    def generate(
        self,
        tokens: Sequence[str],
        *,
        delay: float,
        until: int,
        hang: bool,
        fails: bool,
        on_end: Callable[[Generation], None] | None = None,
    ) -> Generation:
        """Start a generation; `on_end` is called with it when it is complete or stopped."""

        def end(generation: Generation) -> None:
            self._running.discard(generation)
            if on_end is not None:
                on_end(generation)

        generation = Generation(tokens, end, is_failing=fails)
        generation.start(delay=delay, rate=self.token_rate, until=until, hang=hang)
        self._running.add(generation)
        return generation

    async def aclose(self) -> None:
        """Stop every generation and wait until each has ended."""
        running = list(self._running)
        for generation in running:
            generation.stop()
        for generation in running:
            await generation.wait_over()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
