"""Where a token's microseconds go: `python -m benchmarks.profile` draws docs/profile.svg.

What a token costs is measured first, undisturbed. Then a timer interrupts this process three
thousand times a second, and the innermost frame that is of a known part is counted, unless the
process just waits for something to read; time in C functions counts for whoever called them.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from html import escape
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.contenders import Asyncllm, Floor
from benchmarks.crowd import Crowd
from benchmarks.measure import start, stop

if TYPE_CHECKING:
    from types import FrameType

    from benchmarks.contenders import Contender

_PICTURE = Path(__file__).parent.parent / "docs" / "profile.svg"
_INTERVAL = 0.0003  # seconds
_PACED, _BURST = (200, 8.0), (4, 20_000, 8)  # streams, seconds; streams, tokens, times
# The first that is in a frame's file is its part.
_PARTS = {
    "event loop": ("/asyncio/", "/selectors.py"),
    "aiohttp": ("/aiohttp/",),
    "framing": ("/asyncllm/framing/", "/asyncllm/http/"),
    "translating": ("/asyncllm/wires/", "/asyncllm/base/", "/asyncllm/providers/"),
    "Stream": ("/asyncllm/stream/",),
    "the caller": ("/benchmarks/",),
}
_COLOURS = ("#8c959f", "#57606a", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e")
_WIDTH, _BAR, _LEFT, _TOP = 760, 30, 190, 64


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
            for room, parts in _PARTS.items():
                if any(part in file for part in parts):
                    self._counts[room] += 1
                    return
            frame = frame.f_back

    def split(self, microseconds: float) -> dict[str, float]:
        """Return what of the cost of a token was spent in each room."""
        samples = self._counts.total()
        return {room: microseconds * self._counts[room] / samples for room in _PARTS}


async def paced(contender: Contender, origin: str) -> dict[str, float]:
    """Listen to many streams at a model's pace: a token a read."""
    streams, seconds = _PACED
    crowd = Crowd(contender, origin)
    came = await crowd.listen(streams, seconds)
    with Sampler() as sampler:
        await crowd.listen(streams, seconds)
    await crowd.close()
    return sampler.split(came["cpu"] * 1e6)


async def burst(contender: Contender, _: str) -> dict[str, float]:
    """Take answers as fast as they come: many tokens a read."""
    streams, tokens, times = _BURST
    taken: list[str] = []

    async def take() -> None:
        for _ in range(times):
            taken.clear()
            work = [contender.consume(f"burst/{tokens}", taken.append) for _ in range(streams)]
            await asyncio.gather(*work)

    cpu = time.process_time()
    await take()
    cpu = time.process_time() - cpu
    with Sampler() as sampler:
        await take()
    return sampler.split(cpu / streams / tokens / times * 1e6)


async def _run(job: str, name: str, origin: str) -> dict[str, float]:
    kind = next(kind for kind in (Asyncllm, Floor) if kind.name == name)
    async with kind(origin) as contender:
        return await {"paced": paced, "burst": burst}[job](contender, origin)


def measure(job: str, name: str) -> dict[str, float]:
    """Return the microseconds of a token by room, with a load server of its own."""
    server = start([sys.executable, "-m", "benchmarks.server"])
    try:
        assert server.stdout is not None
        origin = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        return asyncio.run(_run(job, name, origin))
    finally:
        stop(server)


def draw(bars: dict[str, dict[str, float]]) -> str:
    """Return the picture; each pair of bars has a scale of its own."""
    height = _TOP + len(bars) * (_BAR + 14) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"',
        ' font-family="system-ui, sans-serif" font-size="13">',
        "<title>Where a token's microseconds go</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, (room, colour) in enumerate(zip(_PARTS, _COLOURS, strict=True)):
        x, y = 12 + number % 3 * 240, 12 + number // 3 * 22
        parts.append(f'<rect x="{x}" y="{y}" width="14" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20}" y="{y + 12}">{escape(room)}</text>')
    y = float(_TOP)
    for name, rooms in bars.items():
        whole, kin = sum(rooms.values()), name.partition(",")[0]
        longest = max(sum(bars[other].values()) for other in bars if other.startswith(kin))
        scale = (_WIDTH - _LEFT - 90) / longest
        parts.append(f'<text x="12" y="{y + 20:g}">{escape(name)}</text>')
        x = float(_LEFT)
        for room, colour in zip(_PARTS, _COLOURS, strict=True):
            width = rooms[room] * scale
            parts.append(
                f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{_BAR}" fill="{colour}">'
                f"<title>{escape(room)}: {rooms[room]:.2f} µs</title></rect>"
            )
            x += width
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 20:g}">{whole:.1f} µs</text>')
        y += _BAR + 14
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measure, print and draw."""
    bars = {}
    # A process for each, as one that has run another job before is not what it was.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for job in ("paced", "burst"):
            for kind in (Asyncllm, Floor):
                bars[f"{job}, {kind.name}"] = processes.submit(measure, job, kind.name).result()
    for name, rooms in bars.items():
        shares = ", ".join(f"{room} {cost:.2f}" for room, cost in rooms.items())
        sys.stdout.write(f"{name}: {sum(rooms.values()):.2f} µs a token: {shares}\n")
    _PICTURE.write_text(draw(bars), encoding="utf-8")


if __name__ == "__main__":
    main()
