"""TLS by aiofastnet, which the extra `speed` brings."""

from __future__ import annotations

import asyncio
import functools
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from asyncllm.http.other_tls import OtherTLS
from asyncllm.http.readers import Readers

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

log = logging.getLogger("asyncllm")

_KNOWN = "1.2."


class FastTLS(OtherTLS):
    """An event loop that has aiofastnet begin TLS, by way of Python's own `ssl` module.

    aiofastnet would rather call OpenSSL itself, which is faster still. But so it goes past what a
    context of a class of its own does, crashes where the context has a callback, such as that of
    SSLKEYLOGFILE, and writes each server's certificate to the disk, without which it hangs.

    Args:
        loop: the event loop.
        aiofastnet: the library.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop, aiofastnet: Any) -> None:
        super().__init__(loop)
        self._aiofastnet = aiofastnet
        self._readers = loop if isinstance(loop, asyncio.BaseEventLoop) else Readers(loop)

    async def create_connection(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        *,
        ssl: ssl.SSLContext | None = None,
        **options: Any,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Do what the event loop's method of this name does."""
        if ssl is None:
            return await self._loop.create_connection(factory, **options)
        _have_pythons_ssl(ssl)
        made: tuple[asyncio.BaseTransport, asyncio.BaseProtocol]
        made = await self._aiofastnet.create_connection(self, factory, ssl=ssl, **options)
        return made

    async def start_tls(
        self, transport: Any, protocol: Any, ssl: ssl.SSLContext, **options: Any
    ) -> Any:
        """Do what the event loop's method of this name does.

        Over uvloop's own transport, as through a tunnel, uvloop does it: it takes aiofastnet's
        protocol for one that has a buffer, which it has not.
        """
        if type(transport).__module__.startswith("uvloop"):
            return await self._loop.start_tls(transport, protocol, ssl, **options)
        _have_pythons_ssl(ssl)
        return await self._aiofastnet.start_tls(self, transport, protocol, ssl, **options)

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Do what the event loop's method of this name does."""
        self._readers.add_reader(descriptor, callback)

    def remove_reader(self, descriptor: int) -> bool:
        """Do what the event loop's method of this name does."""
        return self._readers.remove_reader(descriptor)

    def call_soon(self, callback: Any, *arguments: Any, **options: Any) -> asyncio.Handle:
        """Do what the event loop's method of this name does, but for what aiofastnet means.

        Where reading goes on, it asks for a call that it has only for its own use of OpenSSL
        (`NotImplementedError`); what it has to do then is read on.
        """
        if getattr(callback, "__name__", "") == "buffer_updated":
            callback, arguments = callback.__self__._retry_ssl_read, ()  # noqa: SLF001 - its own
        return self._loop.call_soon(callback, *arguments, **options)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Do what the event loop's method of this name does, but for what a caller is told.

        Of a connection that breaks in its handshake aiofastnet tells the loop too, as what it holds
        is a kind of `OSError`, and no such error.
        """
        error = context.get("exception")
        if not (isinstance(error, type) and issubclass(error, OSError)):
            self._loop.call_exception_handler(context)


def _have_pythons_ssl(context: Any) -> None:
    context._aiofastnet_force_fallback_ssl = True  # noqa: SLF001 - its own name for it


@functools.cache
def known_aiofastnet() -> Any:
    """Return aiofastnet; None where it is not installed, or, which is logged, can't be used."""
    if find_spec("aiofastnet") is None:
        return None
    try:
        import aiofastnet  # noqa: PLC0415 - an extra

        # What makes it use Python's `ssl` is not public, so another version may do otherwise.
        if aiofastnet.__version__.startswith(_KNOWN):
            return aiofastnet
        problem = f"its version is {aiofastnet.__version__}, and {_KNOWN}x is needed"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it
        problem = f"{type(error).__name__}: {error}"
    log.warning("aiofastnet can't be used, so the event loop does without it: %s", problem)
    return None
