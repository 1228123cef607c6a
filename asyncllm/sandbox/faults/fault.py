"""What every fault is: how often it comes, and to which requests."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar, Literal

Step = Literal[
    "landing",
    "settings",
    "create",
    "stream",
    "follow",
    "stop",
    "delete",
    "delete_all",
    "models",
    "resume",
]
"""What a request wants: chat-ui's steps; "stream" is also a chat completion, streamed or not.

"follow" reads an answer of today's chat-ui once more, whose first connection broke, and "resume"
the rest of one of OpenAI's Responses that was begun in the background.
"""

AnyStep = Step | Literal["any"]


@dataclass(frozen=True)
class Fault:
    """Something that a server does and that a client must cope with; by default, during a stream.

    Attributes:
        times: how many requests it affects; None for every one.
        befalls: which requests it affects, if this is the same for every fault of a class.

    """

    befalls: ClassVar[AnyStep] = "stream"
    _: KW_ONLY
    times: int | None = None

    @property
    def step(self) -> AnyStep:
        """What the requests that it befalls want."""
        return self.befalls

    @property
    def body_field(self) -> str | None:
        """A field that their JSON body must have, if that matters."""
        return None


class Placed:
    """A mixin for faults whose declaration says, with `on`, which requests they befall."""

    on: AnyStep

    @property
    def step(self) -> AnyStep:
        """What the requests that it befalls want, as declared."""
        return self.on
