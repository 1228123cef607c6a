"""The soak's command line."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
import time

import benchmarks.soak
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.left import Left, descriptors, memory, running_generations, settle, streams
from benchmarks.soak.report import report
from benchmarks.soak.run import Run
from benchmarks.soak.server import Server

_LONG = 1000  # tokens, that is, some seconds


def main() -> int:
    """Run what the command line asks for; 1 if anything is wrong."""
    options = _options()
    ledger = Ledger()
    sys.unraisablehook = lambda what: ledger.complain(f"unraisable: {what.exc_value!r}")
    logging.getLogger("asyncllm").addHandler(_Counting(ledger))
    logging.getLogger("asyncllm").propagate = False
    began = time.monotonic()
    left = asyncio.run(_soak(options, ledger))
    gc.collect()
    for words in left.complaints():
        ledger.complain(words)
    if ledger.uncounted:
        ledger.complain("not every stream ended in one of the four ways")
    sys.stdout.write(report(ledger, left, time.monotonic() - began, options.seed))
    return 1 if ledger.violations else 0


async def _soak(options: argparse.Namespace, ledger: Ledger) -> Left:
    """Do one run and look at what is left."""
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: ledger.complain(f"the event loop says {context['message']}: {context}")
    )
    open_before = descriptors()
    # Answers that nobody leaves to their end do not come to it by themselves: if they end, they
    # were stopped.
    length = _LONG if options.cancel_only else None
    server = Server(ledger, tokens=length)
    run = Run(
        ledger,
        server,
        seed=options.seed,
        seconds=options.seconds,
        concurrency=options.concurrency,
        cancel_only=options.cancel_only,
        length=length,
    )
    await run.run()
    last_memory = memory()
    tasks = await settle()
    server.read()
    conversations = server.sandbox.conversations
    generating = await running_generations(server.sandbox)
    # Elsewhere a refused stop leaves what a fault has stalled.
    if options.cancel_only and generating > ledger.steps["overtaken by its stop"]:
        ledger.complain(f"generations run on: {generating}")
    await asyncio.to_thread(server.close)
    return Left(
        conversations=conversations,
        undeleted=ledger.undeleted,
        generating=generating,
        tasks=tasks,
        streams=streams(),
        descriptors=(open_before, descriptors()),
        memory=(run.warm_memory, last_memory),
    )


class _Counting(logging.Handler):
    """Counts warnings rather than showing them: that a deletion failed, mostly in a restart."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.WARNING)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        self._ledger.events["warnings logged"] += 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=benchmarks.soak.__doc__
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to start streams")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all that is random")
    parser.add_argument("--concurrency", type=int, default=100, help="streams at a time")
    parser.add_argument(
        "--cancel-only",
        type=int,
        metavar="N",
        help="rather than --seconds: so many streams, without faults and restarts, none of them "
        "left to its end",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
