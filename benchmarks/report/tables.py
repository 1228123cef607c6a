"""The tables of ratios and figures, in Markdown that reads well as it is, and `results.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.report.units import UNITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.report.document import Document
    from benchmarks.rows import Figure, Row

_RATIOS = ("scenario", "load", "on", "figure", "value", "must reach", "result")
_FIGURES = ("scenario", "load", "on", "contender", "figures")
_METHOD = (
    "Every value is the median of several runs of client processes that take turns (A B A B), "
    "costs in CPU time of the client process. The load server is a process of its own on the same "
    "machine. `aiohttp + msgspec` is the least that can be written by hand with aiohttp: "
    "`iter_any()`, a split, and a typed decode, with no limits, no errors, and nothing checked."
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def ratios(rows: Iterable[Row]) -> str:
    """Return the table of ratios."""
    return table(_RATIOS, map(_ratio_cells, rows))


def figures(found: Iterable[Figure]) -> str:
    """Return the table of what the ratios were made of."""
    return table(_FIGURES, map(_figure_cells, found))


def origin(document: Document) -> str:
    """Return by what, when and where it was measured."""
    versions = [f"{name} {has}" if has else f"no {name}" for name, has in document.versions.items()]
    return (
        f"Measured by `{document.command}` on {document.date} UTC, in {document.minutes} minutes; "
        f"{document.machine}; {', '.join(versions)}."
    )


def results(document: Document) -> str:
    """Return what `results.md` says."""
    parts = [
        "# Benchmarks",
        origin(document),
        _METHOD,
        ratios(document.rows),
        "## What the ratios were made of",
        "Good for this machine and this hour only.",
        figures(document.figures),
    ]
    return "\n\n".join(parts) + "\n"


def _ratio_cells(row: Row) -> tuple[str, ...]:
    value = "" if row.value is None else f"{row.value:.3g}"
    return row.scenario, row.load, row.on, row.figure, value, row.wanted, row.verdict


def _figure_cells(figure: Figure) -> tuple[str, ...]:
    words = (f"{quantity} {UNITS[quantity].of(value)}" for quantity, value in figure.values.items())
    return figure.scenario, figure.load, figure.on, figure.who, ", ".join(words)
