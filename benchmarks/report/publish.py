"""Writes what is made of a run: `results.md`, and the charts and tables of docs/performance.md.

`python -m benchmarks.report.publish` makes them anew of `results.json`, and measures nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.report.document import Document
from benchmarks.report.pictures import COMPARISONS, charts
from benchmarks.report.tables import origin, ratios, results

RESULTS = Path(__file__).parents[1] / "results.md"
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
CHARTS = PAGE.with_name("charts")


def written(page: str, document: Document) -> str:
    """Return the text of the page with what stands between its comments anew."""
    parts = {"origin": origin(document), "ratios": ratios(document.rows)}
    parts |= {name: each.table(document) for name, each in COMPARISONS.items()}
    for name, text in parts.items():
        between = re.compile(rf"(<!-- results: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page, count = between.subn(lambda match: f"{match[1]}{text}\n{match[2]}", page)  # noqa: B023
        if count != 1:
            raise ValueError(f"{PAGE.name} has {count} places for {name!r}")
    return page


def keep(document: Document, path: Path) -> None:
    """Write the tables to a file, and all figures beside it."""
    path.write_text(results(document), encoding="utf-8")
    path.with_suffix(".json").write_text(document.to_json(), encoding="utf-8")


def illustrate(document: Document) -> None:
    """Write the charts and the tables of the page."""
    CHARTS.mkdir(exist_ok=True)
    for name, text in charts(document).items():
        (CHARTS / name).write_text(text, encoding="utf-8")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), document), encoding="utf-8")


if __name__ == "__main__":
    kept = Document.from_json(RESULTS.with_suffix(".json").read_text(encoding="utf-8"))
    keep(kept, RESULTS)
    illustrate(kept)
