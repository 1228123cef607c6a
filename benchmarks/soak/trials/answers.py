"""A trial of a server whose answers are attacks, or odd: on one connection, in random order."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asyncllm import OpenAICompatible, Retry, SessionManager, Timeouts
from asyncllm.sandbox.generation import answer_to
from benchmarks.soak.plans import Plan
from benchmarks.soak.trials.quotes import KEPT, QUOTES
from benchmarks.soak.trials.wire import STREAM, Wire, answer, chunks

if TYPE_CHECKING:
    from benchmarks.soak.trials.stage import Stage
    from benchmarks.soak.trials.wire import Asked

_MOST = 256 * 1024  # bytes of a reply
_READ = 768 * 1024  # bytes of one read: 512 KiB wait in aiohttp, and uvloop reads 256,000 at once
_PIECE = "A" * 16 * 1024
_PIECES = 256
_FLOOD = _PIECE * _PIECES
_BACKSLASHES = "\\" * 40_000
_COOKIE = "Set-Cookie: x=!!!!!!!!; Path=/nowhere"
_ALIEN = answer(chunks("an answer that nobody has asked for"), STREAM)
_PAIRS = "👋👨‍👩‍👧‍👦"
_TIMEOUTS = Timeouts(first_token=5.0, stall=5.0, total=25.0)
_WHOLE = frozenset({"good", "alien", "alien-later", "surrogates"})
_KINDS = ("bomb", "endless", "endless-arguments", "backslashes", "backslash-event", *_WHOLE)


@dataclass(frozen=True)
class _OddPlan(Plan):
    """A plan of a stream that is answered with something else than the prompt's own answer."""

    texts: tuple[str, ...] = ()

    @property
    def whole_texts(self) -> tuple[str, ...]:  # type: ignore[override] # there may be more or less
        """The answers that there may be."""
        return self.texts


async def odd_answers(stage: Stage) -> None:
    """Ask for every kind of answer in turn, again and again."""
    odd = _Odd(stage)
    async with (
        stage.served(Wire(odd.answer)) as server,
        SessionManager(
            retry=Retry(attempts=2, initial_wait=0.01, max_wait=0.05),
            timeouts=_TIMEOUTS,
            max_reply_bytes=_MOST,
        ) as sessions,
    ):
        async for _ in stage.rounds("odd answers", 0.3):
            kinds = [*_KINDS, *QUOTES]
            stage.dice.shuffle(kinds)
            for kind in kinds:
                await _ask(stage, sessions, server.url, kind)
                await stage.hold(lambda: odd.is_quiet, "an answer that nobody asked for is late")
                await asyncio.sleep(0.02)  # what the server has sent meanwhile is read
        await sessions.aclose()
        await stage.hold(lambda: not server.connections, "connections are left")


async def _ask(stage: Stage, sessions: SessionManager, url: str, kind: str) -> None:
    """Ask for one kind of answer, and look at what came of it."""
    provider = OpenAICompatible(
        base_url=f"{url}/{kind}/v1",
        api_key=stage.canaries.key,
        model="gpt-4o",
        sessions=sessions,
        headers={"Cookie": f"user={stage.canaries.cookie}"},
    )
    plain = replace(stage.plan("finish"), limit=None)
    own = answer_to(plain.prompt).text
    texts = {"surrogates": own + _PAIRS, "bomb": _FLOOD, "endless": _FLOOD}
    plan = _OddPlan(**vars(plain), texts=(texts.get(kind, own if kind in _WHOLE else ""),))
    outcome = await stage.ask(provider, plan)
    if kind in _WHOLE and outcome.end != "finished":
        stage.ledger.complain(f"an answer is not taken: {kind} {outcome.error!r}")
    if kind not in _WHOLE and outcome.end != "failed":
        stage.ledger.complain(f"an answer is taken that is none: {kind}")
    reply = outcome.reply
    size = len(reply.text) + sum(len(call.arguments) for call in reply.tool_calls)
    if size > _MOST + _READ:
        stage.ledger.complain(f"a reply is beyond its bound: {kind} {size}")


class _Odd:
    """Who gives the answers.

    Attributes:
        is_quiet: whether all that it has to say has been sent.

    """

    def __init__(self, stage: Stage) -> None:
        self.is_quiet = True
        self._stage = stage

    async def answer(self, asked: Asked, out: asyncio.StreamWriter) -> None:
        """Answer as the beginning of the path says."""
        kind = asked.target.split("/")[1]
        self.is_quiet = False
        try:
            if kind in QUOTES:
                out.write(QUOTES[kind](self._stage.canaries.key, self._stage.dice))
                if kind not in KEPT:
                    out.close()
            else:
                out.write(_bytes(kind, asked.prompt))
            if kind == "alien-later":
                await asyncio.sleep(0.005)
                out.write(_ALIEN)
        finally:
            self.is_quiet = True


def _bytes(kind: str, prompt: str) -> bytes:  # noqa: PLR0911 - a table
    own = answer_to(prompt).tokens
    good = answer(chunks(*own), STREAM)
    match kind:
        case "alien":
            return good + _ALIEN
        case "surrogates":
            return answer(chunks(*own, *_halves(_PAIRS)), STREAM)
        case "bomb":
            bomb = gzip.compress(chunks(*[_PIECE] * _PIECES).encode(), 9)
            return answer(bomb, STREAM, "Content-Encoding: gzip")
        case "endless":
            return answer(chunks(*[_PIECE] * _PIECES), STREAM)
        case "endless-arguments":
            return answer(_arguments(), STREAM)
        case "backslashes":
            return answer(_BACKSLASHES, _COOKIE, status="400 Bad Request")
        case "backslash-event":
            return answer(f"data: {_BACKSLASHES}\n\n", STREAM, _COOKIE)
        case _:
            return good


def _halves(text: str) -> list[str]:
    """Return a text's UTF-16 units, one by one, as JavaScript cuts it."""
    units = text.encode("utf-16-be")
    return [chr(int.from_bytes(units[at : at + 2])) for at in range(0, len(units), 2)]


def _arguments() -> str:
    """Return the events of a call of a tool whose arguments do not end."""
    call = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": _PIECE}}
    deltas = [{"tool_calls": [each]} for each in (call, *[more] * _PIECES)]
    events = [json.dumps({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    return "".join(f"data: {event}\n\n" for event in events)
