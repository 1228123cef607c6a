"""Streams that wait: what memory each takes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contenders.peers import installed_peers
from benchmarks.scenarios.contest import Contest, compete, loops, scenario_name

if TYPE_CHECKING:
    from benchmarks.rows import Outcome
    from benchmarks.scenarios.bench import Bench, Runs
    from benchmarks.setups import Runner

_MEMORY = "memory per stream"
_PEERS = 80  # streams; some have a limit of 100 connections


def many(bench: Bench, *, is_tls: bool = False) -> Outcome:
    """Keep streams open that wait."""
    streams, least = (1000, 300) if is_tls else (5000, 1000)
    streams = least if bench.is_quick else streams
    contest = Contest(
        scenario_name("many", is_tls=is_tls),
        f"{streams:,} streams open",
        told={_MEMORY: "bytes"},
        compared=(_MEMORY,),
        loads=dict.fromkeys(installed_peers(), f"{_PEERS} streams open"),
    )

    def measure(runners: list[Runner], rounds: int) -> Runs:
        return bench.measure_anew(
            runners,
            "many",
            rounds=rounds,
            arguments={"streams": streams},
            instead={peer: {"streams": _PEERS} for peer in installed_peers()},
        )

    on = loops(is_tls=is_tls, has_uvloop=is_tls or not bench.is_quick)
    return compete(
        bench,
        contest,
        partial(measure, rounds=(2 if is_tls else 3) if bench.is_quick else 5),
        loops=on,
        beside=partial(measure, rounds=1 if bench.is_quick else 3),
    )
