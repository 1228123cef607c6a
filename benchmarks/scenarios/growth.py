"""How the cost of a token grows with the streams at once and with an answer's length."""

from __future__ import annotations

import math
from contextlib import ExitStack
from functools import partial
from statistics import linear_regression
from typing import TYPE_CHECKING

from benchmarks.contenders import FLOOR, SDK
from benchmarks.measure import Worker, in_turn, median
from benchmarks.rows import Figure, Outcome, Row
from benchmarks.setups import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.jobs import Result
    from benchmarks.scenarios.bench import Bench

    Costs = dict[str, dict[int, float]]  # by contender and load

_TOKENS = 100  # of each answer where the streams grow


def growth(bench: Bench) -> Outcome:
    """Measure the cost of a token, from little to much."""
    rounds = 3 if bench.is_quick else 7
    answers = 500 if bench.is_quick else 2000  # about as many for each load
    streams = {
        many: {"streams": many, "tokens": _TOKENS, "times": max(1, answers // many // 2)}
        for many in (1, 10, 100, 1000)
    }
    lengths = {
        tokens: {"streams": 1, "tokens": tokens, "times": max(1, answers * 50 // tokens)}
        for tokens in (1000, 10_000, 100_000)
    }
    outcome = Outcome()
    for what, loads in (("streams at once", streams), ("tokens in one answer", lengths)):
        costs = _costs(bench, loads, rounds)
        outcome.rows.append(Row.judged("growth", f"slope with {what}", _slope(costs[SDK])))
        outcome.figures.extend(
            Figure("growth", f"{load:,} {what}", "", who, {"CPU per token": each})
            for who, cost in costs.items()
            for load, each in cost.items()
        )
    return outcome


def _costs(bench: Bench, loads: dict[int, dict[str, int]], rounds: int) -> Costs:
    """Return the CPU seconds for each token."""
    with ExitStack() as stack:
        runs: dict[tuple[str, int], Callable[[], Result]] = {}
        for runner in (*bench.sdks(), Runner(FLOOR)):
            worker = stack.enter_context(Worker(runner, bench.site))
            for load, arguments in loads.items():
                runs[runner.name, load] = partial(worker.ask, "burst", **arguments)
        in_turn(runs, 1)
        costs: Costs = {}
        for (who, load), results in in_turn(runs, rounds).items():
            costs.setdefault(who, {})[load] = median(results, "cpu")
    return costs


def _slope(costs: dict[int, float]) -> float:
    """Return the power of the load with which the whole cost grows; 1 is linear."""
    loads = [math.log(load) for load in costs]
    wholes = [math.log(load * each) for load, each in costs.items()]
    return linear_regression(loads, wholes).slope
