"""How many streams one process can carry before their tokens come late."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchmarks.measure import Worker, in_turn, median, ratio
from benchmarks.rows import Outcome, Row
from benchmarks.scenarios import BY_HAND, FLOOR, SDK

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.jobs import Result
    from benchmarks.measure import Runner
    from benchmarks.scenarios import Bench, Runs

_MOST = 8000  # streams; no contender comes near it
_GUESSES = {"litellm": 12, "openai": 100, "huggingface_hub": 100, "anthropic": 100, "ollama": 100}


class _Search:
    """Finds the most streams that one process holds; each search begins at the last one's end."""

    def __init__(self, bench: Bench, runner: Runner) -> None:
        self._bench = bench
        self._runner = runner
        self._guess = _GUESSES.get(runner.contender, 1600 if runner.is_uvloop else 1200)
        self._step = 1.4
        self._exact, self._seconds = (1.1, 0.3) if bench.is_quick else (1.05, 0.5)

    def run(self) -> Result:
        """Return the most streams that a new process holds, and the server's lag there."""
        held, too_many, lag = 0, _MOST, 0.0
        streams = self._guess
        with Worker(self._runner, self._bench.origin) as worker:
            while streams and too_many > max(held * self._exact, held + 1):
                came = worker.ask("keep_up", streams=streams, seconds=self._seconds)
                if came["is_held"]:
                    held, lag = streams, came["lag"]
                else:
                    too_many = streams
                if held == 0:
                    streams = int(too_many / self._step)
                elif too_many == _MOST:
                    streams = min(_MOST - 1, int(held * self._step) + 1)
                else:
                    streams = (held + too_many) // 2
        self._guess, self._step = max(1, held), 1.15
        return {"streams": held, "lag": lag}


def hold(bench: Bench) -> Outcome:
    """Carry as many streams as one process can, on both event loops."""
    rows, figures = [], []
    for loop in ("asyncio", "uvloop"):
        figure = f"streams ÷ floor, {loop}"
        if loop == "uvloop" and find_spec(loop) is None:
            rows.append(
                Row("hold", figure, None, 0.85, at_least=True, note="uvloop is not installed")
            )
            continue
        results = _measure(bench, is_uvloop=loop == "uvloop")
        value = ratio(results[SDK], results[FLOOR], "streams")
        rows.append(Row("hold: p99 ≤ 50 ms", figure, value, 0.85, at_least=True))
        rows += bench.compare("hold: p99 ≤ 50 ms", results, "streams", f"streams, {loop},")
        figures += [(f"{who}, {loop}", _words(result)) for who, result in results.items()]
    return Outcome(rows, figures)


def _words(results: list[Result]) -> str:
    streams, lag = median(results, "streams"), median(results, "lag") * 1000
    return f"{streams:.0f} streams, the server late by {lag:.0f} ms at the worst"


def _measure(bench: Bench, *, is_uvloop: bool) -> Runs:
    def searches(*names: str) -> dict[str, Callable[[], Result]]:
        runners = bench.runners(*names, is_uvloop=is_uvloop)
        return {who: _Search(bench, runner).run for who, runner in runners.items()}

    results = in_turn(searches(SDK, FLOOR), 1 if bench.is_quick else 5)
    if not (bench.is_quick or is_uvloop):
        results |= in_turn(searches(BY_HAND, *bench.peers), 1)  # told, and not compared
    return results
