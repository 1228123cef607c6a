"""How a conversation ends: what its server generates in it is stopped, then it is deleted."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError, TransportError
from asyncllm.session.deletions import Deletion
from asyncllm.session.limit import in_time
from asyncllm.session.server import Progress

if TYPE_CHECKING:
    from asyncllm.session.deletions import Deletions
    from asyncllm.session.holdings import Holdings
    from asyncllm.session.server import Conversation

log = logging.getLogger("asyncllm")

_OVERTAKING_SECONDS = 0.25


class Endings:
    """Ends conversations on their servers.

    Args:
        deletions: deletes, and keeps what could not be deleted.
        holdings: what is to forget the conversations that are gone.
        stop: seconds that ending a generation may take before its conversation is deleted all the
            same.

    """

    def __init__(self, deletions: Deletions, holdings: Holdings, *, stop: float) -> None:
        self._deletions = deletions
        self._holdings = holdings
        self._stop_limit = stop

    async def end(self, conversation: Conversation) -> None:
        """Delete a conversation, or leave it to the deletions that are tried again later."""
        server = conversation.server
        entry = partial(server.ledger_entry, conversation.id)
        await self._deletions.delete(
            Deletion(
                what=str(conversation),
                place=lambda: entry().place,
                send=partial(self._send, conversation),
                strike_out=partial(self._holdings.strike_out, server, conversation.id),
                give_up=lambda: self._holdings.leave(entry()),
            )
        )

    async def _send(self, conversation: Conversation) -> None:
        """Delete once; before that end what the server may be generating, or nobody could."""
        if conversation.progress in (Progress.ASKED, Progress.ANSWERING):
            has_stopped = await self._stop(conversation)
            if has_stopped and conversation.progress is Progress.ASKED:
                # A server stops only what it has read. A message that was not answered may have
                # been overtaken by the request to stop, as the two come over two connections.
                await asyncio.sleep(min(_OVERTAKING_SECONDS, self._stop_limit))
                has_stopped = await self._stop(conversation)
            if has_stopped:
                conversation.progress = Progress.OVER
        await conversation.server.delete(conversation.id)

    async def _stop(self, conversation: Conversation) -> bool:
        """Ask to end the generation; what hangs must not keep the conversation from going."""
        try:
            await in_time(conversation.server.stop(conversation.id), self._stop_limit)
        except (AsyncLLMError, TimeoutError) as error:
            if isinstance(error, TransportError) and not self._deletions.are_closing:
                raise  # a server that is away will be back, and could then not be told to stop
            log.info("%s: its generation was not stopped: %s", conversation, error)
            return False
        return True
