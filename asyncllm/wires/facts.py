"""What is said of an answer besides it, told as it becomes known: each thing once."""

from __future__ import annotations

from asyncllm.events import About
from asyncllm.wires.loose import as_kept, as_text


class Facts:
    """What has been said of one answer, and whether there is something new in it.

    Attributes:
        has_news: whether `about` would say more than before.
        names: what is known of "id", "model" and "provider".

    """

    __slots__ = ("_extra", "_new_extra", "has_news", "names")

    def __init__(self) -> None:
        self.has_news = False
        self.names: dict[str, str] = {}
        self._extra: dict[str, object] = {}
        self._new_extra: dict[str, object] = {}  # since `about` told it: each is kept and counted

    def name(self, name: str, value: object) -> None:
        """Note the answer's `id`, `model` or `provider`; the first that is said counts."""
        if name not in self.names and (text := as_text(value)):
            self.names[name] = text
            self.has_news = True

    def note(self, name: str, value: object) -> None:
        """Note a fact by its name, unless there is nothing in it; the last that is said counts."""
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
        return About(**self.names, opaque=opaque or {}, extra=extra)
