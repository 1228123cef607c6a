"""How to measure: which processes do a job how often, in which order."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from benchmarks.contenders import SDK
from benchmarks.measure import Worker, in_turn
from benchmarks.setups import AIOFASTNET, Runner, Setup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from benchmarks.jobs import Result
    from benchmarks.load import Site

    Runs: TypeAlias = dict[Runner, list[Result]]
    Arguments: TypeAlias = Mapping[str, object]

OTHER = "asyncllm, other"


@dataclass(frozen=True)
class Bench:
    """How to measure.

    Attributes:
        site: where the load server is.
        is_quick: whether to do less.
        has_peers: whether other people's SDKs, and what most people write, are measured too.
        other: a folder with another asyncllm, to be measured at the side of this one.

    """

    site: Site
    is_quick: bool
    has_peers: bool
    other: str | None = None

    def sdks(self, setup: Setup | None = None) -> list[Runner]:
        """Return asyncllm, and the other one if there is one."""
        this = Runner(SDK, setup or Setup())
        return [this, replace(this, sdk=self.other, title=OTHER)] if self.other else [this]

    def lack(self, setup: Setup) -> str:
        """Return why asyncllm can't be measured on this, in words; empty where it can."""
        if setup.lack or not setup.has_aiofastnet or self._takes_aiofastnet:
            return setup.lack
        return f"asyncllm does not take {AIOFASTNET}"

    @cached_property
    def _takes_aiofastnet(self) -> bool:
        runner = Runner(SDK, Setup(is_tls=True, has_aiofastnet=True))
        with Worker(runner, self.site) as worker:
            return bool(worker.ask("takes_aiofastnet")["taken"])

    def measure(
        self,
        runners: Iterable[Runner],
        job: str,
        *,
        rounds: int,
        arguments: Arguments,
        instead: Mapping[str, Arguments] | None = None,
        processes: int | None = None,
    ) -> Runs:
        """Have one process each do a job in turn, `rounds` times, and that a few times anew.

        A process can be slow for as long as it lives, by where its memory and its core happen to
        be; hence the new ones. The first time in each does not count.

        Args:
            runners: who.
            job: what.
            rounds: how often each process does it.
            arguments: for the job.
            instead: arguments that are others, by name.
            processes: how many processes each has, one after the other, if not three or five.

        """
        results: Runs = {runner: [] for runner in runners}
        for _ in range(processes or (3 if self.is_quick else 5)):
            with ExitStack() as stack:
                runs: dict[Runner, Callable[[], Result]] = {}
                for runner in results:
                    worker = stack.enter_context(Worker(runner, self.site))
                    own = _own(runner, arguments, instead)
                    runs[runner] = partial(worker.ask, job, **own)
                in_turn(runs, 1)
                for runner, more in in_turn(runs, rounds).items():
                    results[runner] += more
        return results

    def measure_anew(
        self,
        runners: Iterable[Runner],
        job: str,
        *,
        rounds: int,
        arguments: Arguments,
        instead: Mapping[str, Arguments] | None = None,
    ) -> Runs:
        """Have a new process do the job each time."""

        def run(runner: Runner) -> Result:
            with Worker(runner, self.site) as worker:
                return worker.ask(job, **_own(runner, arguments, instead))

        return in_turn({runner: partial(run, runner) for runner in runners}, rounds)


def _own(
    runner: Runner, arguments: Arguments, instead: Mapping[str, Arguments] | None
) -> dict[str, object]:
    return {**arguments, **(instead or {}).get(runner.name, {})}
