"""asyncllm beside what it is compared with, doing the same on each event loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.contenders import BY_HAND, FLOOR, REMEDIED
from benchmarks.contenders.peers import installed_peers
from benchmarks.measure import JobError, median, ratio
from benchmarks.rows import Figure, Outcome, Row
from benchmarks.setups import Runner, Setup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.jobs import Result
    from benchmarks.scenarios.bench import Bench, Runs

ASYNCIO, UVLOOP = Setup(), Setup(is_uvloop=True)


@dataclass(frozen=True)
class Contest:
    """What is asked of everybody.

    Attributes:
        scenario: its name.
        load: how much is asked.
        told: the quantities that are told of everybody, and what the job calls them.
        compared: which of them asyncllm is compared by; all but the first only with the first of
            those that it is compared with.
        loads: how much is asked of those of whom less is asked, by name.

    """

    scenario: str
    load: str
    told: Mapping[str, str]
    compared: tuple[str, ...]
    loads: Mapping[str, str] = field(default_factory=dict[str, str])

    def rows(self, sdk: Runner, others: Sequence[Runner], runs: Runs, lack: str = "") -> list[Row]:
        """Return how asyncllm did, by each quantity; `lack` says why it did not do anything."""
        main, *rest = self.compared
        pairs = [(main, other) for other in others] + [(each, others[0]) for each in rest]
        return [
            Row.judged(
                self.scenario,
                f"{quantity} ÷ {other.name}",
                None if lack else ratio(runs[sdk], runs[other], self.told[quantity]),
                load=self.load,
                on=sdk.setup.name,
                note=lack,
            )
            for quantity, other in pairs
        ]

    def figures(self, runs: Runs) -> list[Figure]:
        """Return what everybody did."""
        return [self._figure(runner, results) for runner, results in runs.items()]

    def failure(self, runner: Runner, error: JobError) -> Row:
        """Return a row that says that somebody failed."""
        *_, why = str(error).strip().splitlines()
        figure = f"{self.compared[0]} of {runner.name}"
        on = runner.setup.name
        return Row.judged(self.scenario, figure, None, load=self.load, on=on, note=why)

    def _figure(self, runner: Runner, results: list[Result]) -> Figure:
        values = {name: median(results, key) for name, key in self.told.items()}
        load = self.loads.get(runner.name, self.load)
        return Figure(self.scenario, load, runner.setup.name, runner.name, values)


def compete(
    bench: Bench,
    contest: Contest,
    measure: Callable[[list[Runner]], Runs],
    *,
    loops: Sequence[Setup],
    references: tuple[str, ...] = (FLOOR, REMEDIED),
    beside: Callable[[list[Runner]], Runs] | None = None,
) -> Outcome:
    """Measure asyncllm and its references on each event loop.

    Args:
        bench: how to measure.
        contest: what is asked.
        measure: asks it of those that are compared.
        loops: the event loops.
        references: what asyncllm is compared with.
        beside: asks it of the others, on asyncio, where the bench has peers.

    """
    outcome = Outcome()
    for loop in loops:
        setups = _setups(bench, loop)
        able = [setup for setup in setups if not bench.lack(setup)]
        others = [Runner(name, loop) for name in references if name != REMEDIED or loop == ASYNCIO]
        entered = [runner for setup in able for runner in bench.sdks(setup)]
        runs = measure([*entered, *others]) if able else {}
        for setup in setups:
            sdk, *other = bench.sdks(setup)
            outcome.rows.extend(contest.rows(sdk, [*others, *other], runs, bench.lack(setup)))
        outcome.figures.extend(contest.figures(runs))
        if beside is not None and bench.has_peers and not loop.is_uvloop:
            outside = [Runner(name, loop) for name in (BY_HAND, *installed_peers())]
            for runner in outside:
                if runner not in runs:
                    _add(outcome, contest, runner, beside)
    return outcome


def loops(*, is_tls: bool, has_uvloop: bool = True) -> list[Setup]:
    """Return the event loops to run on."""
    return [Setup(is_uvloop, is_tls) for is_uvloop in (False, True)[: 1 + has_uvloop]]


def scenario_name(name: str, *, is_tls: bool) -> str:
    """Return what a scenario is called."""
    return f"{name}-tls" if is_tls else name


def _add(
    outcome: Outcome,
    contest: Contest,
    runner: Runner,
    measure: Callable[[list[Runner]], Runs],
) -> None:
    """Add what somebody did who is not compared; whoever fails does not end the whole run."""
    try:
        outcome.figures.extend(contest.figures(measure([runner])))
    except JobError as error:
        outcome.rows.append(contest.failure(runner, error))


def _setups(bench: Bench, loop: Setup) -> list[Setup]:
    """Return what asyncllm runs on: the event loop by itself, and sped up where it may matter."""
    if bench.is_quick:
        return [loop.accelerated if loop.is_tls and loop.is_uvloop else loop]
    return [loop, loop.accelerated] if loop.is_tls or loop.is_uvloop else [loop]
