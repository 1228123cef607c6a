"""What only Anthropic's wire does: pauses, thinking that nobody may read, and its refusals."""

from __future__ import annotations

from dataclasses import dataclass

from asyncllm.sandbox.faults.fault import Fault


@dataclass(frozen=True)
class PauseTurn(Fault):
    """The answer pauses during a search of the server, and continues when it is sent back."""


@dataclass(frozen=True)
class RedactedThinking(Fault):
    """Some of the thinking before the answer is encrypted, asked for or not."""


@dataclass(frozen=True)
class RefusalStop(Fault):
    """The model refuses after `after` tokens, with an explanation."""

    after: int = 0
    explanation: str = "The sandbox was told to refuse."
