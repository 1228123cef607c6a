"""What the trials share: a thread for their servers, and the judging of their streams."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from asyncllm.sandbox import Sandbox
from benchmarks.soak.follow import follow
from benchmarks.soak.plans import WAYS, Plan

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from asyncllm import AsyncGeneratorProvider, AsyncLLMError, Reply
    from benchmarks.soak.canaries import Canaries
    from benchmarks.soak.ledger import Ledger

_T = TypeVar("_T")
_FIRST_NUMBER = 10**9  # of the trials' streams; the others count from 0
_REQUESTS_KEPT = 100
_TOKENS = 1024  # that an answer may have at most
_PATIENCE = 30.0  # seconds in which a stream must end
_SOON = 10.0  # seconds in which must go what need not go at once


class Server(Protocol):
    """What runs backstage."""

    async def start(self) -> None:
        """Listen."""

    async def aclose(self) -> None:
        """Close everything."""


@dataclass(frozen=True)
class Outcome:
    """How a stream ended, and with what."""

    end: str
    error: AsyncLLMError | None
    reply: Reply


_Served = TypeVar("_Served", bound=Server)


class Stage:
    """Where trials run beside the other streams, at a leisurely pace.

    Args:
        ledger: where everything is entered.
        dice: for all that is random.
        canaries: what no text may show.
        is_over: tells whether trials are to come to their end.

    """

    def __init__(
        self,
        ledger: Ledger,
        dice: random.Random,
        canaries: Canaries,
        is_over: Callable[[], bool],
    ) -> None:
        self.ledger = ledger
        self.dice = dice
        self.canaries = canaries
        self._is_over = is_over
        self._numbers = count(_FIRST_NUMBER)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread of the servers."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def backstage(self, work: Coroutine[object, object, _T]) -> _T:
        """Run `work` on the thread of the servers."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    @asynccontextmanager
    async def served(self, server: _Served) -> AsyncGenerator[_Served]:
        """Have a server run backstage."""
        await self.backstage(server.start())
        try:
            yield server
        finally:
            await self.backstage(server.aclose())

    def sandbox(self, **options: Any) -> AbstractAsyncContextManager[Sandbox]:
        """Have a sandbox run backstage that forgets what it was asked, lest memory grows."""
        sandbox = Sandbox(**options)
        sandbox.requests = deque(maxlen=_REQUESTS_KEPT)
        return self.served(sandbox)

    async def rounds(self, name: str, pause: float) -> AsyncGenerator[int]:
        """Yield the number of each round, at least of one; `pause` seconds lie in between."""
        for number in count():
            self.ledger.trials[name] += 1
            yield number
            if self._is_over():
                return
            await asyncio.sleep(pause)

    def plan(self, *ways: str) -> Plan:
        """Return a random plan of a stream, to be ended by one of `ways`."""
        return Plan.draw(next(self._numbers), ways or WAYS, None, self.dice)

    async def ask(
        self,
        provider: AsyncGeneratorProvider,
        plan: Plan,
        on_first: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """Ask a provider, have its stream read and ended as planned, and enter what came of it."""
        stream = provider.stream(plan.prompt, max_tokens=plan.limit or _TOKENS)
        self.ledger.begin(plan)
        end, error = "otherwise", None
        try:
            async with asyncio.timeout(_PATIENCE):
                end, error, wrong = await follow(plan, stream, self.canaries, on_first)
        except (Exception, asyncio.CancelledError) as failure:  # noqa: BLE001 - one too many
            wrong = [f"it ended by {type(failure).__name__}: {failure}"]
        self.ledger.end(plan, end)
        self.ledger.fail(error)
        for words in wrong:
            shown = f"{end} {error!r} {stream.reply}"
            self.ledger.complain(f"{words}: {plan} {shown[:1000]}")
        return Outcome(end, error, stream.reply)

    async def hold(self, is_so: Callable[[], bool], words: str, seconds: float = _SOON) -> None:
        """Complain if something does not become so within `seconds`."""
        deadline = time.monotonic() + seconds
        while not is_so() and time.monotonic() < deadline:  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.01)
        if not is_so():
            self.ledger.complain(words)
