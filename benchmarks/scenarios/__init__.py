"""The scenarios: what is asked of whom, and which ratios are made of the answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.scenarios.answers import first_token, h2o_first_token, h2o_throughput
from benchmarks.scenarios.growth import growth
from benchmarks.scenarios.hold import hold
from benchmarks.scenarios.open_streams import many
from benchmarks.scenarios.process import imports, soak
from benchmarks.scenarios.profile import profile
from benchmarks.scenarios.tokens import burst, paced, run_sync, wires

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.rows import Outcome
    from benchmarks.scenarios.bench import Bench

SCENARIOS: dict[str, Callable[[Bench], Outcome]] = {
    "burst": burst,
    "paced": paced,
    "paced-tls": partial(paced, is_tls=True),
    "hold": hold,
    "hold-tls": partial(hold, is_tls=True),
    "many": many,
    "many-tls": partial(many, is_tls=True),
    "first-token": first_token,
    "first-token-tls": partial(first_token, is_tls=True),
    "first-token-cold-tls": partial(first_token, is_tls=True, is_cold=True),
    "h2o-first-token": h2o_first_token,
    "h2o-throughput": h2o_throughput,
    "wires": wires,
    "run-sync": run_sync,
    "import": imports,
    "soak": soak,
    "growth": growth,
    "profile": profile,
}
