"""What servers with OpenAI's chat wire say of their answer besides the answer."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from asyncllm.wires.facts import Facts
from asyncllm.wires.loose import is_same

if TYPE_CHECKING:
    from asyncllm.wires.openai_chat.chunks import Choice, Chunk, Delta

_NAMES = ("id", "model", "provider")
_OF_CHUNK = (
    "created",
    "system_fingerprint",
    "service_tier",
    "prompt_filter_results",
    "timings",
    "x_groq",
    "usage",  # with what `Usage` has no place for
    "copilot_usage",
    "latency_checkpoint",
    "generationId",
)
_facts_of = attrgetter(*_OF_CHUNK, *_NAMES)
_OF_CHOICE = ("native_finish_reason", "content_filter_results")


class ChatFacts(Facts):
    """What OpenAI's chat wire has said of one answer; see `Facts`.

    A chunk with nothing but a piece of the answer is read by a shorter way, and asked for none but
    Azure's `content_filter_results`. Its names, `created`, `system_fingerprint`, `service_tier`,
    `prompt_filter_results`, `timings`, `copilot_usage`, `latency_checkpoint`, `generationId`,
    `native_finish_reason` and `provider_metadata` are therefore read only where the answer begins,
    where it ends, and where a chunk says more than a piece.
    """

    __slots__ = ("_told",)

    def __init__(self) -> None:
        super().__init__()
        self._told: tuple[object, ...] = ()  # by the chunk before

    def add(self, chunk: Chunk) -> None:
        """Note what a chunk says; of its names the first counts, and of all else the last."""
        told = _facts_of(chunk)
        if not is_same(told, self._told):  # by `created`, say: most chunks repeat it all
            self._told = told
            for name in _NAMES:
                self.name(name, getattr(chunk, name))
            for name, value in zip(_OF_CHUNK, told, strict=False):
                if value:
                    self.note(name, value)
        for choice in chunk.choices or ():
            if choice is not None and not choice.index:
                self._add_choice(choice, choice.delta or choice.message)

    def _add_choice(self, choice: Choice, delta: Delta | None) -> None:
        for name in _OF_CHOICE:
            if value := getattr(choice, name):
                self.note(name, value)
        if delta is not None and delta.provider_metadata:
            self.note("provider_metadata", delta.provider_metadata)
