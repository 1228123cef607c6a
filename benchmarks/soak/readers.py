"""The callers of the soak: how they read a stream, and how they end it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import anyio

from asyncllm import AsyncLLMError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncllm import Stream
    from benchmarks.soak.plans import Plan


class Hearing:
    """The text that a caller has seen.

    Args:
        on_first: called when the first of it comes.

    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self.tokens: list[str] = []
        self._on_first = on_first

    def add(self, tokens: list[str]) -> None:
        """Add what has come."""
        if not self.tokens and tokens:
            self._on_first()
        self.tokens += tokens


async def use(stream: Stream, plan: Plan, hearing: Hearing) -> bool:
    """Read a stream and end it as planned; tell whether it was cancelled.

    Raises:
        AsyncLLMError: the stream failed.

    """
    reading = read(stream, plan, hearing)
    match plan.way:
        case "aclose" | "cancel":
            reader = asyncio.create_task(reading)
            await asyncio.sleep(plan.moment)
            if plan.way == "aclose":
                await stream.aclose()
            else:
                reader.cancel()
            await asyncio.wait([reader])
            if not reader.cancelled():
                reader.result()
            return reader.cancelled()
        case "scope":
            with anyio.move_on_after(plan.moment) as scope:
                await reading
            return scope.cancelled_caught
        case "timeout":
            try:
                async with asyncio.timeout(plan.moment):
                    await reading
            except AsyncLLMError:
                raise  # a StreamTimeout is a TimeoutError too
            except TimeoutError:
                return True
        case "break":
            async with stream:
                await reading
        case _:
            await reading
    return False


async def read(stream: Stream, plan: Plan, hearing: Hearing) -> None:
    """Read in the plan's style, to the end or as many tokens as planned."""
    most = plan.tokens if plan.way in {"break", "drop"} else sys.maxsize
    match plan.style:
        case "collect":
            await stream.collect()
        case "read":
            while len(hearing.tokens) < most and (tokens := await stream.read()):
                hearing.add(tokens)
        case "events":
            async for item in stream.events():
                hearing.add([item] if isinstance(item, str) else [])
                if len(hearing.tokens) >= most:
                    break
        case _:
            async for token in stream:
                hearing.add([token])
                if len(hearing.tokens) >= most:
                    break
