"""A server of conversations, as the pool that keeps them sees it."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

from asyncllm.http.checks import check_id

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable

    from asyncllm.errors import HTTPStatusError
    from asyncllm.http.entries import Entry


class ConversationServer(Protocol):
    """What a session manager needs from a server that keeps conversations.

    Its methods send requests to the server and don't retry them. A failure raises `AsyncLLMError`,
    and `NotFoundError` if there is no such conversation.

    Attributes:
        name: its name in the log.
        settings_key: what settings are accepted for, once for each value: the address, and the
            user.
        key: what makes two unused conversations interchangeable: besides that the model, for
            example, and the proxy.
        was_resent: whether `create` was sent twice, so that there may be one conversation more.

    """

    name: str
    settings_key: Hashable
    key: Hashable
    was_resent: bool

    async def accept_settings(self) -> None:
        """Make the server willing to create conversations; do nothing if it always is."""

    def wants_settings(self, refusal: HTTPStatusError) -> bool:
        """Tell whether a request was refused only because settings must be accepted first.

        Settings are then accepted, perhaps once more, and the request is sent again, once.

        Args:
            refusal: the server's answer to `create`, or to the request for an answer.

        """
        ...

    async def create(self) -> str:
        """Create a conversation and return its id."""
        ...

    async def stop(self, conversation_id: str) -> None:
        """Stop the generation in a conversation, which is deleted next.

        If the server can't be reached, both are tried again later. Any other failure is logged, and
        the conversation is deleted anyway.
        """

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation."""

    def ledger_entry(self, conversation_id: str) -> Entry:
        """Return what another process needs to stop and delete a conversation.

        It is called without a ledger too: its `place` says what fails together with it.
        """
        ...

    def session_entry(self) -> Entry | None:
        """Return what another process needs to delete everything that this session holds.

        None if the server can't do that, or if the session may hold what is not ours. It is called
        before each `create`, whose answer may never come.
        """


class Progress(Enum):
    """How far a conversation has come: what its server may be doing in it."""

    UNUSED = auto()
    ASKED = auto()  # a message is on its way, or was read
    ANSWERING = auto()
    OVER = auto()


class Conversation:
    """A conversation that exists on a server.

    Raises:
        ProtocolError: its id can't be used.

    Attributes:
        id: the server's name for it, as it came: fit for a log, but not yet for a URL.
        server: where it is.
        settings: the acceptance of settings that it was created under.
        progress: how far it has come.
        is_spare: whether it has waited for its user, and may be forgotten by the server since.
        is_dropped: whether nobody may use it any more, as it is being deleted.

    """

    __slots__ = ("id", "is_dropped", "is_spare", "progress", "server", "settings")

    def __init__(
        self, conversation_id: str, server: ConversationServer, settings: asyncio.Task[None]
    ) -> None:
        self.id = check_id(conversation_id)
        self.server = server
        self.settings = settings
        self.progress = Progress.UNUSED
        self.is_spare = False
        self.is_dropped = False

    @override
    def __str__(self) -> str:
        return f"conversation {self.id!r} on {self.server.name}"

    def finish(self) -> None:
        """Note that its answer has come to its end."""
        self.progress = Progress.OVER
