"""Every conversation that the streams of one session manager have on servers.

The rule of this file: what must happen on a server after its caller has gone (creating a
conversation to its end, deleting it) runs in a task that the pool owns. A caller only ever waits
for such a task, and may be cancelled while it does.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from asyncllm.errors import AsyncLLMError, HTTPStatusError, NotFoundError, TransportError
from asyncllm.http.checks import check_id
from asyncllm.session.deletions import Deletion, Deletions
from asyncllm.session.holdings import Holdings
from asyncllm.session.settings import SETTINGS_NOT_ACCEPTED, AcceptedSettings
from asyncllm.stream.waiting import OwnedTasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from asyncllm.http.entries import Entry
    from asyncllm.options import Retry
    from asyncllm.session.ledger import Ledger

log = logging.getLogger("asyncllm")

_OVERTAKING_SECONDS = 0.25


class ConversationServer(Protocol):
    """What the pool needs to know of a server that keeps conversations.

    Each of its methods sends one request; trying again is not its business. It raises
    `AsyncLLMError` where that failed: `HTTPStatusError` with status 405 where settings are to be
    accepted first, `NotFoundError` where there is no such conversation.

    Attributes:
        name: what the log calls it.
        settings_key: what settings are accepted for, once for each value: where, and as whom.
        key: what makes two unused conversations interchangeable: besides that the model, say,
            and the proxy.
        was_resent: whether `create` was sent twice, so that there may be one conversation more.

    """

    name: str
    settings_key: Hashable
    key: Hashable
    was_resent: bool

    async def accept_settings(self) -> None:
        """Make the server willing to create conversations."""

    async def create(self) -> str:
        """Create a conversation and return its id."""
        ...

    async def stop(self, conversation_id: str) -> None:
        """End the generation that runs in a conversation; a failure is logged and passed over."""

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation."""

    def ledger_entry(self, conversation_id: str) -> Entry:
        """Return what another process needs to stop and delete a conversation."""
        ...

    def session_entry(self) -> Entry | None:
        """Return what another process needs to delete all that this session holds.

        None where the server can't do so, or where the session may hold what is not ours. It is
        asked before each `create`, whose answer may never come.
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
        is_back: whether its user has handed it back for good.

    """

    __slots__ = ("id", "is_back", "is_spare", "progress", "server", "settings")

    def __init__(
        self, conversation_id: str, server: ConversationServer, settings: asyncio.Task[None]
    ) -> None:
        self.id = check_id(conversation_id)
        self.server = server
        self.settings = settings
        self.progress = Progress.UNUSED
        self.is_spare = False
        self.is_back = False

    def finish(self) -> None:
        """Note that its answer has come to its end."""
        self.progress = Progress.OVER


class ConversationPool:
    """Creates conversations, keeps spare ones, and deletes those that are handed back.

    Args:
        spares: how many unused conversations to keep ready for each `ConversationServer.key`.
        retry: the policy for deleting, whose waits are also those between later attempts at what
            failed; creating is tried again by the stream that wants it.
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
        ledger: Ledger | None = None,
        step: float = 30.0,
        stop: float = 5.0,
    ) -> None:
        self._ledger = ledger
        self._holdings = Holdings(ledger)
        self._clean_up: Callable[[Entry], Awaitable[None]] | None = None
        self._spares_wanted = spares
        self._step = step
        self._stop_limit = stop
        self._is_closing = False
        self._tasks = OwnedTasks()
        self._settings = AcceptedSettings(self._tasks, step)
        self._deletions = Deletions(self._tasks, retry=retry, step=step)
        self._spares: dict[Hashable, deque[Conversation]] = {}  # none of which is empty
        self._spares_coming: Counter[Hashable] = Counter()
        self._existing: set[Conversation] = set()

    async def take(self, server: ConversationServer) -> Conversation:
        """Return a conversation to use: a spare one, or a new one.

        When the caller is cancelled, the conversation that still comes is handed back.

        Raises:
            AsyncLLMError: settings were refused, or no conversation was created.

        """
        spare = self._take_spare(server.key)
        self._fill_spares(server)
        if spare is not None:
            return spare
        settings = await self._settings.accept(server)
        creating = self._tasks.start(self._create(server, settings))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            self._orphan(creating, server)
            raise

    def hand_back(self, conversation: Conversation) -> None:
        """Take a conversation back, to keep it as a spare or to delete it; a plain function call.

        Args:
            conversation: the one to take; its `progress` says what was done with it.

        """
        if conversation.is_back:
            return  # taken at closing already, before its user came to hand it back
        is_unused = conversation.progress is Progress.UNUSED
        if is_unused and self._lacks_spares(conversation.server.key):
            conversation.is_spare = True
            self._spares.setdefault(conversation.server.key, deque()).append(conversation)
        else:
            self._drop(conversation)

    def is_forgotten(self, conversation: Conversation, error: HTTPStatusError) -> bool:
        """Tell whether `error` says that the server has lost the session, not that it refuses.

        A conversation that it does not know is one of a session before, or one made long ago.
        """
        if error.status == SETTINGS_NOT_ACCEPTED:
            return True
        is_old = conversation.is_spare or self._settings.are_new(
            conversation.server, conversation.settings
        )
        return is_old and isinstance(error, NotFoundError)

    def renew(self, conversation: Conversation) -> None:
        """Forget what the server has: `conversation`'s settings, and all spares like it."""
        self._settings.forget(conversation.server, conversation.settings)
        self._drop_spares(conversation.server.key)

    def inherit(self, clean_up: Callable[[Entry], Awaitable[None]]) -> None:
        """Delete what dead processes have left in the ledger, in the background.

        Args:
            clean_up: deletes what an entry stands for, also where that was left by ourselves.

        """
        self._clean_up = clean_up
        if self._ledger is not None:
            self._tasks.start(self._inherit(self._ledger))

    async def aclose(self, grace: float) -> None:
        """Delete every conversation, within `grace` seconds, and log what could not be deleted."""
        self._is_closing = True
        for key in list(self._spares):
            self._drop_spares(key)
        for conversation in list(self._existing):  # an eager task may delete it at once
            self._drop(conversation)
        self._deletions.close()
        end = asyncio.get_running_loop().time() + grace
        await self._tasks.work_until(end)
        uncertain = self._holdings.uncertain
        emptying = [self._tasks.start(self._empty(session)) for session in uncertain]
        await self._tasks.aclose(end)
        self._deletions.report()
        for conversation in self._existing:
            log.warning("%s: not deleted within the manager's grace", _name(conversation))
        for session, task in zip(uncertain, emptying, strict=True):
            if task.cancelled():
                log.warning("%s: not deleted within the manager's grace", _name_of_all(session))
        self._holdings.close()

    async def _create(
        self, server: ConversationServer, settings: asyncio.Task[None]
    ) -> Conversation:
        conversation_id: str | None = None
        try:
            conversation_id = await self._holdings.create(server)
        except HTTPStatusError as error:
            if error.status != SETTINGS_NOT_ACCEPTED:
                raise
        if conversation_id is None:
            self._settings.forget(server, settings)
            settings = await self._settings.accept(server)
            conversation_id = await self._holdings.create(server)
        conversation = Conversation(conversation_id, server, settings)
        self._existing.add(conversation)
        return conversation

    async def _create_spare(self, server: ConversationServer) -> Conversation:
        return await self._create(server, await self._settings.accept(server))

    def _lacks_spares(self, key: Hashable) -> bool:
        there = len(self._spares.get(key, ())) + self._spares_coming[key]
        return not self._is_closing and there < self._spares_wanted

    def _take_spare(self, key: Hashable) -> Conversation | None:
        spares = self._spares.get(key)
        if spares is None:
            return None
        spare = spares.popleft()
        if not spares:
            del self._spares[key]
        return spare

    def _fill_spares(self, server: ConversationServer) -> None:
        while self._lacks_spares(server.key):
            self._spares_coming[server.key] += 1
            creating = self._tasks.start(self._create_spare(server))
            creating.add_done_callback(partial(self._count_spare, server.key))
            self._orphan(creating, server)

    def _count_spare(self, key: Hashable, _: object) -> None:
        self._spares_coming[key] -= 1
        if not self._spares_coming[key]:
            del self._spares_coming[key]

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
                "creating a conversation on %s: no answer in time; if it was created it is there "
                "still",
                server.name,
            )
        elif error := creating.exception():
            log.info("no conversation was created, and nobody waits for it: %s", error)
        else:
            self.hand_back(creating.result())

    def _drop_spares(self, key: Hashable) -> None:
        for spare in self._spares.pop(key, ()):
            self._drop(spare)

    def _drop(self, conversation: Conversation) -> None:
        if not conversation.is_back:
            conversation.is_back = True
            self._tasks.start(self._delete(conversation))

    async def _delete(self, conversation: Conversation) -> None:
        await self._deletions.delete(
            Deletion(
                what=_name(conversation),
                place=conversation.server.settings_key,
                send=partial(self._send_delete, conversation),
                strike_out=partial(self._holdings.strike_out, conversation.server, conversation.id),
            )
        )
        self._existing.discard(conversation)

    async def _inherit(self, ledger: Ledger) -> None:
        """Delete what dead processes have left: what they knew of, then what else there is."""
        left = await ledger.take_over()
        for is_session in (False, True):
            deleting = [
                self._tasks.start(
                    self._delete_entry(
                        entry, f"{entry.url} of a dead process", partial(ledger.remove, entry.url)
                    )
                )
                for entry in left
                if entry.is_session is is_session
            ]
            if deleting:
                await asyncio.wait(deleting, timeout=self._step)

    async def _empty(self, session: Entry) -> None:
        """Delete what may have been created though the answer to it was lost."""
        settle = partial(self._holdings.settle, session)
        await self._delete_entry(session, _name_of_all(session), settle)

    async def _delete_entry(self, entry: Entry, what: str, strike_out: Callable[[], None]) -> None:
        clean_up = self._clean_up
        assert clean_up is not None
        place = urlsplit(entry.url).netloc
        await self._deletions.delete(Deletion(what, place, partial(clean_up, entry), strike_out))

    async def _send_delete(self, conversation: Conversation) -> None:
        """Delete once; before that end what the server may be generating, or nobody could."""
        if conversation.progress in {Progress.ASKED, Progress.ANSWERING}:
            has_stopped = await self._stop(conversation)
            if has_stopped and conversation.progress is Progress.ASKED:
                # chat-ui stops only what it has read. A message that was not answered may have
                # been overtaken by the request to stop, as the two come over two connections.
                await asyncio.sleep(min(_OVERTAKING_SECONDS, self._stop_limit))
                has_stopped = await self._stop(conversation)
            if has_stopped:
                conversation.progress = Progress.OVER
        await conversation.server.delete(conversation.id)

    async def _stop(self, conversation: Conversation) -> bool:
        """Ask to end the generation; what hangs must not keep the conversation from going."""
        try:
            async with asyncio.timeout(self._stop_limit):
                await conversation.server.stop(conversation.id)
        except (AsyncLLMError, TimeoutError) as error:
            if isinstance(error, TransportError) and not self._is_closing:
                raise  # a server that is away will be back, and could then not be told to stop
            reason = str(error) or f"no answer within {self._stop_limit:g} s"
            log.info("%s: its generation was not stopped: %s", _name(conversation), reason)
            return False
        return True


def _name_of_all(session: Entry) -> str:
    return f"what was perhaps created in {session.url}"


def _name(conversation: Conversation) -> str:
    return f"conversation {conversation.id!r} on {conversation.server.name}"
