"""Trials: faults that need seconds or a server of their own, beside all other streams."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING

from benchmarks.soak.trials.answers import odd_answers
from benchmarks.soak.trials.breaks import (
    proxy_dies,
    proxy_dies_at_any_moment,
    server_away,
    tunnel_dies,
)
from benchmarks.soak.trials.ids import hostile_ids, identities
from benchmarks.soak.trials.ledgers import away_at_the_end, deleted_ledger, locked_ledger
from benchmarks.soak.trials.storms import retry_after_zero

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.soak.trials.stage import Stage

_TRIALS = (
    odd_answers,
    proxy_dies,
    tunnel_dies,
    proxy_dies_at_any_moment,
    server_away,
    hostile_ids,
    identities,
    locked_ledger,
    deleted_ledger,
    away_at_the_end,
    retry_after_zero,
)


TRIALS = {trial.__name__: trial for trial in _TRIALS}


async def run_trials(stage: Stage, names: Iterable[str]) -> None:
    """Run all of these at once, each to its end."""

    async def run(name: str) -> None:
        try:
            await TRIALS[name](stage)
        except Exception:  # noqa: BLE001 - what a trial trips over must not be either
            last = traceback.format_exc().strip()
            stage.ledger.complain(f"a trial broke off: {name}: {last}")

    await asyncio.gather(*map(run, names))
