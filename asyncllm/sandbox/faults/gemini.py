"""What only Gemini's wire does: answers that go on in another request, and other ends."""

from __future__ import annotations

from dataclasses import dataclass

from asyncllm.sandbox.faults.fault import Fault


@dataclass(frozen=True)
class Continuation(Fault):
    """After `after` tokens the server wants another request, with a token, for the rest."""

    after: int = 3


@dataclass(frozen=True)
class BlockedPrompt(Fault):
    """The prompt is blocked: there is no answer, but a `reason` in a 200."""

    reason: str = "SAFETY"


@dataclass(frozen=True)
class EndsWith(Fault):
    """The answer ends with another `finishReason`, and with the server's message about it."""

    reason: str = "SAFETY"
    message: str | None = None
