"""What a process costs that uses asyncllm: importing it, and letting it run for long."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contenders import SDK
from benchmarks.measure import ROOT, environment, in_turn, median, ratio
from benchmarks.rows import Figure, Outcome, Row
from benchmarks.setups import Runner

if TYPE_CHECKING:
    from benchmarks.jobs import Result
    from benchmarks.scenarios.bench import Bench

_NAMES = "from asyncllm import H2o, OpenAI, SessionManager"


def imports(bench: Bench) -> Outcome:
    """Import, from byte code that is there."""
    statements = ("import aiohttp", "import asyncllm", _NAMES)
    with tempfile.TemporaryDirectory() as cache:
        environ = environment() | {"PYTHONPYCACHEPREFIX": cache}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)

        def run(statement: str) -> Result:
            code = (
                f"import time; t = time.process_time(); {statement}; print(time.process_time()-t)"
            )
            command = [sys.executable, "-c", code]
            done = subprocess.run(  # noqa: S603 - our own
                command,
                capture_output=True,
                text=True,
                check=True,
                cwd=bench.other or ROOT,
                env=environ,
            )
            return {"cpu": float(done.stdout)}

        runs = {statement: partial(run, statement) for statement in statements}
        in_turn(runs, 1)
        results = in_turn(runs, 5 if bench.is_quick else 15)
    to, *ours = statements
    rows = [
        Row.judged("import", f"{each} ÷ aiohttp", ratio(results[each], results[to], "cpu"))
        for each in ours
    ]
    figures = [
        Figure("import", "", "", statement, {"CPU": median(result, "cpu")})
        for statement, result in results.items()
    ]
    return Outcome(rows, figures)


def soak(bench: Bench) -> Outcome:
    """Run short streams for long: nothing may pile up."""
    first, streams = (1000, 6000) if bench.is_quick else (10_000, 100_000)
    runner = Runner(SDK)
    arguments = {"streams": streams, "first": first}
    runs = bench.measure_anew([runner], "soak", rounds=1, arguments=arguments)
    result = runs[runner][0]
    load = f"{streams:,} streams, early is after {first:,}"
    value = result["late"] / result["early"]
    row = Row.judged("soak", "memory at the end ÷ early", value, load=load)
    values = {"memory early": result["early"], "memory at the end": result["late"]}
    return Outcome([row], [Figure("soak", load, "", SDK, values)])
