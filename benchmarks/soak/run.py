"""One run of the soak: who starts streams, who takes the server away, and when it is over."""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial
from itertools import count, cycle
from typing import TYPE_CHECKING

from asyncllm import (
    Gravityengine,
    H2o,
    Lockchat,
    OpenAICompatible,
    Retry,
    SessionManager,
    Timeouts,
)
from benchmarks.soak.faults import some_fault
from benchmarks.soak.follow import follow
from benchmarks.soak.plans import EARLY, WAYS, Plan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from asyncllm import Stream
    from benchmarks.soak.canaries import Canaries
    from benchmarks.soak.ledger import Ledger
    from benchmarks.soak.server import Server

_PROVIDERS = (H2o, H2o, H2o, H2o, OpenAICompatible, Lockchat, Gravityengine)
_ALONE = 0.03  # the part of the streams that have no session manager
_FAULTY = 0.6  # faults for each stream; most befall a stream, some another step
_PATIENCE = 30.0  # seconds in which any stream must end, and all that is left must go
_SPARES = 3
_PATIENT = Retry(attempts=8, initial_wait=0.05, max_wait=1.0)  # for deleting, across a restart
_QUICK = Retry(attempts=3, initial_wait=0.02, max_wait=0.2)
_SENDS = 4  # of one attempt: a lost session is renewed once, a kept connection replaced once
_WARM = 0.25  # of the run is over,
_WARM_STREAMS = 2000  # and so many streams: by then whatever is made once has been made
_LAST_LIFE = 0.95  # of the run is over: the server's last life is to end as it should


class Run:
    """One run.

    Args:
        ledger: where everything is entered.
        server: who answers.
        options: the command line's: the seed, how many streams or how long, and how many at a time.
        canaries: secrets for the streams to have.
        length: tokens of the server's answers; None for the natural ones.
        path: of the ledger for the session manager to keep; None for none.
        measure: returns the memory in use.

    Attributes:
        warm_memory: MiB in use when the run was warm; None until then.

    """

    def __init__(
        self,
        ledger: Ledger,
        server: Server,
        options: argparse.Namespace,
        *,
        canaries: Canaries,
        length: int | None,
        path: Path | None,
        measure: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._server = server
        self._canaries = canaries
        self._seconds: float = options.seconds
        self._streams: int | None = options.streams
        self._begun = 0
        self._measure = measure
        self._concurrency: int = options.concurrency
        self._cancel_only: int | None = options.cancel_only
        self._is_rough = self._cancel_only is None
        self._length = length
        self._dice = random.Random(options.seed)  # noqa: S311 - nothing is secret
        self._numbers = count()
        self._started = time.monotonic()
        self._sessions = SessionManager(
            retry=_PATIENT,
            spare_conversations=_SPARES,
            grace=_PATIENCE,
            ledger=path,
            ssl=server.trust,
        )
        self.warm_memory: float | None = None

    @property
    def progress(self) -> float:
        """How much is done, from 0 to 1."""
        if self._cancel_only is not None:
            ended_early = self._ledger.ends["cancelled"] + self._ledger.ends["closed"]
            return ended_early / self._cancel_only
        if self._streams is not None:
            return self._begun / self._streams
        return (time.monotonic() - self._started) / self._seconds

    async def run(self) -> None:
        """Start streams until it is time, and close the manager while they run."""
        callers = [asyncio.create_task(self._call()) for _ in range(self._concurrency)]
        restarting = asyncio.create_task(self._restart()) if self._is_rough else None
        while self.progress < 1 and not all(caller.done() for caller in callers):
            await asyncio.sleep(0.05)
            self._server.read()
            self._ledger.check_conversations(
                self._server.sandbox.conversations, most_unused=_SPARES + 2 * self._concurrency
            )
            is_warm = self.progress >= _WARM and self._begun >= _WARM_STREAMS
            if is_warm and self.warm_memory is None:
                self.warm_memory = self._measure()
        if restarting is not None:
            await restarting
        self._server.sandbox.clear_faults()
        await asyncio.sleep(0)  # who was to read a stream just now begins: a closed manager refuses
        await self._sessions.aclose()
        await asyncio.gather(*callers)

    async def _call(self) -> None:
        """Do one stream after the other."""
        for number in self._numbers:
            if self.progress >= 1:
                return
            self._begun += 1
            plan = Plan.draw(number, WAYS if self._is_rough else EARLY, self._length, self._dice)
            # Alone, over TLS, a stream would not know the server's authority.
            may_be_alone = self._is_rough and self._server.trust is None
            retry = _PATIENT if may_be_alone and self._dice.random() < _ALONE else _QUICK
            stream = self._stream(plan, retry)
            if self._is_rough and self._dice.random() < _FAULTY:
                self._server.declare(some_fault(self._dice))
            self._ledger.begin(plan)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._follow(plan, stream, most_asked=retry.attempts * _SENDS)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - one too many
                self._ledger.end(plan, "otherwise")
                self._ledger.complain(
                    f"it ended by {type(error).__name__}: {error} {plan} {stream}"
                )

    async def _restart(self) -> None:
        """Take the server, and its memory alone, away in turn at random moments."""
        for lose in cycle((self._server.restart, self._server.lose_sessions)):
            await asyncio.sleep(self._dice.uniform(0.5, 3))
            if self.progress > _LAST_LIFE:
                return
            await lose()

    def _stream(self, plan: Plan, retry: Retry) -> Stream:
        dice = self._dice
        kind = dice.choice(_PROVIDERS)
        is_alone = retry is _PATIENT  # its manager has this policy too, to delete across a restart
        provider = kind(
            api_key=self._canaries.key,
            base_url=self._server.sandbox.url + ("/v1" if kind is OpenAICompatible else ""),
            model="gpt-4o" if kind is OpenAICompatible else None,
            sessions=None if is_alone else self._sessions,
            retry=retry,
            timeouts=Timeouts(
                first_token=5.0 if self._is_rough and not is_alone else _PATIENCE / 2,
                stall=0.5 if self._is_rough else _PATIENCE / 2,
                total=dice.choice((None, None, None, 1.0)) if self._is_rough else None,
            ),
        )
        return provider.stream(plan.prompt, max_tokens=plan.limit or 1024)

    def _hear(self, plan: Plan) -> None:
        self._server.read()
        self._ledger.hear(plan)

    async def _follow(self, plan: Plan, stream: Stream, *, most_asked: int) -> None:
        """Have one stream read and ended as planned, and enter what is wrong with it."""
        end, error, wrong = await follow(
            plan, stream, self._canaries, on_first=partial(self._hear, plan)
        )
        self._server.read()
        asked = self._ledger.end(plan, end)
        self._ledger.steps["answered"] += bool(stream.reply.text)
        if stream.reply.text and not asked:
            wrong.append("it has text that was not asked for")
        if asked > most_asked:
            wrong.append("it was asked for again and again")
        self._ledger.fail(error)
        for words in wrong:
            self._ledger.complain(f"{words}: {plan} {end} {error!r} {stream.reply}")
