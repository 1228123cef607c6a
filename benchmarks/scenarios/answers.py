"""What an answer costs: how long its first token takes, and how many come in a second."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contenders import BY_HAND, FLOOR, SDK
from benchmarks.contenders.h2o import H2oByHand
from benchmarks.contenders.peers import installed_peers
from benchmarks.measure import median
from benchmarks.rows import Outcome, Row
from benchmarks.scenarios.contest import Contest, compete, loops, scenario_name
from benchmarks.setups import Runner

if TYPE_CHECKING:
    from benchmarks.scenarios.bench import Bench, Runs

_COST = "CPU per answer"


def first_token(bench: Bench, *, is_tls: bool = False, is_cold: bool = False) -> Outcome:
    """Ask one question after the other, on a connection that is there or always on a new one."""
    contest = Contest(
        scenario_name("first-token-cold" if is_cold else "first-token", is_tls=is_tls),
        "new connection" if is_cold else "pooled connection",
        told={"wait": "wait", _COST: "cpu"},
        compared=("wait", _COST),
    )

    def measure(runners: list[Runner], processes: int | None = None) -> Runs:
        return bench.measure(
            runners,
            "first_token",
            rounds=2 if bench.is_quick else 5,
            arguments={"requests": 50 if is_cold else 200, "is_cold": is_cold},
            instead={peer: {"requests": 20 if is_cold else 40} for peer in installed_peers()},
            processes=processes,
        )

    return compete(
        bench,
        contest,
        measure,
        loops=loops(is_tls=is_tls, has_uvloop=is_tls and not bench.is_quick),
        references=(BY_HAND, FLOOR),
        beside=partial(measure, processes=1),
    )


def h2o_first_token(bench: Bench) -> Outcome:
    """Wait for H2o's first token where each answer takes 50 ms."""
    this = Runner(SDK)
    arguments = {"rtt": 50}
    runs = bench.measure([this], "h2o_first_token", rounds=5, arguments=arguments)
    words = {"cold": "cold", "accepted": "settings accepted", "spare": "with a spare conversation"}
    rows = [
        Row.judged(
            "h2o-first-token",
            f"round trips, {how}",
            median(runs[this], key),
            load="50 ms a round trip",
        )
        for key, how in words.items()
    ]
    return Outcome(rows)


def h2o_throughput(bench: Bench) -> Outcome:
    """Get as many of H2o's answers as can be had, conversations and all."""
    sdks = bench.sdks()
    by_hand = Runner(SDK, title=f"{H2oByHand.name} by hand")
    contest = Contest(
        "h2o-throughput",
        "100 at once",
        told={"answers per second": "rate", _COST: "cpu"},
        compared=("answers per second",),
    )
    runs = bench.measure(
        [*sdks, by_hand],
        "h2o_throughput",
        rounds=2 if bench.is_quick else 3,
        arguments={
            "name": SDK,
            "at_once": 100,
            "answers": 500 if bench.is_quick else 2000,
            "tokens": 20,
        },
        instead={by_hand.name: {"name": H2oByHand.name}},
    )
    this, *other = sdks
    return Outcome(contest.rows(this, [by_hand, *other], runs), contest.figures(runs))
