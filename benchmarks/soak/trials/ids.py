"""Trials of a chat-ui: conversation ids that are attacks, and providers that are not one user."""

from __future__ import annotations

import asyncio
from itertools import count, cycle
from typing import TYPE_CHECKING

from asyncllm import H2o, Retry, SessionManager
from benchmarks.soak.trials.chat import Chat
from benchmarks.soak.trials.wire import Wire

if TYPE_CHECKING:
    from benchmarks.soak.trials.stage import Stage

_QUICK = Retry(attempts=2, initial_wait=0.01, max_wait=0.05)
_ROUNDS = 3
_HOSTILE = (
    "../../../admin/users/1?x=",
    "..",
    ".",
    "%2e%2e",
    "%2e%2e%2fadmin",
    "..%2f..%2fadmin",
    "a/b",
    "a?x=1",
    "a#b",
    "a\r\nX-Forged: 1",
    "a\nasyncllm: a forged line",
    "a\u2028b",
    "a%0d%0aX-Forged: 1",
    "100%",
    "%",
    "a b",
    "é☃",
    "\x00",
    "\x1b[2J",
    "\ud83d",
    "..\\admin",
    "//example.invalid/x",
    "http://example.invalid/x",
    'a"b<c>',
    "A" * 5_000,
    "A" * 100_000,
    "",
    " ",
    5,
    None,
    ["a"],
)


async def hostile_ids(stage: Stage) -> None:
    """Give conversations ids that lead elsewhere: nothing is ever asked there."""
    ids, names = cycle(_HOSTILE), count()
    chat = Chat(lambda: stage.dice.choice((next(ids), f"{next(names):x}")), stage.ledger.complain)
    async with (
        stage.served(Wire(chat.answer)) as server,
        SessionManager(retry=_QUICK) as sessions,
    ):
        provider = H2o(base_url=server.url, sessions=sessions)
        async for _ in stage.rounds("hostile ids", 0.1):
            for _ in range(2 * len(_HOSTILE)):
                await stage.ask(provider, stage.plan())
        await sessions.aclose()
        await stage.hold(lambda: not chat.used, f"a used conversation is left: {chat.used}")
        await stage.hold(lambda: not server.connections, "connections are left")


async def identities(stage: Stage) -> None:
    """Have users share a session manager, and never a conversation, not even a spare one."""
    names = count(1)
    chat = Chat(lambda: f"{next(names):024x}", stage.ledger.complain)
    async with (
        stage.served(Wire(chat.answer)) as server,
        SessionManager(retry=_QUICK, spare_conversations=2) as sessions,
    ):
        headers = (
            {},
            {"X-User": "ann"},
            {"X-User": "bob"},
            {"Cookie": f"user={stage.canaries.cookie}"},
            {"Cookie": "user=bob"},
            {"Authorization": f"Bearer {stage.canaries.key}"},
        )
        users = [H2o(base_url=server.url, sessions=sessions, headers=each) for each in headers]
        async for _ in stage.rounds("identities", 0.3):
            for _ in range(_ROUNDS):  # a spare conversation is taken by who comes later
                asked = (stage.ask(stage.dice.choice(users), stage.plan()) for _ in users)
                await asyncio.gather(*asked)
        await sessions.aclose()
        await stage.hold(lambda: not chat.used, f"a used conversation is left: {chat.used}")
        await stage.hold(lambda: not server.connections, "connections are left")
