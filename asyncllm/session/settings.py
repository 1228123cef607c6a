"""The settings of servers, accepted once for each session by whoever waits."""

from __future__ import annotations

import asyncio
import copy
from functools import partial
from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError, TransportError
from asyncllm.session.limit import in_time

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
        # Several streams may wait for the same failure, and each adds its reply to it: so each gets
        # a copy. It is raised out here, as its context would be the original, secrets included.
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
            return await in_time(server.accept_settings(), self._step)
        except TimeoutError as error:
            if isinstance(error, AsyncLLMError):
                raise
            reason = str(error)
        raise TransportError(f"accepting settings: {reason}")

    def _check(self, server: ConversationServer, accepting: asyncio.Task[None]) -> None:
        """Have settings asked for anew where they were not accepted, also if nobody waits."""
        if _has_failed(accepting):
            self.forget(server, accepting)


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
