"""The table of ratios, and the file that keeps it with the machine, the versions and the date."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.rows import Outcome, Row

_HEADER = ("scenario", "figure", "value", "must reach", "")
_PACKAGES = (
    "asyncllm-sdk",
    "aiohttp",
    "msgspec",
    "uvloop",
    "openai",
    "litellm",
    "huggingface_hub",
    "anthropic",
    "ollama",
    "requests",
)
_METHOD = (
    "Every value is the median of several runs of client processes that take turns (A B A B), "
    "costs in CPU time of the client process. The load server is a process of its own on the same "
    "machine."
)


def table(rows: list[Row]) -> str:
    """Return the rows as a table, in Markdown that reads well as it is."""
    cells = [_HEADER, *map(_cells, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADER))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def results(outcomes: Mapping[str, Outcome], *, is_quick: bool, seconds: float) -> str:
    """Return what `results.md` says."""
    rows = [row for outcome in outcomes.values() for row in outcome.rows]
    figures = [
        f"| {name} | {who} | {words} |"
        for name, outcome in outcomes.items()
        for who, words in outcome.figures
    ]
    now = datetime.now(UTC)
    command = "python -m benchmarks" + " --quick" * is_quick
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `{command}` on {now:%Y-%m-%d %H:%M} UTC, in {seconds / 60:.1f} minutes.",
            "",
            f"- machine: {_processor()}, {os.cpu_count()} cores, {platform.platform()}",
            f"- {platform.python_implementation()} {platform.python_version()}; {_versions()}",
            "",
            _METHOD,
            "",
            table(rows),
            "",
            "## What the ratios were made of",
            "",
            "Good for this machine and this hour only.",
            "",
            "| scenario | contender | figures |",
            "|---|---|---|",
            *figures,
            "",
        ]
    )


def _cells(row: Row) -> tuple[str, ...]:
    value = "" if row.value is None else f"{row.value:.3g}"
    return row.scenario, row.figure, value, row.wanted, row.verdict


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> str:
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)
