"""`ConversationProvider`: providers whose servers keep a conversation for each answer."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING

import msgspec

from asyncllm.base import AsyncGeneratorProvider
from asyncllm.conversation_pool import Progress
from asyncllm.errors import HTTPStatusError
from asyncllm.events import Finish

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from asyncllm.base import Request
    from asyncllm.conversation_pool import ConversationServer
    from asyncllm.events import Item
    from asyncllm.http import Http
    from asyncllm.session import SessionManager


class ConversationProvider(AsyncGeneratorProvider):
    """A provider whose answers live as settings → conversation → stream → delete.

    Subclasses write `server`, which says how conversations are created and deleted, and
    `generate`, which streams the answer in the one that `request.conversation_id` names. The
    session manager sees to the rest.
    """

    @abstractmethod
    def server(self, request: Request, http: Http) -> ConversationServer:
        """Return the server on which `request` needs a conversation.

        It is asked for each attempt, and sends nothing yet.

        Args:
            request: what is asked; its `conversation_id` is still empty.
            http: for the server to send its own requests with.

        """

    async def _run(
        self, request: Request, sessions: SessionManager, http: Http
    ) -> AsyncGenerator[list[Item], None]:
        """Run one attempt; a conversation that the server has forgotten is replaced once."""
        pool, server = sessions.conversations, self.server(request, http)
        for may_renew in (True, False):
            conversation = await pool.take(server)
            progress = conversation.progress = Progress.ASKED
            try:
                asked = msgspec.structs.replace(request, conversation_id=conversation.id)
                async with contextlib.aclosing(self.generate(asked, http)) as source:
                    async for batch in source:
                        is_whole = batch and isinstance(batch[-1], Finish)
                        progress = Progress.OVER if is_whole else Progress.ANSWERING
                        yield batch
                return
            except HTTPStatusError as error:
                progress = Progress.OVER
                if not (may_renew and pool.is_forgotten(conversation, error)):
                    raise
                pool.renew(conversation)
            finally:
                conversation.progress = progress
                pool.hand_back(conversation)
