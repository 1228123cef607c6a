"""A trial of refusals that ask to be tried again at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from asyncllm import H2o, Retry, SessionManager
from asyncllm.sandbox import Status

if TYPE_CHECKING:
    from benchmarks.soak.trials.stage import Stage

_WAIT = 0.1  # seconds before the second attempt, at least
_REFUSALS = 3


async def retry_after_zero(stage: Stage) -> None:
    """Refuse three times with `Retry-After: 0`: attempts back off, in one conversation."""
    retry = Retry(attempts=_REFUSALS + 1, initial_wait=_WAIT, max_wait=1.0)
    async with (
        stage.sandbox() as sandbox,
        SessionManager(retry=retry, grace=5.0) as sessions,
    ):
        provider = H2o(base_url=sandbox.url, sessions=sessions)
        async for _ in stage.rounds("Retry-After: 0", 0.5):
            sandbox.requests.clear()
            sandbox.add_fault(Status(status=429, retry_after=0, times=_REFUSALS))
            began = time.monotonic()
            outcome = await stage.ask(provider, stage.plan("finish"))
            took = time.monotonic() - began
            if outcome.end != "finished":
                stage.ledger.complain(f"it is not tried again: {outcome.error!r}")
            if took < _WAIT * _REFUSALS:
                stage.ledger.complain(f"a storm: {_REFUSALS} more attempts within {took:.3f} s")
            made = sum(each.path == "/conversation" for each in sandbox.requests)
            if made != 1:
                stage.ledger.complain(f"a conversation for each attempt: {made}")
        await sessions.aclose()
        await stage.hold(lambda: not sandbox.conversations, "conversations are left: a storm's")
