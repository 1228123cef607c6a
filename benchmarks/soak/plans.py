"""What a stream of the soak asks, how it is read, and how it is to end: drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncllm.sandbox.generation import answer_to

if TYPE_CHECKING:
    import random

EARLY = ("break", "aclose", "cancel", "cancel", "cancel", "scope", "scope", "timeout", "drop")
"""The ways to end a stream before its end; the frequent ones more than once."""

WAYS = (*EARLY, "finish", "finish", "finish", "finish")
BIG = 100_000
"""Characters of a big event, which may begin an answer."""

_STYLES = ("collect", "tokens", "events", "read")
_PROMPTS = ("Hello from {}", "Привет, это {}", "Stream {} says hi 👋", "{}\u2028 data: {{}}")
_MOMENT = 0.15  # seconds: streams ended early are ended within them


@dataclass(frozen=True)
class Plan:
    """One stream: what it asks, and how it is to be read and ended.

    Attributes:
        number: which one; a part of its prompt, so that its text is no other's.
        way: how it is ended, by one of `WAYS`.
        style: how it is read: "collect", "tokens", "events" or "read".
        moment: seconds until it is ended, where it is ended by time.
        tokens: how many to read, where it is ended by count.
        limit: `max_tokens`, or None.
        prompt: what it asks.
        length: tokens of the answer without a limit; None for the natural ones.

    """

    number: int
    way: str
    style: str
    moment: float
    tokens: int
    limit: int | None
    prompt: str
    length: int | None

    @classmethod
    def draw(
        cls, number: int, ways: tuple[str, ...], length: int | None, dice: random.Random
    ) -> Plan:
        """Return a random one, to be ended by one of `ways`."""
        way = dice.choice(ways)
        return cls(
            number=number,
            way=way,
            style=dice.choice(_STYLES[1:] if way in {"break", "drop"} else _STYLES),
            moment=dice.uniform(0, _MOMENT),
            tokens=dice.randrange(1, 15),
            limit=dice.choice((None, None, None, dice.randrange(1, 30))),
            prompt=dice.choice(_PROMPTS).format(f"stream-{number}"),
            length=length,
        )

    @property
    def whole_texts(self) -> tuple[str, str]:
        """The whole answer, without and with a `BigEvent`."""
        answer = answer_to(self.prompt, tokens=self.length, limit=self.limit)
        return answer.text, answer.beginning_with("A" * BIG).text
