"""Trials of ways that are gone for a while: a proxy that dies amid streams, a server that is away.

What was made through them is deleted all the same, once they are back. They are away for longer
than a deletion's own attempts.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import trustme

from asyncllm import H2o, Retry, SessionManager, Timeouts
from benchmarks.soak.trials.door import Door, HttpProxy

if TYPE_CHECKING:
    from asyncllm.sandbox import Sandbox
    from benchmarks.soak.trials.stage import Stage

_QUICK = Retry(attempts=3, initial_wait=0.02, max_wait=0.1)
_AWAY = 0.6, 1.8  # seconds; the attempts above take less than 0.5
_TIMEOUTS = Timeouts(connect=2.0, first_token=5.0, stall=5.0)
_GRACE = 10.0
_RATE = 60.0  # tokens per second: an answer takes as long as it takes to break it
_AT_ONCE = 6


async def proxy_dies(stage: Stage) -> None:
    """Have a proxy die that forwards, amid streams."""
    await _through_a_proxy(stage, "a proxy that forwards dies", has_tls=False)


async def tunnel_dies(stage: Stage) -> None:
    """Have a proxy die through which there are tunnels, amid streams."""
    await _through_a_proxy(stage, "a proxy with tunnels dies", has_tls=True)


async def proxy_dies_at_any_moment(stage: Stage) -> None:
    """Have a proxy die at any moment, also while a conversation is being made."""
    name = "a proxy dies at any moment"
    await _through_a_proxy(stage, name, has_tls=False, is_amid_streams=False)


async def server_away(stage: Stage) -> None:
    """Have a server be away, amid streams."""
    async with (
        stage.sandbox(token_rate=_RATE) as sandbox,
        stage.served(Door(sandbox.port)) as door,
        SessionManager(retry=_QUICK, timeouts=_TIMEOUTS, grace=_GRACE) as sessions,
    ):
        provider = H2o(base_url=f"http://127.0.0.1:{door.port}", sessions=sessions)
        await _break(stage, "a server is away", door, provider, is_amid_streams=True)
        await _hold_empty(stage, "a server is away", sandbox, sessions)


async def _through_a_proxy(
    stage: Stage, name: str, *, has_tls: bool, is_amid_streams: bool = True
) -> None:
    authority = trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    spares = 0 if is_amid_streams else 2
    async with (
        stage.sandbox(token_rate=_RATE, ssl=theirs if has_tls else None) as sandbox,
        stage.served(HttpProxy(stage.canaries.password)) as proxy,
        SessionManager(
            proxy=proxy.url,
            ssl=ours,
            retry=_QUICK,
            timeouts=_TIMEOUTS,
            grace=_GRACE,
            spare_conversations=spares,
        ) as sessions,
    ):
        provider = H2o(base_url=sandbox.url, sessions=sessions)
        await _break(stage, name, proxy, provider, is_amid_streams=is_amid_streams)
        await _hold_empty(stage, name, sandbox, sessions, spares=spares)


async def _break(
    stage: Stage, name: str, door: Door, provider: H2o, *, is_amid_streams: bool
) -> None:
    """Shut a door again and again while streams go through it; they end as they may.

    `is_amid_streams` has it shut when each has text or has ended, hence while no conversation is
    being made.
    """
    async for _ in stage.rounds(name, 0.3):
        ways = ("finish", "finish", "break", "drop") if is_amid_streams else ()
        plans = [replace(stage.plan(*ways), style="tokens", limit=None) for _ in range(_AT_ONCE)]
        heard: list[None] = []
        following = [
            asyncio.create_task(stage.ask(provider, plan, partial(heard.append, None)))
            for plan in plans
        ]
        if is_amid_streams:
            while len(heard) < _AT_ONCE and not all(task.done() for task in following):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        else:
            await asyncio.sleep(stage.dice.uniform(0, 0.2))
        await stage.backstage(door.aclose())
        await asyncio.sleep(stage.dice.uniform(*_AWAY))
        await stage.backstage(door.start())
        await asyncio.gather(*following)


async def _hold_empty(
    stage: Stage, name: str, sandbox: Sandbox, sessions: SessionManager, *, spares: int = 0
) -> None:
    """Complain of conversations that stay, but for spare ones and those that the log tells of."""
    ledger, port = stage.ledger, str(sandbox.port)
    await stage.hold(
        lambda: sandbox.conversations <= ledger.unsure[port] + spares,
        f"conversations stay where {name}, while their manager lives",
    )
    began = time.monotonic()
    await sessions.aclose()
    if (took := time.monotonic() - began) > _GRACE + 1:
        ledger.complain(f"closing takes longer than its grace: {took:.1f} s")
    await stage.hold(
        lambda: sandbox.conversations <= ledger.lost[port] or port in ledger.told,
        f"conversations stay where {name}, when it is closed, without a word of it",
        seconds=1.0,
    )
