"""The settings of servers, accepted once for each session, whoever waits for that."""

from __future__ import annotations

import asyncio
import copy
from functools import partial
from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError, TransportError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asyncllm.session.server import ConversationServer
    from asyncllm.stream.waiting import OwnedTasks

_MOST = 1000


class AcceptedSettings:
    """What has been accepted, as a task for each `ConversationServer.settings_key`.

    Those that were used longest ago are forgotten, as keys are as many as there are users.

    Args:
        tasks: who owns the tasks that ask.
        step: seconds that a server may take to answer.

    """

    def __init__(self, tasks: OwnedTasks, step: float) -> None:
        self._tasks = tasks
        self._step = step
        self._accepting: dict[Hashable, asyncio.Task[None]] = {}  # the newest used comes last

    async def accept(self, server: ConversationServer) -> asyncio.Task[None]:
        """Accept settings, or wait for the task that does; return the task.

        Raises:
            AsyncLLMError: settings were refused, or the server did not answer.

        """
        accepting = self._accepting.pop(server.settings_key, None)
        # One that has failed just now may not have been forgotten yet.
        if accepting is None or _has_failed(accepting):
            accepting = self._tasks.start(self._ask(server))
            accepting.add_done_callback(partial(self._check, server))
        self._accepting[server.settings_key] = accepting
        if len(self._accepting) > _MOST:
            del self._accepting[next(iter(self._accepting))]  # which costs but a request
        try:
            await asyncio.shield(accepting)
            return accepting
        except AsyncLLMError as error:
            failure = copy.copy(error)
        # Several may wait for the same failure: each stream adds its reply to one of its own,
        # which has no secrets in its context either, hence not raised above.
        raise failure

    def are_new(self, server: ConversationServer, accepted: asyncio.Task[None]) -> bool:
        """Tell whether other settings than `accepted` have been accepted since, or none."""
        return self._accepting.get(server.settings_key) is not accepted

    def forget(self, server: ConversationServer, accepted: asyncio.Task[None]) -> None:
        """Have settings asked for anew, if they are still those that were `accepted`."""
        if not self.are_new(server, accepted):
            del self._accepting[server.settings_key]

    async def _ask(self, server: ConversationServer) -> None:
        try:
            async with asyncio.timeout(self._step):
                await server.accept_settings()
                return
        except TimeoutError as error:
            if isinstance(error, AsyncLLMError):
                raise
        raise TransportError(f"no answer to the settings within {self._step:g} s")

    def _check(self, server: ConversationServer, accepting: asyncio.Task[None]) -> None:
        """Have settings asked for anew where they were not accepted, if anybody waits or not."""
        if _has_failed(accepting):
            self.forget(server, accepting)


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
