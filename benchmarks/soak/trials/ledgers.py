"""Trials of an SDK's ledger: locked by somebody else, deleted, and the server gone at the end."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import threading
import time
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asyncllm import H2o, Retry, SessionManager
from benchmarks.soak.left import rows_of
from benchmarks.soak.trials.door import Door

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from benchmarks.soak.trials.stage import Stage

_QUICK = Retry(attempts=3, initial_wait=0.02, max_wait=0.1)
_HELD = (2.0, 3.0, 6.5)  # seconds: SQLite's own patience is 5
_PATIENCE = 10.0  # seconds
_AT_ONCE = 6
_LONG = 600  # tokens: ten seconds


async def locked_ledger(stage: Stage) -> None:
    """Hold the ledger by another connection: streams go on, and it is empty in the end."""
    async with _asking(stage, "a ledger is locked") as (path, ask, is_asked):
        held = iter(_HELD)
        async for _ in stage.rounds("a ledger is locked", 0.3):
            is_held = threading.Event()
            holding = asyncio.create_task(
                asyncio.to_thread(_hold, path, next(held, _HELD[0]), is_held, is_asked)
            )
            await asyncio.to_thread(is_held.wait, 20.0)
            while not holding.done():
                await ask()
                await asyncio.sleep(0.1)
            await holding
    if rows := rows_of(path):
        stage.ledger.complain(f"a ledger that was locked is not empty: {rows}")


async def deleted_ledger(stage: Stage) -> None:
    """Delete the ledger's file while it is in use: streams go on."""
    async with _asking(stage, "a ledger is deleted") as (path, ask, _):
        async for _ in stage.rounds("a ledger is deleted", 0.3):
            asking = asyncio.create_task(ask())
            await asyncio.sleep(stage.dice.uniform(0, 0.1))
            for file in path.parent.iterdir():
                file.unlink(missing_ok=True)
            await asking
            await ask()
            if rows := rows_of(path):
                stage.ledger.events["rows of a ledger made anew"] += rows


async def away_at_the_end(stage: Stage) -> None:
    """Close a manager while its server is away: what is not deleted stays in the ledger."""
    async for _ in stage.rounds("a server is away at the end", 3.0):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "ledger"
            async with stage.sandbox(token_rate=60.0, tokens=_LONG) as sandbox:
                async with stage.served(Door(sandbox.port)) as door:
                    url = f"http://127.0.0.1:{door.port}"
                    sessions = SessionManager(retry=_QUICK, ledger=path, grace=0.3)
                    provider = H2o(base_url=url, sessions=sessions)
                    plans = [replace(stage.plan("finish"), limit=None) for _ in range(_AT_ONCE)]
                    asking = [
                        asyncio.create_task(stage.ask(provider, replace(plan, length=_LONG)))
                        for plan in plans
                    ]
                    await stage.hold(lambda: sandbox.generating == _AT_ONCE, "no stream begins")
                await sessions.aclose()
                await asyncio.gather(*asking)
                if rows_of(path) < sandbox.conversations:
                    stage.ledger.complain(
                        f"not every conversation left is in the ledger: {rows_of(path)} of "
                        f"{sandbox.conversations}"
                    )
                sandbox.lose_sessions()  # aiohttp may keep the sandbox itself for long


@asynccontextmanager
async def _asking(
    stage: Stage, name: str
) -> AsyncGenerator[tuple[Path, Callable[[], Awaitable[None]], Callable[[], bool]]]:
    """Give a ledger's path, and what asks some questions that have every reason to be answered."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger"
        async with stage.sandbox(token_rate=200.0) as sandbox:
            async with SessionManager(retry=_QUICK, ledger=path, grace=10.0) as sessions:
                provider = H2o(base_url=sandbox.url, sessions=sessions)

                async def ask() -> None:
                    asked = (stage.ask(provider, stage.plan()) for _ in range(_AT_ONCE))
                    for outcome in await asyncio.gather(*asked):
                        if outcome.end == "failed":
                            error = repr(outcome.error)
                            stage.ledger.complain(f"a stream fails where {name}: {error}")

                yield path, ask, lambda: sandbox.conversations > 0
            if left := sandbox.conversations:
                stage.ledger.complain(f"conversations stay where {name}: {left}")
            if rows := rows_of(path):
                stage.ledger.complain(f"rows stay where {name}: {rows}")


def _hold(
    path: Path, seconds: float, is_held: threading.Event, is_asked: Callable[[], bool]
) -> None:
    """Hold a ledger for `seconds`, counted from when there is something to be written in it."""
    with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        is_held.set()
        deadline = time.monotonic() + _PATIENCE
        while not is_asked() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(seconds)
        db.execute("COMMIT")
