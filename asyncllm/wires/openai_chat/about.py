"""What servers with OpenAI's chat wire say of their answer besides the answer."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from asyncllm.events import About
from asyncllm.wires.loose import as_kept, as_text, is_same

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


class Facts:
    """What has been said of one answer, and whether there is something new in it.

    A chunk with nothing but a piece of the answer is read by a shorter way, and asked for none but
    Azure's `content_filter_results`. Its names, `created`, `system_fingerprint`, `service_tier`,
    `prompt_filter_results`, `timings`, `copilot_usage`, `latency_checkpoint`, `generationId`,
    `native_finish_reason` and `provider_metadata` are therefore read only where the answer begins,
    where it ends, and where a chunk says more than a piece.

    Attributes:
        has_news: whether `about` would say more than before.

    """

    __slots__ = ("_extra", "_names", "_new_extra", "_told", "has_news")

    def __init__(self) -> None:
        self.has_news = False
        self._told: tuple[object, ...] = ()  # by the chunk before
        self._names: dict[str, str] = {}
        self._extra: dict[str, object] = {}
        self._new_extra: dict[str, object] = {}  # since `about` told it: each is kept and counted

    def add(self, chunk: Chunk) -> None:
        """Note what a chunk says; of its names the first counts, and of all else the last."""
        told = _facts_of(chunk)
        if not is_same(told, self._told):  # by `created`, say: most chunks repeat it all
            self._told = told
            self._add_names(chunk)
            for name, value in zip(_OF_CHUNK, told, strict=False):
                if value:
                    self.note(name, value)
        for choice in chunk.choices or ():
            if choice is not None and not choice.index:
                self._add_choice(choice, choice.delta or choice.message)

    def _add_names(self, chunk: Chunk) -> None:
        for name in _NAMES:
            if name not in self._names and (text := as_text(getattr(chunk, name))):
                self._names[name] = text
                self.has_news = True

    def note(self, name: str, value: object) -> None:
        """Note a fact by its name, unless there is nothing in it."""
        if value and self._extra.get(name) != value and as_kept(value):
            self._extra[name] = self._new_extra[name] = value
            self.has_news = True

    def about(self, opaque: dict[str, object] | None = None) -> About:
        """Return who answers, and what else has been said since it was last asked for.

        Args:
            opaque: what the server wants back with the answer.

        """
        self.has_news = False
        extra, self._new_extra = self._new_extra, {}
        return About(**self._names, opaque=opaque or {}, extra=extra)

    def _add_choice(self, choice: Choice, delta: Delta | None) -> None:
        for name in _OF_CHOICE:
            if value := getattr(choice, name):
                self.note(name, value)
        if delta is not None and delta.provider_metadata:
            self.note("provider_metadata", delta.provider_metadata)
