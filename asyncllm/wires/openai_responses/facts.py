"""What OpenAI's Responses say of their answer besides the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import About
from asyncllm.wires.loose import as_kept, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = ("created_at", "service_tier", "usage", "incomplete_details")


class Facts:
    """What has been said of one answer.

    Attributes:
        id: the server's name for it, once it is known; otherwise "".

    """

    __slots__ = ("_extra", "_model", "id")

    def __init__(self) -> None:
        self.id = ""
        self._model = ""
        self._extra: dict[str, object] = {}

    def add(self, response: Mapping[str, object]) -> None:
        """Note what an event's `response` says."""
        self.id = as_text(response.get("id")) or self.id
        self._model = as_text(response.get("model")) or self._model
        for name in _NAMES:
            self.note(name, response.get(name))

    def note(self, name: str, value: object) -> None:
        """Note a fact by its name, unless there is nothing in it."""
        if value and as_kept(value):
            self._extra[name] = value

    def about(self, opaque: Mapping[str, object] | None = None) -> About:
        """Return who answers; with what goes back with the answer also all else that was said."""
        if opaque is None:
            return About(self.id, self._model)
        return About(self.id, self._model, opaque=opaque, extra=self._extra)
