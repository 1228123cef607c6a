"""What a token costs: as fast as they come, at a model's pace, and from blocking code."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchmarks.contenders import (
    BARE,
    BLOCKING,
    BLOCKING_BY_HAND,
    FLOOR,
    REMEDIED,
    SDK,
    WIRES,
)
from benchmarks.contenders.peers import installed_peers
from benchmarks.measure import median, ratio
from benchmarks.rows import Figure, Outcome, Row
from benchmarks.scenarios.contest import Contest, compete, loops, scenario_name
from benchmarks.setups import Runner, Setup

if TYPE_CHECKING:
    from benchmarks.scenarios.bench import Bench, Runs

_COST = "CPU per token"
_PACED_PEERS = 50  # streams; not every peer can listen to 200


def burst(bench: Bench) -> Outcome:
    """Take answers as fast as they come."""
    slow = {peer: {"tokens": 1500} for peer in installed_peers()}
    has_openai = find_spec("openai") is not None

    def measure(runners: list[Runner], processes: int | None = None) -> Runs:
        return bench.measure(
            runners,
            "burst",
            rounds=2 if bench.is_quick else 3,
            arguments={"streams": 4, "tokens": 5000},
            instead=slow,
            processes=processes,
        )

    contest = Contest("burst", "4 of 5,000 tokens", {_COST: "cpu"}, (_COST,))
    references = (FLOOR, REMEDIED, *["openai"] * has_openai)
    outcome = compete(
        bench,
        contest,
        measure,
        loops=loops(is_tls=False, has_uvloop=False),
        references=references,
        beside=partial(measure, processes=1),
    )
    if not has_openai:
        lacking = contest.rows(Runner(SDK), [Runner("openai")], {}, "openai is not installed")
        outcome.rows.extend(lacking)
    return outcome


def paced(bench: Bench, *, is_tls: bool = False) -> Outcome:
    """Listen to many streams at the speed of a model."""
    fewer = dict.fromkeys(installed_peers(), _PACED_PEERS)
    contest = Contest(
        scenario_name("paced", is_tls=is_tls),
        "200 at 20 tokens/s",
        told={_COST: "cpu", "p99": "p99"},
        compared=(_COST, "p99"),
        loads={peer: f"{streams} at 20 tokens/s" for peer, streams in fewer.items()},
    )

    def measure(runners: list[Runner], processes: int) -> Runs:
        return bench.measure(
            runners,
            "listen",
            processes=processes,
            rounds=(1 if is_tls else 2) if bench.is_quick else 3,
            arguments={"streams": 200, "seconds": 0.5 if bench.is_quick else 1 if is_tls else 2},
            instead={peer: {"streams": streams} for peer, streams in fewer.items()},
        )

    return compete(
        bench,
        contest,
        partial(measure, processes=2 if bench.is_quick else 3 if is_tls else 5),
        loops=loops(is_tls=is_tls),
        references=(FLOOR, REMEDIED) if is_tls else (FLOOR, REMEDIED, BARE),
        beside=partial(measure, processes=1),
    )


def wires(bench: Bench) -> Outcome:
    """Take the burst by each wire, at the side of OpenAI's."""
    this, others = Runner(SDK), [Runner(name) for name in WIRES]
    runs = bench.measure(
        [this, *others],
        "burst",
        rounds=2 if bench.is_quick else 3,
        arguments={"streams": 4, "tokens": 5000},
    )
    rows = [
        Row.judged(
            "wires",
            f"{_COST}: {runner.name.partition(', ')[2]} ÷ OpenAI's",
            ratio(runs[runner], runs[this], "cpu"),
        )
        for runner in others
    ]
    figures = [
        Figure("wires", "4 of 5,000 tokens", "", runner.name, {_COST: median(results, "cpu")})
        for runner, results in runs.items()
    ]
    return Outcome(rows, figures)


def run_sync(bench: Bench) -> Outcome:
    """Take the burst from blocking code, with whatever event loop `run_sync` chooses."""
    has_requests = find_spec("requests") is not None
    this, by_hand = Runner(SDK), Runner(BLOCKING_BY_HAND)
    blocking = Runner(BLOCKING, Setup(has_aiofastnet=True))
    runs = bench.measure(
        [this, blocking, *[by_hand] * has_requests],
        "burst",
        rounds=2 if bench.is_quick else 3,
        arguments={"streams": 4, "tokens": 5000},
    )
    rows = [
        Row.judged("run-sync", f"{_COST} ÷ async", ratio(runs[blocking], runs[this], "cpu")),
        Row.judged(
            "run-sync",
            f"{_COST} ÷ {BLOCKING_BY_HAND}",
            ratio(runs[blocking], runs[by_hand], "cpu") if has_requests else None,
            note="requests is not installed",
        ),
    ]
    figures = [
        Figure("run-sync", "4 of 5,000 tokens", "", runner.name, {_COST: median(results, "cpu")})
        for runner, results in runs.items()
    ]
    return Outcome(rows, figures)
