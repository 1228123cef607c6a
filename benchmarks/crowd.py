"""Many paced streams in one client process, which stay open from one measurement to the next."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import time
from typing import TYPE_CHECKING, Any

from benchmarks.pacing import RATE

if TYPE_CHECKING:
    from benchmarks.contenders.base import Contender

_SETTLE = 1.2  # seconds; TCP acknowledges the first 16 packets after a rest one by one
_REST = 0.15  # seconds until nothing is on its way any more
_OPENED_TOGETHER = 50
_PATIENCE = 10.0  # seconds until the next of them
_PERCENT_99 = 99
_TRIES = 3  # anything may disturb one
_ENOUGH = 0.95  # of the tokens due

_NUMBERS = itertools.count()

IN_TIME = 0.050
"""Seconds that a token may be on its way, at the 99th percentile."""


class Crowd:
    """Paced streams; each of their tokens says when it was sent.

    Args:
        contender: who listens.
        control: where the load server is told what to do.

    """

    def __init__(self, contender: Contender, control: str) -> None:
        self._contender = contender
        self._control = control
        self._name = f"{os.getpid()}-{next(_NUMBERS)}"
        self._streams: list[asyncio.Task[None]] = []
        self._delays: list[int] = []  # nanoseconds

    async def grow(self, streams: int) -> bool:
        """Open streams until there are so many; each has had its first token then.

        Returns whether it went so far: some clients have a limit of their own on connections.
        """
        while (missing := streams - len(self._streams)) > 0:
            more = min(missing, _OPENED_TOGETHER)
            self._delays.clear()
            for _ in range(more):
                listening = self._contender.consume(f"paced/{self._name}", self._take)
                self._streams.append(asyncio.ensure_future(listening))
            came, since = 0, time.monotonic()
            while came < more:
                self._check()
                if len(self._delays) > came:
                    came, since = len(self._delays), time.monotonic()
                elif time.monotonic() > since + _PATIENCE:
                    return False
                await asyncio.sleep(0.005)
        return True

    async def listen(self, streams: int, seconds: float) -> dict[str, float]:
        """Let `streams` of them get tokens for a while.

        Returns:
            cpu: CPU seconds for each token.
            share: the tokens that came, as a share of those due.
            p99: the 99th percentile of the seconds from sending a token to having it.
            lag: by how many seconds the server was late to send, at the worst.

        """
        if not await self._pace(streams):
            raise AssertionError(f"{streams} streams can't be opened at once")
        came = await self._measure(streams, seconds)
        return {**came, "lag": await self._rest()}

    async def keep_up(self, streams: int, seconds: float) -> dict[str, float]:
        """Let `streams` of them get tokens until those come in time, for a few times `seconds`.

        Returns what `listen` does, and `is_held`: 1 if they came in time, otherwise 0.
        """
        if not await self._pace(streams):
            return {"is_held": False, "lag": await self._rest()}
        for _ in range(_TRIES):
            came = await self._measure(streams, seconds)
            is_held = came["p99"] <= IN_TIME and came["share"] >= _ENOUGH
            if is_held:
                break
        return {**came, "lag": await self._rest(), "is_held": is_held}

    async def close(self) -> None:
        """Leave all streams."""
        for stream in self._streams:
            stream.cancel()
        if self._streams:
            await asyncio.wait(self._streams)

    async def _pace(self, streams: int) -> bool:
        if not await self.grow(streams):
            return False
        gc.collect()  # it takes long enough to be seen, if it comes by itself
        await control(self._control, f"pace/{self._name}/{streams}")
        await asyncio.sleep(_SETTLE)
        return True

    async def _measure(self, streams: int, seconds: float) -> dict[str, float]:
        self._delays.clear()
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        cpu, delays = time.process_time() - cpu, sorted(self._delays)
        elapsed = time.perf_counter() - began
        return {
            "cpu": cpu / max(1, len(delays)),
            "share": len(delays) / (streams * RATE * elapsed),
            "p99": delays[len(delays) * _PERCENT_99 // 100] / 1e9 if delays else elapsed,
        }

    async def _rest(self) -> float:
        """Let no stream get tokens; return by how much the server was late at the worst."""
        state = await control(self._control, f"pace/{self._name}/0")
        await asyncio.sleep(_REST)
        self._check()
        return float(state["lag"])

    def _take(self, token: str) -> None:
        self._delays.append(time.monotonic_ns() - int(token))

    def _check(self) -> None:
        for stream in self._streams:
            if stream.done():
                stream.result()
                raise AssertionError("a paced stream has ended")


async def control(origin: str, what: str) -> dict[str, Any]:
    """Tell the load server something, and return its answer."""
    host, port = origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /control/{what} HTTP/1.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.rpartition(b"Content-Length: ")[2])
    answer: dict[str, Any] = json.loads(await reader.readexactly(size))
    writer.close()
    return answer
