"""The soak's command line."""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchmarks.soak
from benchmarks.soak.canaries import Canaries
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.logs import Logs
from benchmarks.soak.report import report
from benchmarks.soak.soak import soak
from benchmarks.soak.trials import TRIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def main() -> int:
    """Run what the command line asks for; 1 if anything is wrong."""
    options = _options()
    ledger = Ledger()
    canaries = Canaries(random.Random(options.seed))  # noqa: S311 - nothing is secret
    sys.unraisablehook = lambda what: ledger.complain(f"unraisable: {_words_of(what)}")
    Logs(ledger, canaries).listen()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as directory,
        asyncio.Runner(loop_factory=_loop_factory(options.uvloop)) as runner,
    ):
        path = Path(directory) / "ledger" if options.ledger else None
        if options.eager:
            runner.get_loop().set_task_factory(_eager_task)
        left = runner.run(soak(options, ledger, canaries, path))
    gc.collect()
    for words in left.complaints():
        ledger.complain(words)
    if ledger.uncounted:
        ledger.complain("not every stream ended in one of the four ways")
    seconds = time.monotonic() - began
    sys.stdout.write(report(ledger, left, seconds, options.seed))
    return 1 if ledger.violations else 0


def _words_of(unraisable: sys.UnraisableHookArgs) -> str:
    where = "".join(traceback.format_tb(unraisable.exc_traceback))
    return f"{unraisable.exc_value!r} in {unraisable.object!r}, at\n{where}"


def _loop_factory(is_uvloop: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:  # noqa: FBT001
    if not is_uvloop:
        return None
    import uvloop  # noqa: PLC0415 - an extra

    return uvloop.new_event_loop


def _eager_task(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Future[Any]:
    options.pop("eager_start", None)  # uvloop's word for it, which not every Python takes
    return asyncio.eager_task_factory(loop, work, **options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=benchmarks.soak.__doc__
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to start streams")
    parser.add_argument(
        "--streams", type=int, metavar="N", help="rather than --seconds: how many streams to start"
    )
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all that is random")
    parser.add_argument("--concurrency", type=int, default=100, help="streams at a time")
    parser.add_argument(
        "--cancel-only",
        type=int,
        metavar="N",
        help="rather than --seconds: so many streams, without faults and restarts, none of them "
        "left to its end",
    )
    parser.add_argument("--uvloop", action="store_true", help="run on uvloop")
    if sys.version_info >= (3, 12):
        parser.add_argument("--eager", action="store_true", help="begin tasks at once")
    else:
        parser.set_defaults(eager=False)
    parser.add_argument("--ledger", action="store_true", help="have the manager keep a ledger")
    parser.add_argument("--tls", action="store_true", help="have the server speak TLS")
    parser.add_argument(
        "--trials",
        nargs="*",
        metavar="NAME",
        choices=TRIALS,
        default=TRIALS,
        help="only these of the faults that have servers of their own; without a NAME, none",
    )
    options = parser.parse_args()
    if options.cancel_only:
        options.trials = ()
    return options


if __name__ == "__main__":
    sys.exit(main())
