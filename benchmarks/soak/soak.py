"""One soak: the streams, the trials beside them, and a look at what is left."""

from __future__ import annotations

import asyncio
import random
import traceback
from typing import TYPE_CHECKING

from benchmarks.soak.left import Left, descriptors, fewest, memory, rows_of, settle, streams
from benchmarks.soak.run import Run
from benchmarks.soak.server import Server
from benchmarks.soak.standstill import Standstill
from benchmarks.soak.trials import run_trials
from benchmarks.soak.trials.stage import Stage

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from benchmarks.soak.canaries import Canaries
    from benchmarks.soak.ledger import Ledger

_LONG = 1000  # tokens, that is, some seconds
_LAST_ROUNDS = 0.9  # of the run is over: trials come to their end


async def soak(
    options: argparse.Namespace, ledger: Ledger, canaries: Canaries, path: Path | None
) -> Left:
    """Do one run and look at what is left.

    Args:
        options: the command line's.
        ledger: where everything is entered.
        canaries: secrets for the streams to have.
        path: of the ledger that the SDK keeps; None for none.

    """
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: ledger.complain(f"the event loop says {context['message']}: {context}")
    )
    # Answers that nobody leaves to their end do not come to it by themselves: if they end, they
    # were stopped.
    length = _LONG if options.cancel_only else None
    server = Server(ledger, tokens=length, tls=options.tls)
    dice = random.Random(options.seed)  # noqa: S311 - nothing is secret
    stage = Stage(ledger, dice, canaries, lambda: run.progress >= _LAST_ROUNDS)
    await asyncio.to_thread(int)  # uvloop opens something for the first thread
    open_before = descriptors()
    standstill = Standstill(ledger)

    def measure() -> float:
        with standstill.forgiven():
            return memory()

    run = Run(ledger, server, options, canaries=canaries, length=length, path=path, measure=measure)
    await asyncio.gather(_whole(run, ledger), run_trials(stage, options.trials))
    last_memory = measure()
    standstill.stop()
    tasks = await settle()
    server.read()
    conversations = server.sandbox.conversations
    generating = await fewest(lambda: server.sandbox.generating, 0)
    # While the server runs: one that ends would close what we have left open.
    open_after = await fewest(descriptors, open_before)
    # Elsewhere a refused stop leaves what a fault has stalled.
    if options.cancel_only and generating > ledger.steps["overtaken by its stop"]:
        ledger.complain(f"generations run on: {generating}")
    await asyncio.to_thread(server.close)
    await asyncio.to_thread(stage.close)
    return Left(
        conversations=conversations,
        undeleted=ledger.undeleted,
        generating=generating,
        tasks=tasks,
        streams=streams(),
        descriptors=(open_before, open_after),
        rows=rows_of(path) if path else 0,
        memory=(run.warm_memory, last_memory),
        standstill=standstill.longest,
    )


async def _whole(run: Run, ledger: Ledger) -> None:
    try:
        await run.run()
    except Exception:  # noqa: BLE001 - what is left is looked at all the same
        ledger.complain(f"the run broke off: {traceback.format_exc().strip()}")
