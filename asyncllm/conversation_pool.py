"""Every conversation that the streams of one session manager have on servers.

The rule of this file: what must happen on a server after its caller has gone (creating a
conversation to its end, deleting it) runs in a task that the pool owns. A caller only ever waits
for such a task, and may be cancelled while it does.
"""

from __future__ import annotations

import asyncio
import copy
import logging
from collections import defaultdict, deque
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from asyncllm.errors import AsyncLLMError, HTTPStatusError, NotFoundError, TransportError
from asyncllm.retry import retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable

    from asyncllm.ledger import Entry, Ledger
    from asyncllm.options import Retry

log = logging.getLogger("asyncllm")

_T = TypeVar("_T")
SETTINGS_NOT_ACCEPTED = 405  # chat-ui, before its welcome modal is accepted in a session


class ConversationServer(Protocol):
    """What the pool needs to know of a server that keeps conversations.

    Each of its methods sends one request; trying again is not its business. It raises
    `AsyncLLMError` where that failed: `HTTPStatusError` with status 405 where settings are to be
    accepted first, `NotFoundError` where there is no such conversation.

    Attributes:
        settings_key: what settings are accepted for: once for each value.
        key: what makes two unused conversations interchangeable.

    """

    settings_key: Hashable
    key: Hashable

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
        """Return what another process needs to delete a conversation."""
        ...


class Conversation:
    """A conversation that exists on a server.

    Attributes:
        id: the server's name for it.
        server: where it is.
        settings: the acceptance of settings that it was created under.
        is_spare: whether it was made ahead, and may be forgotten by the server since.
        is_back: whether its user has handed it back for good.

    """

    def __init__(
        self, conversation_id: str, server: ConversationServer, settings: asyncio.Task[None]
    ) -> None:
        self.id = conversation_id
        self.server = server
        self.settings = settings
        self.is_spare = False
        self.is_back = False


class ConversationPool:
    """Creates conversations, keeps spare ones, and deletes those that are handed back.

    Args:
        spares: how many unused conversations to keep ready for each `ConversationServer.key`.
        retry: the policy for deleting; creating is tried again by the stream that wants it.
        ledger: where to note what exists on servers, or None.
        step: seconds that a step may take for which no stream waits, or all do: accepting
            settings, creating for nobody, deleting.

    """

    def __init__(
        self, *, spares: int, retry: Retry, ledger: Ledger | None = None, step: float = 30.0
    ) -> None:
        self._ledger = ledger
        self._spares_wanted = spares
        self._retry = retry
        self._step = step
        self._is_closing = False
        self._tasks: set[asyncio.Task[object]] = set()
        self._settings: dict[Hashable, asyncio.Task[None]] = {}
        self._spares: defaultdict[Hashable, deque[Conversation]] = defaultdict(deque)
        self._spares_coming: defaultdict[Hashable, int] = defaultdict(int)
        self._existing: set[Conversation] = set()

    async def take(self, server: ConversationServer) -> Conversation:
        """Return a conversation to use: a spare one, or a new one.

        When the caller is cancelled, the conversation that still comes is handed back.

        Raises:
            AsyncLLMError: settings were refused, or no conversation was created.

        """
        spares = self._spares[server.key]
        spare = spares.popleft() if spares else None
        self._fill_spares(server)
        if spare is not None:
            return spare
        settings = await self._accept_settings(server)
        creating = self._own(self._create(server, settings))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            self._orphan(creating, server)
            raise

    def hand_back(self, conversation: Conversation, *, was_used: bool, is_running: bool) -> None:
        """Take a conversation back, to keep it as a spare or to delete it; a plain function call.

        Args:
            conversation: the one to take.
            was_used: whether a message was sent in it.
            is_running: whether the server may still be generating in it.

        """
        if conversation.is_back:
            return  # taken at closing already, before its user came to hand it back
        if not was_used and self._lacks_spares(conversation.server.key):
            conversation.is_spare = True
            self._spares[conversation.server.key].append(conversation)
        else:
            conversation.is_back = True
            self._own(self._delete(conversation, stop_first=is_running))

    def is_forgotten(self, conversation: Conversation, error: HTTPStatusError) -> bool:
        """Tell whether `error` says that the server has lost the session, not that it refuses.

        A conversation that it does not know is one of a session before, or one made long ago.
        """
        if error.status == SETTINGS_NOT_ACCEPTED:
            return True
        settings = self._settings.get(conversation.server.settings_key)
        is_old = conversation.is_spare or conversation.settings is not settings
        return is_old and isinstance(error, NotFoundError)

    def renew(self, conversation: Conversation) -> None:
        """Forget what the server has: `conversation`'s settings, and all spares like it."""
        self._forget_settings(conversation.server, conversation.settings)
        self._drop_spares(conversation.server.key)

    def inherit(self, delete: Callable[[Entry], Awaitable[None]]) -> None:
        """Delete what dead processes have left in the ledger, in the background."""
        if self._ledger is not None:
            for entry in self._ledger.take_over():
                self._own(self._delete_entry(self._ledger, entry, delete))

    async def aclose(self, grace: float) -> None:
        """Delete every conversation, within `grace` seconds, and log what could not be deleted."""
        self._is_closing = True
        for key in list(self._spares):
            self._drop_spares(key)
        for conversation in list(self._existing):  # an eager task may delete it at once
            self.hand_back(conversation, was_used=True, is_running=True)
        end = asyncio.get_running_loop().time() + grace
        while self._tasks and (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        while self._tasks:  # again and again: the end of one may have begun another
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        for conversation in self._existing:
            log.warning("%s: not deleted within %.3g s", _name(conversation), grace)

    def _own(self, work: Coroutine[object, object, _T]) -> asyncio.Task[_T]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _create(
        self, server: ConversationServer, settings: asyncio.Task[None]
    ) -> Conversation:
        try:
            conversation_id = await server.create()
        except HTTPStatusError as error:
            if error.status != SETTINGS_NOT_ACCEPTED:
                raise
            conversation_id = ""
        if not conversation_id:
            self._forget_settings(server, settings)
            settings = await self._accept_settings(server)
            conversation_id = await server.create()
        conversation = Conversation(conversation_id, server, settings)
        self._existing.add(conversation)
        if self._ledger is not None:
            self._ledger.add(server.ledger_entry(conversation_id))
        return conversation

    async def _create_spare(self, server: ConversationServer) -> Conversation:
        return await self._create(server, await self._accept_settings(server))

    async def _accept_settings(self, server: ConversationServer) -> asyncio.Task[None]:
        """Accept settings, or wait for the task that does; return the task."""
        accepting = self._settings.get(server.settings_key)
        # One that has failed just now may not have been forgotten yet.
        if accepting is None or _has_failed(accepting):
            accepting = self._own(self._ask_for_settings(server))
            self._settings[server.settings_key] = accepting
            accepting.add_done_callback(partial(self._check_settings, server))
        try:
            await asyncio.shield(accepting)
            return accepting
        except AsyncLLMError as error:
            failure = copy.copy(error)
        # Several may wait for the same failure: each stream adds its reply to one of its own,
        # which has no secrets in its context either, hence not raised above.
        raise failure

    async def _ask_for_settings(self, server: ConversationServer) -> None:
        try:
            async with asyncio.timeout(self._step):
                await server.accept_settings()
                return
        except TimeoutError as error:
            if isinstance(error, AsyncLLMError):
                raise
        raise TransportError(f"no answer to the settings within {self._step:g} s")

    def _check_settings(self, server: ConversationServer, accepting: asyncio.Task[None]) -> None:
        """Have settings asked for anew where they were not accepted, if anybody waits or not."""
        if _has_failed(accepting):
            self._forget_settings(server, accepting)

    def _forget_settings(self, server: ConversationServer, accepted: asyncio.Task[None]) -> None:
        if self._settings.get(server.settings_key) is accepted:
            del self._settings[server.settings_key]

    def _lacks_spares(self, key: Hashable) -> bool:
        there = len(self._spares[key]) + self._spares_coming[key]
        return not self._is_closing and there < self._spares_wanted

    def _fill_spares(self, server: ConversationServer) -> None:
        while self._lacks_spares(server.key):
            self._spares_coming[server.key] += 1
            creating = self._own(self._create_spare(server))
            creating.add_done_callback(partial(self._count_spare, server.key))
            self._orphan(creating, server)

    def _count_spare(self, key: Hashable, _: object) -> None:
        self._spares_coming[key] -= 1

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
                server.settings_key,
            )
        elif error := creating.exception():
            log.info("no conversation was created, and nobody waits for it: %s", error)
        else:
            self.hand_back(creating.result(), was_used=False, is_running=False)

    def _drop_spares(self, key: Hashable) -> None:
        for spare in self._spares.pop(key, ()):
            self.hand_back(spare, was_used=True, is_running=False)

    async def _delete(self, conversation: Conversation, *, stop_first: bool) -> None:
        delete = partial(conversation.server.delete, conversation.id)

        async def deletion() -> None:
            if stop_first:
                await self._stop(conversation)
            await self._retried(delete, _name(conversation))

        if await self._is_gone(deletion(), _name(conversation)):
            self._strike_out(conversation)
        self._existing.discard(conversation)

    def _strike_out(self, conversation: Conversation) -> None:
        if self._ledger is not None:
            self._ledger.remove(conversation.server.ledger_entry(conversation.id).url)

    async def _delete_entry(
        self, ledger: Ledger, entry: Entry, delete: Callable[[Entry], Awaitable[None]]
    ) -> None:
        what = f"the conversation {entry.url} of a dead process"
        if await self._is_gone(self._retried(partial(delete, entry), what), what):
            ledger.remove(entry.url)

    async def _retried(self, delete: Callable[[], Awaitable[None]], what: str) -> None:
        await retrying(delete, self._retry, f"deleting {what}")

    async def _is_gone(self, deletion: Awaitable[None], what: str) -> bool:
        """Wait for a deletion, though not for ever; log what it could not delete."""
        try:
            async with asyncio.timeout(self._step):
                await deletion
        except NotFoundError:
            pass  # somebody was faster, or the server has forgotten it
        except (AsyncLLMError, TimeoutError) as error:
            log.warning("%s: not deleted: %s", what, error)
            return False
        return True

    async def _stop(self, conversation: Conversation) -> None:
        try:
            await conversation.server.stop(conversation.id)
        except AsyncLLMError as error:
            log.info("%s: its generation was not stopped: %s", _name(conversation), error)


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _name(conversation: Conversation) -> str:
    return f"conversation {conversation.id} on {conversation.server.settings_key}"
