"""Connections that are opened ahead, for the requests that come next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import AsyncLLMError, ConfigurationError, let_go
from asyncllm.http.checks import check_base_url
from asyncllm.http.failures import request_errors, request_failure
from asyncllm.http.request import HttpRequest

if TYPE_CHECKING:
    from asyncllm.http.connections import ConnectionPool
    from asyncllm.http.proxies import Proxy

_MOST = 1000


async def warm(
    pool: ConnectionPool, url: str, count: int, *, proxy: Proxy | None, connect: float | None
) -> None:
    """Have so many connections open that nobody uses; those that are kept already count.

    No request is sent. Where one of them can't be opened, or the caller is cancelled, none of
    them is left.

    Args:
        pool: where the connections are.
        url: a URL of the server.
        count: how many.
        proxy: the proxy to go through; None for the one that the pool's environment names, if any.
        connect: seconds to a usable connection, or None.

    Raises:
        ConfigurationError: the URL or the number can't be used.
        TransportError: the server, or as `ProxyError` the proxy, could not be reached.
        StreamTimeout: connecting took longer than the connect limit.

    """
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST:
        raise ConfigurationError(f"n must be a whole number from 1 to {_MOST}, not {count!r}")
    url = check_base_url(url, name="url")
    request = HttpRequest(
        method="POST",  # a failure is ours to judge: what is safe to repeat aiohttp may repeat
        url=url,
        headers={},
        query={},
        data=None,
        proxy=proxy or pool.environment_proxy(url),
        connect=connect,
        known_secrets=(),
    )
    try:
        return await pool.warm(request, count)
    except AsyncLLMError:
        raise
    except request_errors() as error:
        failure = request.masked(request_failure(error, request))
        let_go(error)
    try:
        raise failure  # outside of the handler: aiohttp's own texts must not be its context
    finally:
        del failure  # its traceback holds this frame: they would be a cycle of garbage
