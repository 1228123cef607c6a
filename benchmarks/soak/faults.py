"""The faults that the soak's server shows, drawn at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.sandbox import (
    BadJson,
    BigEvent,
    DetailError,
    Drop,
    EmptyBody,
    ErrorInStream,
    Framing,
    HtmlPage,
    LoseSessions,
    ModelDoesNotExist,
    NoDone,
    NoFinishReason,
    NullContent,
    PingForever,
    PlainError,
    PlainJson,
    ReasoningField,
    RefuseField,
    SlowAnswer,
    SlowCreate,
    Stall,
    Status,
    Truncate,
    Usage,
)
from benchmarks.soak.plans import BIG

if TYPE_CHECKING:
    import random

    from asyncllm.sandbox import Fault
    from asyncllm.sandbox.faults import Step


_HANGING = 60.0  # seconds: a deletion must not wait for a stop that takes as long


def some_fault(dice: random.Random) -> Fault:
    """Return a random fault, to be shown once."""
    return dice.choice((*_breaks(dice), *_refusals(dice), *_delays(dice), *_habits(dice)))


def _breaks(dice: random.Random) -> tuple[Fault, ...]:
    after, coin = dice.randrange(15), dice.choice((True, False))
    return (
        Drop(after=after, reset=coin, times=1),
        Stall(after=after, times=1),
        PingForever(after=after, times=1),
        ErrorInStream(after=after, named_event=coin, times=1),
        Truncate(after=after, times=1),
        BadJson(after=after, times=1),
    )


def _refusals(dice: random.Random) -> tuple[Fault, ...]:
    """Only passing ones befall deletions, which are tried again."""
    refused = dice.choice((400, 401, 404, 405, 408, 413, 422, 429, 500, 502, 503))
    before: Step = dice.choice(("settings", "create", "stream"))
    ending: Step = dice.choice(("stop", "delete"))
    return (
        Status(status=refused, on=before, times=1),
        Status(status=429, retry_after=dice.choice((0, dice.uniform(0, 0.2))), times=1),
        Status(status=dice.choice((429, 500, 503)), on=ending, times=1),
        DetailError(times=1),
        PlainError(on=before, times=1),
        HtmlPage(on=before, times=1),
        EmptyBody(on=before, times=1),
        RefuseField(times=1),
        ModelDoesNotExist(form=dice.choice(("line", "data", "json"))),
    )


def _delays(dice: random.Random) -> tuple[Fault, ...]:
    wait = dice.uniform(0, 0.2)
    slow: Step = dice.choice(("settings", "create", "stream", "stop", "delete"))
    before: Step = dice.choice(("settings", "create", "stream"))
    # One of them befalls many streams.
    losses = [LoseSessions(before=before)] if dice.randrange(8) == 0 else []
    hangs = [SlowAnswer(seconds=_HANGING, on="stop", times=1)] if dice.randrange(4) == 0 else []
    slowly = SlowCreate(seconds=wait, times=1), SlowAnswer(seconds=wait, on=slow, times=1)
    return *slowly, *hangs, *losses


def _habits(dice: random.Random) -> tuple[Fault, ...]:
    framing = Framing(
        kind=dice.choice(
            ("crlf", "cr", "no_space", "multi_line", "id_retry", "comments", "bom", "one_byte")
        ),
        times=1,
    )
    return (
        framing,
        BigEvent(size=BIG, times=1),
        PlainJson(times=1),
        Usage(position=dice.choice(("last", "finish", "with_choices", "never")), times=1),
        NoDone(times=1),
        NoFinishReason(times=1),
        NullContent(times=1),
        ReasoningField(times=1),
    )
