"""What only chat-ui's server does, which keeps sessions and conversations."""

from __future__ import annotations

from dataclasses import dataclass

from asyncllm.sandbox.faults.fault import Fault, Step


@dataclass(frozen=True)
class LoseSessions(Fault):
    """Settings and conversations are forgotten just before such a request is handled."""

    before: Step = "stream"
    times: int | None = 1

    @property
    def step(self) -> Step:
        """What the requests that it befalls want, as declared."""
        return self.before


@dataclass(frozen=True)
class NewId(Fault):
    """chat-ui gives the new conversation this id, as a hostile server might."""

    id: str
    befalls = "create"


@dataclass(frozen=True)
class NoOrigin(Fault):
    """chat-ui runs without ORIGIN, and believes that it is served over https."""

    befalls = "any"  # that comes as a form


@dataclass(frozen=True)
class ServerRetry(Fault):
    """The model fails after `after` tokens, and today's chat-ui asks it again in the same answer.

    The tokens of both attempts are sent, one after the other; the complete text at the end has
    those of the second.
    """

    after: int = 3


@dataclass(frozen=True)
class LateTitle(Fault):
    """Today's chat-ui sends the conversation's title `seconds` after the complete answer.

    The stream stays open meanwhile.
    """

    seconds: float
