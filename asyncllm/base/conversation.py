"""`ConversationProvider`: providers whose servers keep a conversation for each answer."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.base.server import AsyncGeneratorProvider
from asyncllm.errors import HTTPStatusError, RateLimitError
from asyncllm.session.server import Progress
from asyncllm.stream.begun import begin_under

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from asyncllm.base.request import Request
    from asyncllm.http.http import Http
    from asyncllm.http.proxies import Proxy
    from asyncllm.session.conversations import ConversationPool
    from asyncllm.session.manager import SessionManager
    from asyncllm.session.server import Conversation, ConversationServer
    from asyncllm.stream.begun import Begun


class ConversationProvider(AsyncGeneratorProvider):
    """A provider whose answers go through settings → conversation → stream → delete.

    Subclasses write `server`, which says how conversations are created and deleted, and `generate`,
    which streams the answer in the conversation that `request.conversation_id` names. The session
    manager does the rest.
    """

    @abstractmethod
    def server(self, request: Request, http: Http) -> ConversationServer:
        """Return the server on which `request` needs a conversation.

        It is called once for each stream, and sends nothing yet.

        Args:
            request: what is asked; its `conversation_id` is still empty.
            http: lets the server send its own requests.

        """

    @override
    async def _begin(
        self, request: Request, sessions: SessionManager, proxy: Proxy | None
    ) -> Begun:
        """Make as many attempts as it takes, in one conversation where it is left unused."""
        http = self._http(sessions, proxy)
        pool = sessions.conversations
        place = _Place(pool, self.server(request, http))
        try:
            return await self._trying(
                lambda: begin_under(self._run(request, http, pool, place)), sessions
            )
        finally:
            place.leave()

    async def _run(
        self, request: Request, http: Http, pool: ConversationPool, place: _Place
    ) -> AsyncGenerator[Begun, None]:
        """Run one attempt; a conversation that the server has forgotten is replaced once."""
        for may_renew in (True, False):
            conversation = await place.take()
            conversation.progress = Progress.ASKED
            try:
                asked = msgspec.structs.replace(request, conversation_id=conversation.id)
                begun = await self._attempt(asked, http)
                del asked
                request = msgspec.structs.replace(request, body=b"")  # sent, and megabytes perhaps
                async with contextlib.aclosing(begun):
                    if begun.batch is not None:
                        conversation.progress = Progress.ANSWERING
                    yield msgspec.structs.replace(begun, on_finish=conversation.finish)
                return
            except HTTPStatusError as error:
                # One without a method came inside an answer: something was asked here.
                is_untouched = isinstance(error, RateLimitError) and bool(error.method)
                conversation.progress = Progress.UNUSED if is_untouched else Progress.OVER
                if not (may_renew and pool.is_forgotten(conversation, error)):
                    raise
                pool.renew(conversation)
            finally:
                place.hand_back(conversation)


class _Place:
    """Where the attempts of one stream leave a conversation that is unused for the next of them."""

    def __init__(self, pool: ConversationPool, server: ConversationServer) -> None:
        self._pool = pool
        self._server = server
        self._unused: Conversation | None = None
        self._is_left = False

    async def take(self) -> Conversation:
        unused, self._unused = self._unused, None
        return unused or await self._pool.take(self._server)

    def hand_back(self, conversation: Conversation) -> None:
        if conversation.progress is Progress.UNUSED and not self._is_left:
            conversation.is_spare = True
            self._unused = conversation
        else:
            self._pool.hand_back(conversation)

    def leave(self) -> None:
        """There are no more attempts, though the last may be running still."""
        self._is_left = True
        unused, self._unused = self._unused, None
        if unused is not None:
            self._pool.hand_back(unused)
