"""How quantities are told: in which unit, with how many digits."""

from __future__ import annotations

import math
from typing import NamedTuple

from benchmarks.sampling import PARTS

_DIGITS = 3


class Unit(NamedTuple):
    """A unit that people read.

    Attributes:
        symbol: how it is written.
        factor: how many of it are one of what was measured.

    """

    symbol: str
    factor: float

    def of(self, value: float) -> str:
        """Return what was measured as text, with three digits that count."""
        return f"{number(value * self.factor)} {self.symbol}".rstrip()


_MICROSECONDS, _MILLISECONDS = Unit("µs", 1e6), Unit("ms", 1e3)
_MEBIBYTES, _COUNT = Unit("MiB", 2**-20), Unit("", 1)

UNITS: dict[str, Unit] = {
    "CPU per token": _MICROSECONDS,
    "CPU per answer": _MICROSECONDS,
    "wait": _MICROSECONDS,
    "p99": _MILLISECONDS,
    "CPU": _MILLISECONDS,
    "server late by": _MILLISECONDS,
    "streams": _COUNT,
    "answers per second": _COUNT,
    "memory per stream": Unit("KiB", 2**-10),
    "memory early": _MEBIBYTES,
    "memory at the end": _MEBIBYTES,
    **dict.fromkeys(PARTS, _MICROSECONDS),
}
"""By quantity."""


def number(value: float) -> str:
    """Return a number with three digits that count; a whole one as it is."""
    if value == round(value):
        return f"{value:,.0f}"
    decimals = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, decimals)}f}"
