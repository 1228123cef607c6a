"""A sandbox on a thread and an event loop of its own, for callers that block or have their own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from asyncllm.sandbox.server import Sandbox

_Started = Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]


@contextmanager
def running_in_background(sandbox: Sandbox) -> Generator[Sandbox]:
    """Start the sandbox, and close it and its thread at the end.

    Raises:
        OSError: the sandbox cannot listen on its port.

    """
    started: _Started = Future()
    thread = threading.Thread(
        target=lambda: asyncio.run(_serve(sandbox, started)), name="asyncllm-sandbox", daemon=True
    )
    thread.start()
    try:
        loop, done = started.result()
        try:
            yield sandbox
        finally:
            loop.call_soon_threadsafe(done.set)
    finally:
        thread.join()


async def _serve(sandbox: Sandbox, started: _Started) -> None:
    done = asyncio.Event()
    try:
        await sandbox.start()
    except Exception as error:  # noqa: BLE001  (it is raised where the sandbox was asked for)
        started.set_exception(error)
        return
    started.set_result((asyncio.get_running_loop(), done))
    await done.wait()
    await sandbox.aclose()
