"""The scenarios: what is asked of whom, and which ratios are made of the answers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchmarks.contenders import installed_peers
from benchmarks.h2o import H2oByHand
from benchmarks.measure import ROOT, Runner, Worker, environment, in_turn, median, ratio
from benchmarks.rows import Outcome, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from benchmarks.jobs import Result

    Runs: TypeAlias = dict[str, list[Result]]

SDK, FLOOR, BY_HAND, OTHER = "asyncllm", "floor", "aiohttp + json", "asyncllm, other"
_MICROSECOND = 1e6
_MILLISECOND = 1e3


@dataclass(frozen=True)
class Bench:
    """How to measure.

    Attributes:
        origin: where the load server is.
        is_quick: whether to do less.
        other: a folder with another asyncllm, to be measured at the side of this one.

    """

    origin: str
    is_quick: bool
    other: str | None = None
    peers: list[str] = field(default_factory=installed_peers)

    def runners(self, *names: str, is_uvloop: bool = False) -> dict[str, Runner]:
        """Return who is to be measured, by the names that tables have for them."""
        runners = {name: Runner(name, is_uvloop) for name in names}
        if self.other is not None and SDK in names:
            runners[OTHER] = Runner(SDK, is_uvloop, self.other)
        return runners

    def measure(
        self,
        runners: Mapping[str, Runner],
        job: str,
        *,
        rounds: int,
        arguments: Mapping[str, object],
        instead: Mapping[str, Mapping[str, object]] | None = None,
    ) -> Runs:
        """Have one process each do a job in turn, `rounds` times, and that a few times anew.

        A process can be slow for as long as it lives, by where its memory and its core happen to
        be; hence the new ones. The first time in each does not count.

        Args:
            runners: who.
            job: what.
            rounds: how often each process does it.
            arguments: for the job.
            instead: arguments that are others, by contender.

        """
        results: Runs = {name: [] for name in runners}
        for _ in range(3 if self.is_quick else 5):
            with ExitStack() as stack:
                runs: dict[str, Callable[[], Result]] = {}
                for name, runner in runners.items():
                    worker = stack.enter_context(Worker(runner, self.origin))
                    own = {**arguments, **(instead or {}).get(name, {})}
                    runs[name] = partial(worker.ask, job, **own)
                in_turn(runs, 1)
                for name, more in in_turn(runs, rounds).items():
                    results[name] += more
        return results

    def measure_anew(
        self, runners: Mapping[str, Runner], job: str, *, rounds: int, **arguments: object
    ) -> Runs:
        """Have a new process do the job each time."""

        def run(runner: Runner) -> Result:
            with Worker(runner, self.origin) as worker:
                return worker.ask(job, **arguments)

        return in_turn({name: partial(run, runner) for name, runner in runners.items()}, rounds)

    def compare(self, scenario: str, runs: Runs, figure: str, what: str) -> list[Row]:
        """Return the row that compares this asyncllm with the other one, if there is one."""
        if OTHER not in runs:
            return []
        return [Row(scenario, f"{what} ÷ other's", ratio(runs[SDK], runs[OTHER], figure))]


def burst(bench: Bench) -> Outcome:
    """Take answers as fast as they come."""
    peers = [peer for peer in bench.peers if peer == "openai" or not bench.is_quick]
    runs = bench.measure(
        bench.runners(SDK, FLOOR, BY_HAND, *peers),
        "burst",
        rounds=2 if bench.is_quick else 3,
        arguments={"streams": 4, "tokens": 5000},
        instead={peer: {"tokens": 1500} for peer in peers},
    )
    name, what = "burst: 4 of 5,000 tokens", "CPU per token"
    rows = [Row(name, f"{what} ÷ floor", ratio(runs[SDK], runs[FLOOR], "cpu"), 1.5)]
    if "openai" in runs:
        rows.append(Row(name, f"{what} ÷ openai", ratio(runs[SDK], runs["openai"], "cpu"), 0.02))
    else:
        rows.append(Row(name, f"{what} ÷ openai", None, 0.02, note="openai is not installed"))
    return Outcome([*rows, *bench.compare(name, runs, "cpu", what)], _per_token(runs))


def paced(bench: Bench) -> Outcome:
    """Listen to many streams at the speed of a model."""
    runs = bench.measure(
        bench.runners(SDK, FLOOR, *([] if bench.is_quick else [BY_HAND])),
        "listen",
        rounds=2 if bench.is_quick else 3,
        arguments={"streams": 200, "seconds": 0.5 if bench.is_quick else 2},
    )
    name, what = "paced: 200 at 20 tokens/s", "CPU per token"
    rows = [
        Row(name, f"{what} ÷ floor", ratio(runs[SDK], runs[FLOOR], "cpu"), 1.2),
        Row(name, "p99 ÷ floor's", median(runs[SDK], "p99") / median(runs[FLOOR], "p99"), 1.2),
        *bench.compare(name, runs, "cpu", what),
    ]
    return Outcome(rows, [(who, _cpu_and_p99(results)) for who, results in runs.items()])


def many(bench: Bench) -> Outcome:
    """Keep streams open that wait."""
    streams = 1000 if bench.is_quick else 5000
    runners = bench.runners(SDK, FLOOR, BY_HAND)
    runs = bench.measure_anew(runners, "many", rounds=3 if bench.is_quick else 5, streams=streams)
    name, what = f"many: {streams:,} streams open", "memory per stream"
    value = ratio(runs[SDK], runs[FLOOR], "bytes")
    rows = [Row(name, f"{what} ÷ floor", value, 1.3), *bench.compare(name, runs, "bytes", what)]
    figures = [
        (who, f"{median(results, 'bytes') / 1024:.1f} KiB a stream")
        for who, results in runs.items()
    ]
    return Outcome(rows, figures)


def first_token(bench: Bench) -> Outcome:
    """Ask one question after the other on a connection that is there."""
    runs = bench.measure(
        bench.runners(SDK, FLOOR, BY_HAND, *([] if bench.is_quick else bench.peers)),
        "first_token",
        rounds=2 if bench.is_quick else 5,
        arguments={"requests": 200},
        instead={peer: {"requests": 40} for peer in bench.peers},
    )
    name = "first token, pooled connection"
    rows = [
        Row(name, "wait ÷ aiohttp + json", ratio(runs[SDK], runs[BY_HAND], "wait"), 1.3),
        Row(name, "CPU per answer ÷ aiohttp + json", ratio(runs[SDK], runs[BY_HAND], "cpu")),
        *bench.compare(name, runs, "wait", "wait"),
    ]
    figures = [
        (
            who,
            f"{_microseconds(results, 'wait')} to the first token, {_answer(results)}",
        )
        for who, results in runs.items()
    ]
    return Outcome(rows, figures)


def h2o_first_token(bench: Bench) -> Outcome:
    """Wait for H2o's first token where each answer takes 50 ms."""
    runs = bench.measure(bench.runners(SDK), "h2o_first_token", rounds=5, arguments={"rtt": 50})
    limits = {"cold": 3.2, "accepted": 2.2, "spare": 1.2}
    words = {"cold": "cold", "accepted": "settings accepted", "spare": "with a spare conversation"}
    rows = [
        Row("H2o first token, 50 ms", f"round trips, {words[key]}", median(runs[SDK], key), limit)
        for key, limit in limits.items()
    ]
    return Outcome(rows)


def h2o_throughput(bench: Bench) -> Outcome:
    """Get as many of H2o's answers as can be had, conversations and all."""
    by_hand = "4 requests by hand"
    answers = 500 if bench.is_quick else 2000
    results = bench.measure(
        {**bench.runners(SDK), by_hand: Runner(SDK)},
        "h2o_throughput",
        rounds=2 if bench.is_quick else 3,
        arguments={"name": SDK, "at_once": 100, "answers": answers, "tokens": 20},
        instead={by_hand: {"name": H2oByHand.name}},
    )
    name = "H2o throughput, 100 at once"
    rows = [
        Row(
            name,
            f"answers per second ÷ {by_hand}",
            ratio(results[SDK], results[by_hand], "rate"),
            1.3,
            at_least=True,
        ),
        *bench.compare(name, results, "rate", "answers per second"),
    ]
    figures = [
        (
            who,
            f"{median(result, 'rate'):.0f} answers/s, {_answer(result)}",
        )
        for who, result in results.items()
    ]
    return Outcome(rows, figures)


def run_sync(bench: Bench) -> Outcome:
    """Take the burst from blocking code."""
    import asyncllm  # noqa: PLC0415 - what it has is asked when it matters

    name, what = "run_sync burst", "CPU per token"
    to_async, to_requests = f"{what} ÷ async", f"{what} ÷ requests + json"
    if not hasattr(asyncllm, "run_sync"):
        note = "there is no asyncllm.run_sync yet"
        return Outcome([Row(name, to_async, None, 3, note=note)])
    has_requests = find_spec("requests") is not None
    runs = bench.measure(
        bench.runners(SDK, "run_sync", *["requests + json"] * has_requests),
        "burst",
        rounds=2 if bench.is_quick else 3,
        arguments={"streams": 4, "tokens": 5000},
    )
    rows = [Row(name, to_async, ratio(runs["run_sync"], runs[SDK], "cpu"), 3)]
    if has_requests:
        value = ratio(runs["run_sync"], runs["requests + json"], "cpu")
        rows.append(Row(name, to_requests, value, 1))
    else:
        rows.append(Row(name, to_requests, None, 1, note="requests is not installed"))
    return Outcome(rows, _per_token(runs))


def imports(bench: Bench) -> Outcome:
    """Import, from byte code that is there."""
    statements = {
        "aiohttp": "import aiohttp",
        "asyncllm": "import asyncllm",
        "its names": "from asyncllm import H2o, OpenAI, SessionManager",
    }
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

        runs = {name: partial(run, statement) for name, statement in statements.items()}
        in_turn(runs, 1)
        results = in_turn(runs, 5 if bench.is_quick else 15)
    to = results["aiohttp"]
    rows = [
        Row("import", "import asyncllm ÷ aiohttp", ratio(results["asyncllm"], to, "cpu"), 1.15),
        Row(
            "import", f"{statements['its names']} ÷ aiohttp", ratio(results["its names"], to, "cpu")
        ),
    ]
    figures = [
        (statements[name], f"{median(result, 'cpu') * _MILLISECOND:.0f} ms")
        for name, result in results.items()
    ]
    return Outcome(rows, figures)


def soak(bench: Bench) -> Outcome:
    """Run short streams for long: nothing may pile up."""
    first, streams = (1000, 6000) if bench.is_quick else (10_000, 100_000)
    runs = bench.measure_anew(bench.runners(SDK), "soak", rounds=1, streams=streams, first=first)
    result = runs[SDK][0]
    value = result["late"] / result["early"]
    row = Row(f"soak: {streams:,} streams", f"memory at the end ÷ after {first:,}", value, 1.02)
    megabytes = [f"{result[key] / 2**20:.1f} MiB" for key in ("early", "late")]
    return Outcome([row], [(SDK, " → ".join(megabytes))])


def _per_token(runs: Runs) -> list[tuple[str, str]]:
    return [
        (who, f"{median(results, 'cpu') * _MICROSECOND:.2f} µs CPU a token")
        for who, results in runs.items()
    ]


def _answer(results: list[Result]) -> str:
    return f"{_microseconds(results, 'cpu')} CPU an answer"


def _microseconds(results: list[Result], figure: str) -> str:
    return f"{median(results, figure) * _MICROSECOND:.0f} µs"


def _cpu_and_p99(results: list[Result]) -> str:
    cpu, p99 = median(results, "cpu") * _MICROSECOND, median(results, "p99") * _MILLISECOND
    return f"{cpu:.1f} µs CPU a token, p99 {p99:.2f} ms"
