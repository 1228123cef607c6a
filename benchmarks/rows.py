"""What a scenario comes to: rows of ratios with their limits, and the figures behind them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from benchmarks.limits import LIMITS

WIDENED = 1.25
"""By how much a limit is widened in a check: the machine is somebody else's too."""


@dataclass(frozen=True)
class Row:
    """One ratio.

    Attributes:
        scenario: what was done.
        load: how much of it.
        on: which event loop it was done on, where that matters.
        figure: what was compared with what.
        value: the ratio; None where it could not be measured.
        limit: what it must reach; None where it is only told.
        at_least: whether more is better.
        note: why there is no value.

    """

    scenario: str
    load: str
    on: str
    figure: str
    value: float | None
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @classmethod
    def judged(
        cls,
        scenario: str,
        figure: str,
        value: float | None,
        *,
        load: str = "",
        on: str = "",
        note: str = "",
    ) -> Self:
        """Return a row with the limit that there is for it."""
        limit = LIMITS.get((scenario, figure, on))
        if limit is None:
            return cls(scenario, load, on, figure, value, note=note)
        return cls(scenario, load, on, figure, value, limit.value, limit.at_least, note)

    def is_met(self, widened: float = 1.0) -> bool:
        """Tell whether the limit is kept; a row without a value or a limit has nothing to keep."""
        if self.value is None or self.limit is None:
            return True
        if self.at_least:
            return self.value >= self.limit / widened
        return self.value <= self.limit * widened

    def better(self, other: Row) -> Row:
        """Return the better one of two tries."""
        if self.value is None or other.value is None:
            return self
        return self if (self.value > other.value) is self.at_least else other

    @property
    def wanted(self) -> str:
        """The limit as text."""
        if self.limit is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {self.limit:.3g}"

    @property
    def verdict(self) -> str:
        """What became of it, in a word."""
        if self.value is None:
            return f"skipped: {self.note}"
        if self.limit is None:
            return ""
        return "ok" if self.is_met() else "MISSED"


@dataclass(frozen=True)
class Figure:
    """What one contender did.

    Attributes:
        scenario: what it was asked to do.
        load: how much of it.
        on: which event loop it ran on, where that matters.
        who: its name.
        values: what was measured, in seconds, bytes and counts.

    """

    scenario: str
    load: str
    on: str
    who: str
    values: dict[str, float]


@dataclass(frozen=True)
class Outcome:
    """What one scenario came to: the ratios, and what they were made of."""

    rows: list[Row] = field(default_factory=list[Row])
    figures: list[Figure] = field(default_factory=list[Figure])

    def better(self, other: Outcome) -> Outcome:
        """Return this with the better one of two tries in each row."""
        pairs = zip(self.rows, other.rows, strict=True)
        return replace(other, rows=[one.better(two) for one, two in pairs])
