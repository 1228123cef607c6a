"""How many streams one process can carry before their tokens come late."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.measure import Worker, in_turn
from benchmarks.scenarios.contest import Contest, compete, loops, scenario_name

if TYPE_CHECKING:
    from benchmarks.jobs import Result
    from benchmarks.rows import Outcome
    from benchmarks.scenarios.bench import Bench, Runs
    from benchmarks.setups import Runner

_STREAMS = "streams"
_MOST = 8000  # streams; no contender comes near it
_GUESSES = {"litellm": 12, "openai": 100, "huggingface_hub": 100, "anthropic": 100, "ollama": 100}


class _Search:
    """Finds the most streams that one process holds; each search begins at the last one's end."""

    def __init__(self, bench: Bench, runner: Runner) -> None:
        self._bench = bench
        self._runner = runner
        self._guess = _GUESSES.get(runner.contender) or _guess(runner)
        self._step = 1.4
        self._exact, self._seconds = (1.1, 0.3) if bench.is_quick else (1.05, 0.5)

    def run(self) -> Result:
        """Return the most streams that a new process holds, and the server's lag there."""
        held, too_many, lag = 0, _MOST, 0.0
        streams = self._guess
        with Worker(self._runner, self._bench.site) as worker:
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


def hold(bench: Bench, *, is_tls: bool = False) -> Outcome:
    """Carry as many streams as one process can, on both event loops."""
    contest = Contest(
        scenario_name("hold", is_tls=is_tls),
        "p99 ≤ 50 ms",
        told={_STREAMS: "streams", "server late by": "lag"},
        compared=(_STREAMS,),
    )

    def search(runners: list[Runner], rounds: int) -> Runs:
        return in_turn({runner: _Search(bench, runner).run for runner in runners}, rounds)

    return compete(
        bench,
        contest,
        partial(search, rounds=1 if bench.is_quick else 3 if is_tls else 5),
        loops=loops(is_tls=is_tls, has_uvloop=not (is_tls and bench.is_quick)),
        beside=partial(search, rounds=1),
    )


def _guess(runner: Runner) -> int:
    if runner.setup.is_tls:
        return 800
    return 1600 if runner.setup.is_uvloop else 1200
