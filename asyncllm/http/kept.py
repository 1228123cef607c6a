"""Kept connections: whether one that has served may serve again, and whether it still could.

aiohttp keeps the connection of an answer that has ended, and takes whatever comes on it from then
on for the beginning of the next request's answer. HTTP/1.1 numbers nothing: an answer that nobody
asked for can't be told from one that somebody did, so its connection must not serve again. So it
is watched while it is kept, and looked at before it serves again. One that the server closes just
then is told from one that breaks later by a `StaleConnectionError`.
"""

from __future__ import annotations

import asyncio
import logging
import select
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aiohttp.http_parser import RawResponseMessage
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

log = logging.getLogger("asyncllm")

_STALE_SECONDS = 0.1
_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
_TURNS = 4  # of the event loop, in which it has certainly read what was there at first


class KeptConnection(asyncio.Protocol):
    """A connection of ours, and the protocol that it has while nobody asks anything on it.

    Args:
        handler: aiohttp's protocol, which the connection has while somebody does.
        transport: its transport.
        closed: is done once it is lost.
        server: what to call the other side.

    Attributes:
        transport: as given.
        closed: as given.
        is_untried: whether it was opened ahead, and has served nobody.

    """

    __slots__ = (
        "_handler",
        "_is_readable",
        "_server",
        "_stale_until",
        "closed",
        "is_untried",
        "transport",
    )

    def __init__(
        self,
        handler: ResponseHandler,
        transport: asyncio.Transport,
        closed: asyncio.Future[None],
        server: str,
    ) -> None:
        self.transport = transport
        self.closed = closed
        self.is_untried = False
        self._stale_until = 0.0  # by the monotonic clock; 0 where it has not served before
        self._handler = handler
        self._server = server
        self._is_readable: Callable[[], object] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody asks anything on it, or reads an answer."""
        return self.transport.is_closing() or self.transport.get_protocol() is self

    def keep(self) -> None:
        """Watch the connection: its answer has ended; close it where its request has not."""
        if self.transport.is_closing():
            return
        self.transport.set_protocol(self)
        if _waiting(self.transport):
            self.transport.abort()

    async def settle(self) -> None:
        """Let the event loop read what has come over TLS: a session's ticket is no answer.

        A server sends tickets once the handshake is done, and so on a connection that was opened
        ahead after it is kept.
        """
        self.is_untried = False
        if self.transport.get_extra_info("sslcontext") is None:
            return
        for _ in range(_TURNS):
            if self.transport.is_closing() or not self._has_something():
                return
            await asyncio.sleep(0)

    def was_stale(self, method: str, *, has_begun: bool) -> bool:
        """Tell of a broken connection whether a request is to be sent on another one.

        It had served before, and broke at once, or the request may be sent twice.

        Args:
            method: the request's.
            has_begun: whether an answer had begun, so that the request was read.

        """
        if not self._stale_until:
            return False
        if method in _IDEMPOTENT:
            return True
        return not has_begun and time.monotonic() < self._stale_until

    def take(self) -> bool:
        """Give the connection back to aiohttp for a request; False where it must not serve again.

        What comes between this and the request's first byte is seen neither here nor there. No
        event loop reads in between, and no clock could tell it from a quick answer.
        """
        handler = self._handler
        if handler.should_close or _has_begun_another(handler):
            self._warn()
        elif self._has_something():
            log.info("%s: a kept connection was closed, or received bytes", self._server)
        else:
            self._stale_until = time.monotonic() + _STALE_SECONDS
            self.transport.set_protocol(handler)
            return True
        self.transport.abort()
        return False

    @override
    def data_received(self, data: bytes) -> None:
        """Close the connection: nobody has asked for these."""
        if not self.transport.is_closing():
            self._warn()
            self.transport.abort()

    @override
    def eof_received(self) -> None:
        """Hand on that the server hangs up."""
        self._handler.eof_received()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on that the connection is no more."""
        self._handler.connection_lost(exc)

    @override
    def pause_writing(self) -> None:
        """Hand on that the server takes no more."""
        self._handler.pause_writing()

    @override
    def resume_writing(self) -> None:
        """Hand on that the server takes more again."""
        self._handler.resume_writing()

    def _has_something(self) -> object:
        """Tell whether the kernel has something for us: bytes, or that the server has hung up."""
        if self._is_readable is None:
            self._is_readable = _looking_at(self.transport.get_extra_info("socket").fileno())
        return self._is_readable()

    def _warn(self) -> None:
        log.warning(
            "%s: received bytes that nobody had asked for on an idle connection; it was closed",
            self._server,
        )


class StaleConnectionError(aiohttp.ServerDisconnectedError):
    """A connection that had served before was closed just as it was to serve again."""


def response_class(
    noted: Callable[[ResponseHandler | None], KeptConnection | None],
) -> type[aiohttp.ClientResponse]:
    """Return a class of aiohttp's responses that raise a `StaleConnectionError` where it is one.

    Tracing would tell as well, at a price.

    Args:
        noted: returns what is known of the connection that has this protocol.

    """

    class StaleTellingResponse(aiohttp.ClientResponse):
        @override
        async def start(self, connection: Connection) -> Self:
            """Read the head of the response."""
            kept = noted(connection.protocol)
            try:
                await super().start(connection)
            except aiohttp.ClientConnectionError as error:
                has_begun = isinstance(getattr(error, "message", None), RawResponseMessage)
                if kept is not None and kept.was_stale(self.method, has_begun=has_begun):
                    raise StaleConnectionError from None
                raise
            return self

    return StaleTellingResponse


def _waiting(transport: Any) -> int:
    """Return how many bytes have yet to be sent.

    Of TLS, asyncio counts none that is encrypted, and it encrypts a write of any size at once.
    """
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    waiting: int = transport.get_write_buffer_size()
    return waiting + (_waiting(below) if below is not None else 0)


def _has_begun_another(handler: ResponseHandler) -> bool:
    """Tell whether the read that ended an answer brought the beginning of another one's head.

    aiohttp counts whole heads only, in `should_close`. The parser is thrown away with the answer,
    so it does no harm to tell it that the connection has ended.
    """
    parser: Any = getattr(handler, "_parser", None)
    if parser is None:
        return False
    if getattr(parser, "_tail", b"") or getattr(parser, "_lines", ()):  # the one in pure Python
        return True
    try:
        return parser.feed_eof() is not None
    except Exception:  # noqa: BLE001 - whatever is wrong with half a head
        return True


def _looking_at(descriptor: int) -> Callable[[], object]:
    """Return what tells whether a descriptor can be read from now."""
    if not hasattr(select, "poll"):  # Windows, where `select` takes any descriptor
        return lambda: select.select([descriptor], [], [], 0)[0]
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return partial(poll.poll, 0)
