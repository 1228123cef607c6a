"""Unused conversations that are kept ready, so that a stream need not wait for one."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from asyncllm.session.server import Conversation


_MOST_KEYS = 100


class Spares:
    """Counts the unused conversations that are ready or on their way; creates and deletes none.

    Args:
        wanted: how many to keep ready for each `ConversationServer.key`.

    """

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._ready: dict[Hashable, deque[Conversation]] = {}  # none of which is empty
        self._coming: Counter[Hashable] = Counter()  # none of which is 0

    def are_lacking(self, key: Hashable) -> bool:
        """Tell whether fewer are ready or on their way than are wanted."""
        return len(self._ready.get(key, ())) + self._coming[key] < self._wanted

    def expect(self, key: Hashable) -> None:
        """Count one that is being created."""
        self._coming[key] += 1

    def stop_expecting(self, key: Hashable) -> None:
        """Count one less, which was created, or was not."""
        self._coming[key] -= 1
        if not self._coming[key]:
            del self._coming[key]

    def put(self, conversation: Conversation) -> None:
        """Keep an unused conversation ready."""
        conversation.is_spare = True
        self._ready.setdefault(conversation.server.key, deque()).append(conversation)

    def take(self, key: Hashable) -> Conversation | None:
        """Return the one that has been ready for longest, or None where none is."""
        ready = self._ready.get(key)
        if ready is None:
            return None
        conversation = ready.popleft()
        if not ready:
            del self._ready[key]
        return conversation

    def surplus(self) -> list[Conversation]:
        """Return those that nobody has wanted for longest, where they are of too many kinds.

        A kind may be a single caller's: today's chat-ui has one for each system message.
        """
        kinds = list(self._ready)[: max(0, len(self._ready) - _MOST_KEYS)]
        return [spare for kind in kinds for spare in self.take_all(kind)]

    def take_all(self, key: Hashable) -> Iterable[Conversation]:
        """Return all that are ready."""
        return self._ready.pop(key, ())

    def close(self) -> None:
        """Forget all, and want none from now on."""
        self._wanted = 0
        self._ready.clear()
