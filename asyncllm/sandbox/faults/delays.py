"""Delays: what was asked, or its answer, comes later."""

from __future__ import annotations

from dataclasses import dataclass

from asyncllm.sandbox.faults.fault import AnyStep, Fault, Step


@dataclass(frozen=True)
class Delay(Fault):
    """The answer comes `seconds` later. What was asked takes effect at once."""

    seconds: float


@dataclass(frozen=True)
class SlowCreate(Delay):
    """chat-ui's answer with the new conversation's id is late; the conversation exists."""

    @property
    def step(self) -> Step:
        """Create."""
        return "create"


@dataclass(frozen=True)
class SlowAnswer(Delay):
    """Any answer is late; that of a stream is its first token and with it the headers."""

    on: AnyStep = "stream"

    @property
    def step(self) -> AnyStep:
        """As declared."""
        return self.on


@dataclass(frozen=True)
class Late(Fault):
    """A request is held up on its way: it takes effect `seconds` later, its client gone or not."""

    seconds: float
    on: AnyStep = "stream"

    @property
    def step(self) -> AnyStep:
        """As declared."""
        return self.on
