"""Which charts and tables docs/performance.md has, and what of a run is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.contenders import BY_HAND, FLOOR, REMEDIED, SDK
from benchmarks.contenders.peers import PEERS
from benchmarks.report.charts import Bar, Chart
from benchmarks.report.tables import table
from benchmarks.report.units import UNITS
from benchmarks.sampling import PARTS
from benchmarks.setups import Setup

if TYPE_CHECKING:
    from benchmarks.report.document import Document

_ASYNCIO, _UVLOOP = Setup(), Setup(is_uvloop=True)
_WAYS = {"http": "", "https": "-tls"}  # what is appended to a scenario's name
_ENTRIES = {
    "asyncllm": (SDK, _ASYNCIO),
    "asyncllm on uvloop": (SDK, _UVLOOP),
    "asyncllm, extra speed": (SDK, _UVLOOP.accelerated),
    "aiohttp + msgspec": (FLOOR, _ASYNCIO),
    "aiohttp + msgspec, 64 KiB reads": (REMEDIED, _ASYNCIO),
    "aiohttp + msgspec on uvloop": (FLOOR, _UVLOOP),
    "aiohttp + json": (BY_HAND, _ASYNCIO),
    **{name: (name, _ASYNCIO) for name in sorted(peer.name for peer in PEERS)},
}


@dataclass(frozen=True)
class Comparison:
    """Everybody beside each other, by one quantity, in plain HTTP and over TLS.

    Attributes:
        scenario: what they did.
        quantity: by what they are compared.
        title: what the chart shows.
        axis: what its axis says.

    """

    scenario: str
    quantity: str
    title: str
    axis: str

    def chart(self, document: Document) -> Chart:
        """Return the chart."""
        factor = UNITS[self.quantity].factor
        bars = [
            Bar(
                name,
                [[(way, value * factor)] for way, value in values.items()],
                is_ours=_ENTRIES[name][0] == SDK,
            )
            for name, values in self._values(document).items()
        ]
        return Chart(self.title, self.axis, tuple(_WAYS), bars)

    def table(self, document: Document) -> str:
        """Return the same as a table."""
        unit = UNITS[self.quantity]
        rows = [
            [name, *(unit.of(values[way]) if way in values else "" for way in _WAYS)]
            for name, values in self._values(document).items()
        ]
        return table((self.quantity, *_WAYS), rows)

    def _values(self, document: Document) -> dict[str, dict[str, float]]:
        """Return what was measured, by name and way; nobody who was not measured."""
        measured = {
            way: document.values(f"{self.scenario}{end}", self.quantity)
            for way, end in _WAYS.items()
        }
        found = {
            name: {way: of[who, on.name] for way, of in measured.items() if (who, on.name) in of}
            for name, (who, on) in _ENTRIES.items()
        }
        return {name: values for name, values in found.items() if values}


COMPARISONS = {
    "cpu": Comparison(
        "paced",
        "CPU per token",
        "CPU time for each token, at a model's pace: asyncllm, aiohttp by hand, and other SDKs",
        "µs of CPU time for each token; shorter is better",
    ),
    "streams": Comparison(
        "hold",
        "streams",
        "Streams that one process carries: asyncllm, aiohttp by hand, and other SDKs",
        "streams in one process with 99 % of tokens within 50 ms; longer is better",
    ),
    "memory": Comparison(
        "many",
        "memory per stream",
        "Memory for each open stream: asyncllm, aiohttp by hand, and other SDKs",
        "KiB of memory for each open stream; shorter is better",
    ),
}


def charts(document: Document) -> dict[str, str]:
    """Return the files of docs/charts by name."""
    drawn = {name: each.chart(document) for name, each in COMPARISONS.items()}
    drawn |= {f"profile-{load}": _profile(document, load) for load in ("paced", "burst")}
    return {f"{name}.svg": chart.svg() for name, chart in drawn.items()}


def _profile(document: Document, load: str) -> Chart:
    bars = [
        Bar(
            figure.who,
            [[(part, figure.values[part] * UNITS[part].factor) for part in PARTS]],
            is_ours=figure.who == SDK,
        )
        for figure in document.figures
        if (figure.scenario, figure.load) == ("profile", load)
    ]
    title = f"Where the time of a token goes, {load}: asyncllm, and aiohttp by hand"
    return Chart(title, "µs of CPU time for each token", PARTS, bars)
