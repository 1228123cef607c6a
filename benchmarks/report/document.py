"""All that a run has measured, with its machine, versions and date, as a file keeps it."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import asyncllm
from benchmarks.rows import Figure, Row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.rows import Outcome

_PACKAGES = (
    "aiohttp",
    "msgspec",
    "uvloop",
    "aiofastnet",
    "openai",
    "litellm",
    "huggingface_hub",
    "anthropic",
    "ollama",
    "requests",
)


@dataclass(frozen=True)
class Document:
    """What a run has measured.

    Attributes:
        command: what measured it.
        date: when, in UTC.
        minutes: how long it took.
        machine: on what.
        versions: of what, by package; None where it is not installed.
        rows: the ratios.
        figures: what they were made of.

    """

    command: str
    date: str
    minutes: float
    machine: str
    versions: dict[str, str | None]
    rows: list[Row]
    figures: list[Figure]

    def values(self, scenario: str, quantity: str) -> dict[tuple[str, str], float]:
        """Return a quantity of everybody in a scenario, by name and by what it ran on."""
        return {
            (figure.who, figure.on): figure.values[quantity]
            for figure in self.figures
            if figure.scenario == scenario
        }

    def to_json(self) -> str:
        """Return the file's text."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Document:
        """Return what a file's text says."""
        found = json.loads(text)
        found["rows"] = [Row(**row) for row in found["rows"]]
        found["figures"] = [Figure(**figure) for figure in found["figures"]]
        return cls(**found)


def document(outcomes: Iterable[Outcome], command: str, seconds: float) -> Document:
    """Return what a run has measured on this machine until now."""
    outcomes = list(outcomes)
    return Document(
        command=command,
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        minutes=round(seconds / 60, 1),
        machine=f"{_processor()}, {os.cpu_count()} cores, {platform.platform()}",
        versions={
            platform.python_implementation(): platform.python_version(),
            "asyncllm": asyncllm.__version__,
            **{package: _version(package) for package in _PACKAGES},
        },
        rows=[row for outcome in outcomes for row in outcome.rows],
        figures=[figure for outcome in outcomes for figure in outcome.figures],
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
