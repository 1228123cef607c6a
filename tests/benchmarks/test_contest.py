"""Who competes on which event loop, and what is made of it."""

import sys

import pytest

pytest.importorskip("benchmarks", reason="the source distribution lacks the folder benchmarks")
pytest.importorskip("uvloop", reason="needs the extra speed")

from benchmarks.contenders import BY_HAND, FLOOR, REMEDIED, SDK
from benchmarks.load import Site
from benchmarks.scenarios.bench import OTHER, Bench
from benchmarks.scenarios.contest import Contest, compete, loops
from benchmarks.setups import AIOFASTNET, Runner, Setup

NOWHERE = Site("http://127.0.0.1:1", "https://127.0.0.1:1", "")
COST, P99 = "CPU per token", "p99"
CONTEST = Contest("paced", "200", told={COST: "cpu", P99: "p99"}, compared=(COST, P99))
COSTS = {SDK: 2e-5, FLOOR: 4e-5, REMEDIED: 2.5e-5, OTHER: 1e-5}


@pytest.fixture
def without_aiofastnet(monkeypatch):
    monkeypatch.setitem(sys.modules, AIOFASTNET, None)


def measure(runners):
    return {runner: [{"cpu": COSTS.get(runner.name, 1.0), "p99": 0.001}] for runner in runners}


def run(*, is_quick, is_tls=False, has_peers=False, other=None):
    bench = Bench(NOWHERE, is_quick, has_peers, other)
    return compete(bench, CONTEST, measure, loops=loops(is_tls=is_tls), beside=measure)


def told(outcome):
    return {(figure.on, figure.who) for figure in outcome.figures}


def test_asyncllm_is_divided_by_both_references_on_asyncio_and_by_one_on_uvloop():
    rows = run(is_quick=True).rows
    assert [(row.on, row.figure, row.value) for row in rows] == [
        ("asyncio", f"{COST} ÷ {FLOOR}", 0.5),
        ("asyncio", f"{COST} ÷ {REMEDIED}", 0.8),
        ("asyncio", f"{P99} ÷ {FLOOR}", 1.0),
        ("uvloop", f"{COST} ÷ {FLOOR}", 0.5),
        ("uvloop", f"{P99} ÷ {FLOOR}", 1.0),
    ]


@pytest.mark.usefixtures("without_aiofastnet")
@pytest.mark.parametrize(
    ("is_quick", "on"),
    [(True, ["uvloop + aiofastnet"]), (False, ["asyncio + aiofastnet", "uvloop + aiofastnet"])],
)
def test_over_tls_asyncllm_is_sped_up_and_what_lacks_for_it_is_said(is_quick, on):
    outcome = run(is_quick=is_quick, is_tls=True)
    skipped = [row for row in outcome.rows if row.value is None]
    assert {row.verdict for row in skipped} == {"skipped: aiofastnet not installed"}
    assert sorted({row.on for row in skipped}) == on
    assert ("asyncio", SDK) in told(outcome)


@pytest.mark.usefixtures("without_aiofastnet")
def test_an_event_loop_is_left_alone_where_asyncllm_can_not_run_on_it():
    assert {on for on, _ in told(run(is_quick=True, is_tls=True))} == {"asyncio"}


def test_what_most_people_write_runs_beside_on_asyncio_if_peers_are_wanted():
    assert (("asyncio", BY_HAND) in told(run(is_quick=True, has_peers=True))) is True
    assert (("uvloop", BY_HAND) in told(run(is_quick=True, has_peers=True))) is False
    assert (("asyncio", BY_HAND) in told(run(is_quick=True))) is False


def test_another_asyncllm_is_measured_beside_this_one_and_compared_with_it():
    rows = run(is_quick=True, other="/elsewhere").rows
    assert [row.value for row in rows if row.figure == f"{COST} ÷ {OTHER}"] == [2.0, 2.0]


def test_of_whom_less_is_asked_it_is_said():
    contest = Contest("many", "5,000", told={COST: "cpu"}, compared=(COST,), loads={"openai": "80"})
    figures = contest.figures(measure([Runner(SDK), Runner("openai")]))
    assert [figure.load for figure in figures] == ["5,000", "80"]


@pytest.mark.parametrize(
    ("setup", "name", "variables"),
    [
        (Setup(), "asyncio", {"ASYNCLLM_ACCELERATE": "0"}),
        (Setup(is_uvloop=True, is_tls=True), "uvloop", {"ASYNCLLM_ACCELERATE": "0"}),
        (Setup(is_uvloop=True).accelerated, "uvloop + aiofastnet", {}),
    ],
)
def test_aiofastnet_is_switched_off_wherever_it_is_not_named(setup, name, variables):
    assert (setup.name, setup.environment()) == (name, variables)
