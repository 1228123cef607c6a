"""Every conversation that the streams of one session manager have on servers.

The rule of this file: what must happen on a server after its caller has gone (creating a
conversation to its end, deleting it) runs in a task that the pool owns. A caller only ever waits
for such a task, and may be cancelled while it does.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from asyncllm.errors import HTTPStatusError, NotFoundError, TransportError
from asyncllm.session.deletions import Deletions
from asyncllm.session.endings import Endings
from asyncllm.session.holdings import Holdings
from asyncllm.session.leftovers import Leftovers
from asyncllm.session.server import Conversation, Progress
from asyncllm.session.settings import AcceptedSettings
from asyncllm.session.spares import Spares
from asyncllm.stream.waiting import OwnedTasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncllm.http.entries import Entry
    from asyncllm.options import Retry
    from asyncllm.session.ledger import Ledger
    from asyncllm.session.server import ConversationServer

log = logging.getLogger("asyncllm")


class ConversationPool:
    """Creates conversations, keeps spare ones, and deletes those that are handed back.

    Args:
        spares: how many unused conversations to keep ready for each `ConversationServer.key`.
        retry: the policy for deleting, whose waits are also those between later attempts at what
            failed; creating is tried again by the stream that wants it.
        clean_up: deletes once what an entry of the ledger stands for.
        ledger: where to note what exists on servers, or None.
        step: seconds that a step may take for which no stream waits, or all do: accepting
            settings, creating for nobody, deleting.
        stop: seconds of these that ending a generation may take before it is deleted all the same.

    """

    def __init__(
        self,
        *,
        spares: int,
        retry: Retry,
        clean_up: Callable[[Entry], Awaitable[None]],
        ledger: Ledger | None = None,
        step: float = 30.0,
        stop: float = 5.0,
    ) -> None:
        self._ledger = ledger
        self._step = step
        self._tasks = OwnedTasks()
        self._spares = Spares(spares)
        self._settings = AcceptedSettings(self._tasks, step)
        self._holdings = Holdings(ledger)
        self._deletions = Deletions(self._tasks, retry=retry, step=step)
        self._endings = Endings(self._deletions, self._holdings, stop=stop)
        self._leftovers = Leftovers(self._tasks, self._deletions, clean_up)
        self._existing: set[Conversation] = set()

    def inherit(self) -> None:
        """Delete what dead processes have left in the ledger, in the background."""
        if self._ledger is not None:
            self._tasks.start(self._leftovers.inherit(self._ledger))

    async def take(self, server: ConversationServer) -> Conversation:
        """Return a conversation to use: a spare one, or a new one.

        When the caller is cancelled, the conversation that still comes is handed back.

        Raises:
            AsyncLLMError: settings were refused, or no conversation was created.

        """
        spare = self._spares.take(server.key)
        self._fill_spares(server)
        if spare is not None:
            return spare
        settings = await self._settings.accept(server)
        creating = self._tasks.start(self._create(server, settings))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if creating.cancelled() and caller is not None and not caller.cancelling():
                raise TransportError("the session manager was closed meanwhile") from None
            self._orphan(creating, server)
            raise

    def hand_back(self, conversation: Conversation) -> None:
        """Take a conversation back, to keep it as a spare or to delete it; a plain function call.

        Args:
            conversation: the one to take; its `progress` says what was done with it.

        """
        is_unused = conversation.progress is Progress.UNUSED
        if is_unused and self._spares.are_lacking(conversation.server.key):
            self._spares.put(conversation)
            for spare in self._spares.surplus():
                self._drop(spare)
        else:
            self._drop(conversation)

    def is_forgotten(self, conversation: Conversation, refusal: HTTPStatusError) -> bool:
        """Tell whether the server has lost the session, rather than refuses what was asked.

        A conversation that it does not know is one of a session before, or one made long ago.
        """
        server = conversation.server
        if server.wants_settings(refusal):
            return True
        is_old = conversation.is_spare or self._settings.are_new(server, conversation.settings)
        return is_old and isinstance(refusal, NotFoundError)

    def renew(self, conversation: Conversation) -> None:
        """Forget what the server has: `conversation`'s settings, and all spares like it."""
        self._settings.forget(conversation.server, conversation.settings)
        for spare in self._spares.take_all(conversation.server.key):
            self._drop(spare)

    async def aclose(self, grace: float) -> None:
        """Delete every conversation, within `grace` seconds, and log what could not be deleted."""
        self._deletions.close()
        self._spares.close()
        for conversation in list(self._existing):  # an eager task may delete it at once
            self._drop(conversation)
        end = asyncio.get_running_loop().time() + grace
        await self._tasks.work_until(end)
        self._leftovers.empty(self._holdings)
        await self._tasks.aclose(end)
        self._deletions.report()
        for conversation in self._existing:
            log.warning("%s: not deleted within the manager's grace", conversation)
        self._leftovers.report()
        self._holdings.close()

    async def _create(
        self, server: ConversationServer, settings: asyncio.Task[None]
    ) -> Conversation:
        """Create a conversation; where the server has forgotten the settings, accept them anew."""
        try:
            return await self._create_under(server, settings)
        except HTTPStatusError as refusal:
            if not server.wants_settings(refusal):
                raise
        self._settings.forget(server, settings)
        return await self._create_under(server, await self._settings.accept(server))

    async def _create_under(
        self, server: ConversationServer, settings: asyncio.Task[None]
    ) -> Conversation:
        conversation = Conversation(await self._holdings.create(server), server, settings)
        self._existing.add(conversation)
        return conversation

    def _fill_spares(self, server: ConversationServer) -> None:
        while self._spares.are_lacking(server.key):
            self._spares.expect(server.key)
            creating = self._tasks.start(self._create_spare(server))
            # First, so that it is lacking, and kept, when the next callback hands it back.
            creating.add_done_callback(lambda _: self._spares.stop_expecting(server.key))
            self._orphan(creating, server)

    async def _create_spare(self, server: ConversationServer) -> Conversation:
        return await self._create(server, await self._settings.accept(server))

    def _orphan(self, creating: asyncio.Task[Conversation], server: ConversationServer) -> None:
        """See to a conversation that nobody waits for: to its end, though not for ever."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._step, creating.cancel)
        creating.add_done_callback(partial(self._take_orphan, server, timer))

    def _take_orphan(
        self,
        server: ConversationServer,
        timer: asyncio.TimerHandle,
        creating: asyncio.Task[Conversation],
    ) -> None:
        timer.cancel()
        if creating.cancelled():
            log.warning(
                "creating a conversation on %s: no answer in time; if it was created, it still "
                "exists",
                server.name,
            )
        elif error := creating.exception():
            log.info("no conversation was created, and nobody waits for it: %s", error)
        else:
            self.hand_back(creating.result())

    def _drop(self, conversation: Conversation) -> None:
        if not conversation.is_dropped:  # at closing, before its user came to hand it back
            conversation.is_dropped = True
            self._tasks.start(self._delete(conversation))

    async def _delete(self, conversation: Conversation) -> None:
        await self._endings.end(conversation)
        self._existing.discard(conversation)
