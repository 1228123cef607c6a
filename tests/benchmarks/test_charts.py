"""Charts: what a reader measures with a ruler is what was measured."""

import itertools
import re
from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("benchmarks", reason="the source distribution lacks the folder benchmarks")

from benchmarks.report.charts import COLOURS, DARK, LIGHT, Bar, Chart
from benchmarks.report.units import UNITS, number

SVG = "{http://www.w3.org/2000/svg}"
SERIES = ("http", "https")
CHARTS = {
    "pairs": [Bar("a", [[("http", 22.1)], [("https", 47.0)]]), Bar("b", [[("http", 543.0)]])],
    "parts": [Bar("a", [[("http", 0.4), ("https", 0.7)]]), Bar("b", [[("http", 0.87)]])],
    "round": [Bar("a", [[("http", 1000.0)]]), Bar("b", [[("https", 1.0)]])],
    "small": [Bar("a", [[("http", 0.0031)]]), Bar("b", [[("https", 0.0)]])],
}


class Drawn:
    """A chart as it stands on the page."""

    def __init__(self, chart):
        self.root = ET.fromstring(chart.svg())
        rects = self.root.findall(f"{SVG}rect")
        self.bars = [rect for rect in rects if rect.get("data-value")]
        self.texts = [text.text for text in self.root.findall(f"{SVG}text")]
        self.ticks = {
            float(text.text.replace(",", "")): float(text.get("x"))
            for text in self.root.findall(f"{SVG}text")
            if "tick" in text.get("class")
        }


def drawn(bars):
    return Drawn(Chart("a title", "µs a token; shorter is better", SERIES, bars))


@pytest.mark.parametrize("bars", CHARTS.values(), ids=CHARTS)
def test_every_bar_is_as_long_as_its_value_on_the_axis_which_begins_at_zero(bars):
    chart = drawn(bars)
    zero, longest = chart.ticks[0], max(chart.ticks)
    scale = (chart.ticks[longest] - zero) / longest
    for value, x in chart.ticks.items():
        assert x == pytest.approx(zero + value * scale, abs=0.02)
    values = [value for bar in bars for parts in bar.values for _, value in parts]
    assert [float(bar.get("data-value")) for bar in chart.bars] == values
    for bar, value in zip(chart.bars, values, strict=True):
        assert float(bar.get("width")) == pytest.approx(value * scale, abs=0.02)
    assert all(sum(v for _, v in parts) <= longest for bar in bars for parts in bar.values)


@pytest.mark.parametrize("bars", CHARTS.values(), ids=CHARTS)
def test_every_bar_begins_at_zero_or_where_the_part_before_it_ends(bars):
    chart, x = drawn(bars), iter([])
    found = [(float(bar.get("x")), float(bar.get("width"))) for bar in chart.bars]
    x = iter(found)
    for parts in itertools.chain.from_iterable(bar.values for bar in bars):
        end = chart.ticks[0]
        for _ in parts:
            begin, width = next(x)
            assert begin == pytest.approx(end, abs=0.02)
            end = begin + width


def test_a_chart_tells_its_axis_its_series_each_name_and_each_whole():
    chart = drawn(CHARTS["parts"])
    assert {"µs a token; shorter is better", *SERIES, "a", "b", "1.10", "0.870"} <= {*chart.texts}
    assert chart.root.get("aria-label") == "a title"


@pytest.mark.parametrize("bars", CHARTS.values(), ids=CHARTS)
def test_bars_and_texts_stay_inside_of_the_picture_and_bars_do_not_overlap(bars):
    chart = drawn(bars)
    _, _, width, height = map(float, chart.root.get("viewBox").split())
    ends = []
    for bar in chart.bars:
        assert float(bar.get("x")) + float(bar.get("width")) < width - 60  # room for its value
        ends.append((float(bar.get("y")), float(bar.get("y")) + float(bar.get("height"))))
    rows = sorted(set(ends))
    assert all(below[0] > above[1] for above, below in itertools.pairwise(rows))
    assert all(0 < float(text.get("y")) < height for text in chart.root.findall(f"{SVG}text"))


def luminance(colour):
    """Return how bright a colour is, as WCAG 2 reckons it."""
    parts = [int(pair, 16) / 255 for pair in re.findall("..", colour[1:])]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("page", [LIGHT, DARK])
@pytest.mark.parametrize("colour", COLOURS)
def test_each_colour_stands_out_from_a_light_and_from_a_dark_page(colour, page):
    dim, bright = sorted([luminance(colour), luminance(page)])
    assert (bright + 0.05) / (dim + 0.05) >= 3


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [
        ("CPU per token", 22.14e-6, "22.1 µs"),
        ("CPU per token", 1.07e-6, "1.07 µs"),
        ("p99", 0.00023, "0.230 ms"),
        ("streams", 2539.0, "2,539"),
        ("streams", 92.0, "92"),
        ("memory per stream", 17.3 * 1024, "17.3 KiB"),
        ("server late by", 0.0, "0 ms"),
    ],
)
def test_a_quantity_is_told_in_its_unit_with_three_digits_that_count(quantity, value, text):
    assert UNITS[quantity].of(value) == text


def test_a_number_loses_no_digit_before_its_point():
    assert [number(value) for value in (0, 0.05, 999.6, 12345.6)] == [
        "0",
        "0.0500",
        "1,000",
        "12,346",
    ]
