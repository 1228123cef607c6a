"""What the streams of one session manager may hold on servers: noted before it is created."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from asyncllm.errors import (
    AsyncLLMError,
    ConfigurationError,
    HTTPStatusError,
    ProtocolError,
    StreamTimeout,
    TransportError,
)

if TYPE_CHECKING:
    from asyncllm.http.entries import Entry
    from asyncllm.session.ledger import Ledger
    from asyncllm.session.server import ConversationServer

log = logging.getLogger("asyncllm")

_MOST_SESSIONS = 1000
_GATEWAY_STATUSES = frozenset({502, 504})  # of a proxy, whose server may have done what was asked


class Holdings:
    """Creates conversations, and knows what to look for where nobody knows what was created.

    Args:
        ledger: where to note what exists on servers, or None.

    """

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        self._noted: dict[str, None] = {}  # the newest used comes last
        self._uncertain: dict[str, Entry] = {}

    @property
    def uncertain(self) -> list[Entry]:
        """The sessions of our own in which there may be conversations that nobody knows."""
        return list(self._uncertain.values())

    async def create(self, server: ConversationServer) -> str:
        """Create a conversation and return its id; first its session is noted.

        Raises:
            AsyncLLMError: none was created, or the answer was lost.

        """
        if self._ledger is not None and (session := server.session_entry()) is not None:
            self._remember(session.url, self._ledger)
            await self._ledger.note(session)
        try:
            conversation_id = await server.create()
        except BaseException as error:
            if _may_have_created(error):
                _warn(server, error, self._doubt(server))
            raise
        if server.was_resent:
            self._doubt(server)
        if self._ledger is not None:
            self._ledger.add(server.ledger_entry(conversation_id))
        return conversation_id

    def strike_out(self, server: ConversationServer, conversation_id: str) -> None:
        """Forget a conversation that exists no more."""
        if self._ledger is not None:
            self._ledger.remove(server.ledger_entry(conversation_id).url)

    def leave(self, entry: Entry) -> None:
        """Leave what an entry stands for to whoever inherits the ledger."""
        if self._ledger is not None:
            self._ledger.leave(entry.url)

    def settle(self, session: Entry) -> None:
        """Forget a session in which there is nothing any more."""
        self._uncertain.pop(session.url, None)

    def close(self) -> None:
        """Forget every session but those in which there may be more than anybody knows."""
        if self._ledger is not None:
            for url in self._noted.keys() - self._uncertain.keys():
                self._ledger.remove(url)

    def _remember(self, url: str, ledger: Ledger) -> None:
        """Note which sessions are in the ledger; a server may begin a new one with each answer."""
        self._noted.pop(url, None)
        self._noted[url] = None
        if len(self._noted) > _MOST_SESSIONS:
            oldest = next(iter(self._noted))
            del self._noted[oldest]
            if oldest not in self._uncertain:
                ledger.remove(oldest)

    def _doubt(self, server: ConversationServer) -> Entry | None:
        """Remember the session, if it can be emptied, as one in which there may be more."""
        session = server.session_entry()
        if session is not None:
            self._uncertain[session.url] = session
        return session


def _warn(server: ConversationServer, error: BaseException, session: Entry | None) -> None:
    # Whoever is cancelled knows of it; and a page in place of an answer is not lost.
    if isinstance(error, AsyncLLMError) and not isinstance(error, ProtocolError):
        log.warning(
            "creating a conversation on %s: the answer was lost; if it was created, it is %s (%s)",
            server.name,
            "there still" if session is None else "deleted when the session manager closes",
            error,
        )


def _may_have_created(error: BaseException) -> bool:
    """Tell whether a conversation may exist though asking for it ended in `error`."""
    if isinstance(error, AsyncLLMError) and error.was_resent:
        return True
    match error:
        case ConfigurationError():
            return False
        case HTTPStatusError():
            return error.status in _GATEWAY_STATUSES
        case StreamTimeout():
            return error.phase != "connect"
        case TransportError():
            return error.was_sent
    return True
