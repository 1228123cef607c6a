"""How the cost of a token grows with the streams at once and with an answer's length."""

from __future__ import annotations

import math
from contextlib import ExitStack
from functools import partial
from statistics import linear_regression
from typing import TYPE_CHECKING

from benchmarks.measure import Worker, in_turn, median
from benchmarks.rows import Outcome, Row
from benchmarks.scenarios import FLOOR, SDK

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.jobs import Result
    from benchmarks.scenarios import Bench

_LIMIT = 1.05
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
    rows: list[Row] = []
    figures: list[tuple[str, str]] = []
    for what, loads in (("streams at once", streams), ("tokens in one answer", lengths)):
        costs = _costs(bench, loads, rounds)
        rows.append(Row("growth", f"slope with {what}", _slope(costs[SDK]), _LIMIT))
        for who, cost in costs.items():
            table = ", ".join(f"{load:,}: {each * 1e6:.2f} µs" for load, each in cost.items())
            figures.append((who, f"CPU a token by {what}: {table}"))
    return Outcome(rows, figures)


def _costs(
    bench: Bench, loads: dict[int, dict[str, int]], rounds: int
) -> dict[str, dict[int, float]]:
    """Return the CPU seconds for each token, by contender and load."""
    with ExitStack() as stack:
        runs: dict[str, Callable[[], Result]] = {}
        for who, runner in bench.runners(SDK, FLOOR).items():
            worker = stack.enter_context(Worker(runner, bench.origin))
            for load, arguments in loads.items():
                runs[f"{who}|{load}"] = partial(worker.ask, "burst", **arguments)
        in_turn(runs, 1)
        costs: dict[str, dict[int, float]] = {}
        for name, results in in_turn(runs, rounds).items():
            who, _, at = name.partition("|")
            costs.setdefault(who, {})[int(at)] = median(results, "cpu")
    return costs


def _slope(costs: dict[int, float]) -> float:
    """Return the power of the load with which the whole cost grows; 1 is linear."""
    loads = [math.log(load) for load in costs]
    wholes = [math.log(load * each) for load, each in costs.items()]
    return linear_regression(loads, wholes).slope
