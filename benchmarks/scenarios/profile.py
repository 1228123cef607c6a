"""Where a token's time goes: a sampler looks at asyncllm and at what it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contenders import FLOOR, REMEDIED, SDK
from benchmarks.rows import Figure, Outcome
from benchmarks.setups import Runner

if TYPE_CHECKING:
    from benchmarks.scenarios.bench import Arguments, Bench


def profile(bench: Bench) -> Outcome:
    """Have each listen to many streams and take a burst, in a new process each time."""
    loads: dict[str, tuple[str, Arguments]] = {
        "paced": ("listen", {"streams": 200, "seconds": 2.0 if bench.is_quick else 8.0}),
        "burst": ("burst", {"streams": 4, "tokens": 20_000, "times": 2 if bench.is_quick else 8}),
    }
    figures = []
    for load, (job, arguments) in loads.items():
        runs = bench.measure_anew(
            [Runner(name) for name in (SDK, FLOOR, REMEDIED)],
            "profile",
            rounds=1,
            arguments={"of": job, "arguments": arguments},
        )
        figures += [
            Figure("profile", load, "asyncio", runner.name, results[0])
            for runner, results in runs.items()
        ]
    return Outcome(figures=figures)
