"""Which part of a program its time goes to, by looking three thousand times a second.

A timer interrupts the process, and the innermost frame that is of a known part is counted, unless
the process just waits for something to read; time in C functions counts for whoever called them.
"""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType

_INTERVAL = 0.0003  # seconds

# The first that is in a frame's file is its part.
_PARTS = {
    "event loop": ("/asyncio/", "/selectors.py"),
    "aiohttp": ("/aiohttp/",),
    "framing": ("/asyncllm/framing/", "/asyncllm/http/"),
    "translating": ("/asyncllm/wires/", "/asyncllm/base/", "/asyncllm/providers/"),
    "Stream": ("/asyncllm/stream/",),
    "the caller": ("/benchmarks/",),
}
PARTS = tuple(_PARTS)


class Sampler:
    """Counts, while its block runs, in which part this process is."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, _INTERVAL, _INTERVAL)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code.co_name == "select":
            return
        while frame is not None:
            file = frame.f_code.co_filename
            for part, files in _PARTS.items():
                if any(name in file for name in files):
                    self._counts[part] += 1
                    return
            frame = frame.f_back

    def split(self, cost: float) -> dict[str, float]:
        """Return how much of a cost was spent in each part."""
        samples = self._counts.total()
        return {part: cost * self._counts[part] / samples for part in _PARTS}
