"""Delays: what was asked, or its answer, comes later."""

from __future__ import annotations

from dataclasses import dataclass

from asyncllm.sandbox.faults.fault import AnyStep, Fault, Placed


@dataclass(frozen=True)
class Delay(Fault):
    """The answer comes `seconds` later. What was asked takes effect at once."""

    seconds: float


@dataclass(frozen=True)
class SlowCreate(Delay):
    """chat-ui sends the new conversation's id late; the conversation exists."""

    befalls = "create"


@dataclass(frozen=True)
class SlowAnswer(Placed, Delay):
    """Any answer is late; for a stream, its first token and its headers are late."""

    on: AnyStep = "stream"


@dataclass(frozen=True)
class Late(Placed, Fault):
    """A request is delayed: it takes effect `seconds` later, even if its client has left."""

    seconds: float
    on: AnyStep = "stream"
