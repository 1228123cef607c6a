"""What many streams of many providers share: connections, cookies, conversations and defaults."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Self
from weakref import ReferenceType, WeakSet, ref

from asyncllm.errors import ConfigurationError, StreamInterrupted
from asyncllm.hints import OptionsByName
from asyncllm.http.connections import ConnectionPool
from asyncllm.http.environment import EnvironmentProxies
from asyncllm.http.proxies import parse_proxy
from asyncllm.http.warm import warm
from asyncllm.options import (
    MAX_EVENT_BYTES,
    MAX_REPLY_BYTES,
    READ_AHEAD,
    STANDARD,
    Retry,
    check_policies,
)
from asyncllm.session.conversations import ConversationPool
from asyncllm.session.heir import clean_up
from asyncllm.session.ledger import Ledger
from asyncllm.stream.waiting import wait_through

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import Awaitable, Callable

    from asyncllm.http.http import RefusedField
    from asyncllm.options import Timeouts
    from asyncllm.stream.answer import Answer

_LEDGER_SECONDS = 0.5  # for its last writing, where `grace` is over

_managers: WeakSet[SessionManager] = WeakSet()


async def close_managers() -> None:
    """Close every session manager of the running event loop, as its end has come."""
    loop = asyncio.get_running_loop()
    mine = [manager for manager in list(_managers) if manager.loop is loop]
    await asyncio.gather(*(manager.aclose() for manager in mine))


class SessionManager(OptionsByName):
    """The connections, cookies and conversations that many streams of many providers share.

    Use it as `async with SessionManager(...) as sessions:`, or call `aclose()`. It belongs to the
    event loop in which it is first used.

    Args:
        proxy: for all streams, as `scheme://user:password@host:port`; a provider's or a call's own
            proxy takes precedence.
        trust_env: whether to use proxies from the environment if none is set.
        timeouts: the limits of streams that have none of their own.
        retry: the retry policy of streams that have none of their own.
        ssl: how to verify servers, such as a context with your own certificate authority.
        spare_conversations: how many unused conversations to keep ready for each base URL, model,
            proxy and set of headers, so that a stream starts without waiting for one to be created.
        ledger: the path of a small file that records what exists on servers, so that after a
            `kill -9` the next manager with the same ledger deletes it; None for no such file.
            Processes of one machine may share it. It contains session cookies, and the passwords of
            proxies.
        grace: the seconds that closing may take to delete what is still open.
        max_event_bytes: the maximum size in bytes of one event of a stream, or of a body that is
            not a stream.
        max_reply_bytes: the maximum memory in bytes for what is kept of one answer: its text,
            reasoning and tool calls.
        read_ahead: how many bytes of an answer may arrive before you ask for them. Then its server
            waits until you do, so a slow reader costs only so much memory.
        accelerate: whether to use aiofastnet for TLS if the extra `speed` has installed it;
            ASYNCLLM_ACCELERATE=0 in the environment turns it off for all managers.

    Raises:
        ConfigurationError: an option can't be used.

    """

    def __init__(
        self,
        *,
        proxy: str | None = None,
        trust_env: bool = False,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        ssl: ssl.SSLContext | None = None,
        spare_conversations: int = 0,
        ledger: str | os.PathLike[str] | None = None,
        grace: float = 5.0,
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_reply_bytes: int = MAX_REPLY_BYTES,
        read_ahead: int = READ_AHEAD,
        accelerate: bool = True,
    ) -> None:
        check_policies(timeouts=timeouts, retry=retry)
        if spare_conversations < 0 or grace < 0:
            raise ConfigurationError("spare_conversations and grace must not be negative")
        sizes = {"max_event_bytes": max_event_bytes, "max_reply_bytes": max_reply_bytes}
        for name, size in {**sizes, "read_ahead": read_ahead}.items():
            if size < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {size!r}")
        self.proxy = parse_proxy(proxy)
        self.timeouts = timeouts or STANDARD
        self.retry = retry or Retry()
        self.max_event_bytes = max_event_bytes
        self.max_reply_bytes = max_reply_bytes
        self.refused_fields: set[RefusedField] = set()  # so that no stream asks for one again
        self.connections = ConnectionPool(
            ssl=ssl,
            environment=EnvironmentProxies() if trust_env else None,
            read_ahead=read_ahead,
            accelerate=accelerate,
        )
        self._ledger = Ledger(ledger) if ledger is not None else None
        self.conversations = ConversationPool(
            spares=spare_conversations,
            retry=self.retry,
            clean_up=partial(
                clean_up,
                connections=self.connections,
                proxy=self.proxy,
                connect=self.timeouts.connect,
            ),
            ledger=self._ledger,
            stop=min(5.0, grace / 4),  # two such requests that hang leave half of it to delete
        )
        self._grace = grace
        self.loop: asyncio.AbstractEventLoop | None = None
        # Weak, as a dropped stream closes itself; a `WeakSet` takes ten times as long for each.
        self._answers: set[ReferenceType[Answer]] = set()
        self._closers: dict[Callable[[], Awaitable[None]], None] = {}
        self._closing: asyncio.Task[None] | None = None
        _managers.add(self)

    async def __aenter__(self) -> Self:
        self.claim()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def warm(self, url: str, n: int = 1) -> None:
        """Open connections to a server in advance, so that the next streams don't wait for them.

        They are kept like those of earlier streams, which count among them: for 15 seconds, or
        until the server closes them. They go through the manager's proxy, or the environment's;
        nothing is sent but what a connection takes, TLS included. If one of them can't be opened,
        or the caller is cancelled, all of them are closed.

        Args:
            url: a URL of the server, such as a provider's `base_url`.
            n: how many connections, from 1 to 1,000.

        Raises:
            ConfigurationError: `url` or `n` can't be used; or the manager is closed, or belongs to
                another event loop.
            TransportError: the server could not be reached; `ProxyError`: the proxy could not.
            StreamTimeout: connecting took longer than `timeouts.connect`.

        """
        self.claim()
        connect = self.timeouts.connect
        await warm(self.connections, url, n, proxy=self.proxy, connect=connect)

    def at_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Close something together with the manager, once all answers have ended.

        Args:
            closer: what closes it; it is called once, even if you pass it twice.

        """
        self._closers[closer] = None

    def attach(self, answer: Answer) -> None:
        """Remember an answer that starts, to end it when the manager closes.

        Raises:
            ConfigurationError: the manager is closed, or belongs to another event loop.

        """
        self.claim()
        self._answers.add(ref(answer, self._answers.discard))

    def detach(self, answer: Answer) -> None:
        """Forget an answer that has ended."""
        self._answers.discard(ref(answer))

    async def aclose(self) -> None:
        """End open streams with `StreamInterrupted`, delete all conversations, disconnect.

        It takes about `grace` seconds at most; whatever could not be deleted by then is logged.
        Cancelling does not cut it short: the cancellation is raised again at the end.

        Raises:
            ConfigurationError: the manager belongs to another event loop.

        """
        if self._closing is None:
            self.claim()
            self._closing = asyncio.create_task(self._close())
        await wait_through(self._closing)

    def claim(self) -> None:
        """Be of the event loop that runs, from the first use on.

        Raises:
            ConfigurationError: it is closed, or belongs to another event loop.

        """
        loop = asyncio.get_running_loop()
        if self.loop is None:
            self.loop = loop
            self.conversations.inherit()
        if self.loop is not loop:
            raise ConfigurationError(
                "this SessionManager belongs to another event loop: make one in each loop; in "
                "blocking code, write `with run_sync(sessions):`"
            )
        if self._closing is not None:
            raise ConfigurationError("this SessionManager is closed: make a new one")

    async def _close(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._grace
        closed = "the session manager was closed before the answer was complete"
        # A copy, as an eager task ends its answer, which leaves the set, before the next is made.
        ending = [
            loop.create_task(answer.end(StreamInterrupted(closed)))
            for each in list(self._answers)
            if (answer := each()) is not None
        ]
        if ending:
            await asyncio.wait(ending, timeout=self._grace)
        closing = [loop.create_task(_run(closer)) for closer in self._closers]
        self._closers.clear()  # which hold what is closed
        if closing:
            _, late = await asyncio.wait(closing, timeout=max(0.0, deadline - loop.time()))
            for each in late:
                each.cancel()
        await self.conversations.aclose(max(0.0, deadline - loop.time()))
        await self.connections.aclose()
        if self._ledger is not None:
            await self._ledger.aclose(max(_LEDGER_SECONDS, deadline - loop.time()))


async def _run(closer: Callable[[], Awaitable[None]]) -> None:
    await closer()
