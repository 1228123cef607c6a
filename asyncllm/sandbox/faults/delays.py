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
    """chat-ui's answer with the new conversation's id is late; the conversation exists."""

    befalls = "create"


@dataclass(frozen=True)
class SlowAnswer(Placed, Delay):
    """Any answer is late; that of a stream is its first token and with it the headers."""

    on: AnyStep = "stream"


@dataclass(frozen=True)
class Late(Placed, Fault):
    """A request is held up on its way: it takes effect `seconds` later, its client gone or not."""

    seconds: float
    on: AnyStep = "stream"
