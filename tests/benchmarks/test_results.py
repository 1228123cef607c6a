"""What is published of the benchmarks was made from the figures that are kept with it."""

import dataclasses
import re
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="the source distribution lacks the folder benchmarks")

from benchmarks.contenders import FLOOR, SDK
from benchmarks.limits import LIMITS
from benchmarks.report.charts import Chart
from benchmarks.report.document import Document, document
from benchmarks.report.pictures import COMPARISONS, charts
from benchmarks.report.publish import CHARTS, PAGE, RESULTS, keep, written
from benchmarks.report.tables import results
from benchmarks.rows import Figure, Outcome, Row
from benchmarks.scenarios import SCENARIOS
from benchmarks.setups import Setup

MAKE_ANEW = "run: python -m benchmarks.report.publish"
SPED_UP = Setup(is_uvloop=True).accelerated.name


@pytest.fixture(scope="module")
def kept():
    return Document.from_json(RESULTS.with_suffix(".json").read_text("utf-8"))


def cost(who, on, seconds, scenario="paced"):
    return Figure(scenario, "200 at 20 tokens/s", on, who, {"CPU per token": seconds, "p99": 0.001})


def test_the_tables_of_the_results_are_those_of_the_figures(kept):
    assert RESULTS.read_text("utf-8") == results(kept), MAKE_ANEW


def test_the_charts_are_those_of_the_figures(kept):
    files = {path.name: path.read_text("utf-8") for path in CHARTS.iterdir()}
    assert files == charts(kept), MAKE_ANEW


def test_the_page_has_the_tables_of_the_figures_and_shows_every_chart(kept):
    page = PAGE.read_text("utf-8")
    assert written(page, kept) == page, MAKE_ANEW
    assert [name for name in charts(kept) if f"(charts/{name})" not in page] == []


def test_each_limit_is_of_a_row_that_there_is(kept):
    rows = {(row.scenario, row.figure, row.on) for row in kept.rows}
    assert sorted(LIMITS.keys() - rows) == []


def test_all_scenarios_were_measured(kept):
    measured = {row.scenario for row in kept.rows} | {figure.scenario for figure in kept.figures}
    assert measured == SCENARIOS.keys()


def test_a_file_of_figures_can_be_read_again(tmp_path):
    rows = [
        Row.judged("hold", f"streams ÷ {FLOOR}", 1.5, load="p99", on="asyncio"),
        Row.judged("hold-tls", f"streams ÷ {FLOOR}", None, on="uvloop", note="uvloop is missing"),
    ]
    outcomes = [Outcome(rows, [cost(SDK, "asyncio", 2.05e-5)]), Outcome()]
    measured = document(outcomes, "python -m benchmarks", 61.0)
    keep(measured, tmp_path / "results.md")
    assert Document.from_json((tmp_path / "results.json").read_text("utf-8")) == measured
    text = (tmp_path / "results.md").read_text("utf-8")
    assert "in 1.0 minutes" in text
    assert "≥ 0.95" in text
    assert "skipped: uvloop is missing" in text
    assert "CPU per token 20.5 µs" in text


def test_a_comparison_has_everybody_who_was_measured_with_both_ways_and_nobody_else(kept):
    figures = [
        cost(SDK, "asyncio", 22.1e-6),
        cost(SDK, "asyncio", 47.1e-6, "paced-tls"),
        cost(SDK, SPED_UP, 30.1e-6, "paced-tls"),
        cost(FLOOR, "asyncio", 38.1e-6),
        cost("openai", "asyncio", 180e-6, "burst"),
    ]
    found = dataclasses.replace(kept, figures=figures)
    chart = COMPARISONS["cpu"].chart(found)
    assert isinstance(chart, Chart)
    bars = {bar.name: [pair for parts in bar.values for pair in parts] for bar in chart.bars}
    assert {
        name: [(way, round(value, 3)) for way, value in pairs] for name, pairs in bars.items()
    } == {
        "asyncllm": [("http", 22.1), ("https", 47.1)],
        "asyncllm, extra speed": [("https", 30.1)],
        "aiohttp + msgspec": [("http", 38.1)],
    }
    assert [bar.is_ours for bar in chart.bars] == [True, True, False]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]]
            for line in COMPARISONS["cpu"].table(found).splitlines()]  # fmt: skip
    assert rows[2:] == [
        ["asyncllm", "22.1 µs", "47.1 µs"],
        ["asyncllm, extra speed", "", "30.1 µs"],
        ["aiohttp + msgspec", "38.1 µs", ""],
    ]


def test_names_leave_room_in_a_wide_font(kept):
    for text in charts(kept).values():
        names = re.findall(r'<text x="([\d.]+)"[^>]* text-anchor="end">([^<]+)<', text)
        assert len(names) > 1
        assert [name for x, name in names if len(name) * 7.7 > float(x)] == []


def test_a_page_without_a_place_for_a_table_is_refused(kept):
    with pytest.raises(ValueError, match="0 places for 'ratios'"):
        written(PAGE.read_text("utf-8").replace("results: ratios", "results: other"), kept)


@pytest.mark.parametrize(
    ("value", "verdict", "is_met", "is_met_by_far"),
    [(1.0, "ok", True, True), (0.9, "MISSED", False, True), (0.7, "MISSED", False, False)],
)
def test_a_row_is_judged_by_the_limit_for_what_it_ran_on(value, verdict, is_met, is_met_by_far):
    row = Row.judged("hold", f"streams ÷ {FLOOR}", value, on="uvloop")
    assert (row.verdict, row.is_met(), row.is_met(1.25)) == (verdict, is_met, is_met_by_far)
    assert Row.judged("hold", f"streams ÷ {FLOOR}", value, on=SPED_UP).verdict == ""


def test_the_modules_of_the_benchmarks_are_short():
    modules = Path(RESULTS).parent.rglob("*.py")
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in modules}
    assert {name: count for name, count in lines.items() if count > 300} == {}
