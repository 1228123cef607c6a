"""What is known of an answer that the server has paused, to go on with it.

Wire facts: Anthropic's "Handling stop reasons": after `pause_turn` the content is sent back as it
is, and the next message goes on with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncllm.events import Usage


class Turn:
    """What is known of an answer that was paused, for what reads it on.

    Attributes:
        blocks: what has come of it, to be sent back as it is.
        container: the id of where its code runs; "" where there is none.
        pauses: how often it was paused.
        ids: those of its messages.
        names: those of the tools that the server called, by the ids of the calls.
        size: the characters of its text.
        usage: what it cost; None where it was never paused.

    """

    __slots__ = ("blocks", "container", "ids", "names", "pauses", "size", "usage")

    def __init__(self) -> None:
        self.blocks: list[dict[str, object]] = []
        self.container = ""
        self.pauses = 0
        self.ids: set[str] = set()
        self.names: dict[str, str] = {}
        self.size = 0
        self.usage: Usage | None = None
