"""Draws bar charts as SVG: one linear axis from zero for all bars of a chart.

On the site a chart stands in the page and takes the page's colours of text. Seen by itself, as in
a repository's viewer, it follows the reader's own preference. The colours of bars can be told from
a light background and from a dark one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from benchmarks.report.units import number

COLOURS = ("#3b82c4", "#c8641b", "#2a9d57", "#9a68d3", "#8a8f98", "#c2477f")
LIGHT, DARK = "#ffffff", "#0d1117"

_STYLE = f"""
.asyncllm-chart {{ --ink: #24292f; --soft: #57606a; --line: #d0d7de; --page: {LIGHT};
  background: var(--color-background-primary, var(--page));
  font-family: system-ui, sans-serif }}
@media (prefers-color-scheme: dark) {{
  .asyncllm-chart {{ --ink: #e6edf3; --soft: #9da7b3; --line: #3d444d; --page: {DARK} }}
}}
.asyncllm-chart text {{ fill: var(--color-foreground-primary, var(--ink)); font-size: 13px }}
.asyncllm-chart .soft {{ fill: var(--color-foreground-secondary, var(--soft)); font-size: 12px }}
.asyncllm-chart .strong {{ font-weight: 600 }}
.asyncllm-chart line {{ stroke: var(--color-background-border, var(--line)) }}
"""
_WIDTH, _LEFT, _RIGHT = 720, 252, 70
_BAR, _GAP, _TOP = 15, 12, 34
_TICKS = 6  # at the most, beside zero


@dataclass(frozen=True)
class Bar:
    """A row of a chart: what it is called, and its bars, one below the other.

    Attributes:
        name: what it is called.
        values: each bar's parts as (series, value), in the unit of the chart.
        is_ours: whether it is asyncllm's, which is written in bold.

    """

    name: str
    values: list[list[tuple[str, float]]]
    is_ours: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: what it shows, in words, for those who can't see it.
        axis: what the axis counts, in which unit, and which end is better.
        series: the names of the colours.
        bars: the rows.

    """

    title: str
    axis: str
    series: tuple[str, ...]
    bars: list[Bar]

    def svg(self) -> str:
        """Return the file's text."""
        bottom = _TOP + sum(len(bar.values) * _BAR + _GAP for bar in self.bars)
        height = bottom + 44
        size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
        said = f'role="img" aria-label="{escape(self.title)}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="asyncllm-chart" {size} {said}>'
        parts = [head, f"<style>{_STYLE}</style>", *self._legend(), *self._axis(bottom)]
        y = _TOP + _GAP / 2
        for bar in self.bars:
            parts += self._row(bar, y)
            y += len(bar.values) * _BAR + _GAP
        return "\n".join([*parts, "</svg>\n"])

    def _scale(self) -> tuple[float, list[float]]:
        """Return how long one unit is, and where the ticks are."""
        longest = max(sum(value for _, value in parts) for bar in self.bars for parts in bar.values)
        rough = longest / _TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough)
        ticks = [step * count for count in range(math.ceil(longest / step) + 1)]
        return (_WIDTH - _LEFT - _RIGHT) / ticks[-1], ticks

    def _legend(self) -> list[str]:
        widths = [34 + 6.5 * len(name) for name in self.series]
        parts, x = [], min(float(_LEFT), _WIDTH - sum(widths))
        for name, width, colour in zip(self.series, widths, COLOURS, strict=False):
            parts.append(
                f'<rect x="{x:g}" y="10" width="12" height="12" fill="{colour}" class="key"/>'
            )
            parts.append(_text(x + 17, 20, name, "soft", "start"))
            x += width
        return parts

    def _axis(self, bottom: float) -> list[str]:
        scale, ticks = self._scale()
        parts = []
        for tick in ticks:
            x = f"{_LEFT + tick * scale:.2f}"
            parts.append(f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom:g}"/>')
            parts.append(_text(float(x), bottom + 16, f"{tick:,g}", "soft tick"))
        parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 36, self.axis, "soft"))
        return parts

    def _row(self, bar: Bar, y: float) -> list[str]:
        scale, _ = self._scale()
        middle = y + len(bar.values) * _BAR / 2 + 4.5
        parts = [_text(_LEFT - 10, middle, bar.name, "strong" if bar.is_ours else "", "end")]
        for values in bar.values:
            x = float(_LEFT)
            for series, value in values:
                width = value * scale
                parts.append(
                    f'<rect x="{x:.2f}" y="{y + 1:g}" width="{width:.2f}" height="{_BAR - 2}" '
                    f'fill="{COLOURS[self.series.index(series)]}" data-value="{value:.4g}">'
                    f"<title>{escape(bar.name)}, {escape(series)}: {number(value)}</title></rect>"
                )
                x += width
            whole = number(sum(value for _, value in values))
            parts.append(_text(x + 6, y + _BAR - 3, whole, "soft value", "start"))
            y += _BAR
        return parts


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    return (
        f'<text x="{x:.2f}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
    )
