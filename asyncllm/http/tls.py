"""How a route begins TLS: the event loop, as aiohttp's connectors are to see it."""

from __future__ import annotations

import asyncio
from typing import Any

from asyncllm.http.fast import FastTLS, known_aiofastnet
from asyncllm.http.lean import LeanTLS, is_known


def loop_for_tls(loop: asyncio.AbstractEventLoop, *, accelerate: bool) -> Any:
    """Return the event loop that begins the TLS of a route: `loop`, or another one around it.

    Args:
        loop: the event loop that runs.
        accelerate: whether to use aiofastnet where it is installed.

    """
    if accelerate and (aiofastnet := known_aiofastnet()) is not None:
        return FastTLS(loop, aiofastnet)
    if isinstance(loop, asyncio.BaseEventLoop) and is_known():
        return LeanTLS(loop)
    return loop
