"""aiohttp's client, and what it makes of a request of ours."""

from __future__ import annotations

import contextlib
import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import msgspec
from yarl import URL

if TYPE_CHECKING:
    from asyncllm.http.proxies import Proxy
    from asyncllm.http.request import HttpRequest

DEFAULT_HEADERS = {
    "User-Agent": "asyncllm",
    # A compressor holds tokens back until its block is full; a small body can unpack to gigabytes.
    "Accept-Encoding": "identity",
}
_REMEMBERED = 256
_BARE: dict[str, Any] = {"method": "GET", "query": {}, "headers": {}, "data": None}


class Destination(NamedTuple):
    """Where a request goes.

    Attributes:
        asked: what tells aiohttp's connector where to connect; it is never sent.
        info: what aiohttp's answers hold of their request.
        is_forwarding: whether it is a proxy that forwards to the server, without a tunnel.

    """

    asked: aiohttp.ClientRequest
    info: aiohttp.RequestInfo
    is_forwarding: bool


class Destinations:
    """Where requests go, as a client has it that is asked once for each place.

    Args:
        client: aiohttp's.

    """

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client
        self._known: dict[tuple[str, str, Proxy | None], Destination] = {}

    async def of(self, request: HttpRequest, url: URL) -> Destination:
        """Return where a request goes.

        Args:
            request: what is to be sent.
            url: its URL.

        Raises:
            aiohttp.ClientError: the URL can't be used.
            ValueError: the request can't be sent.

        """
        key = (url.scheme, url.raw_authority, request.proxy)
        known = self._known.get(key)
        if known is None:
            bare = {**_BARE, "url": str(url.origin())} if url.absolute else _BARE
            asked = await self._asked(msgspec.structs.replace(request, **bare))
            known = Destination(asked, asked.request_info, is_forwarding=request.is_forwarded)
            if len(self._known) == _REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known

    async def _asked(self, request: HttpRequest) -> aiohttp.ClientRequest:
        """Return what the client makes of a request, which is not sent."""
        asked: list[aiohttp.ClientRequest] = []

        async def ask_only(made: aiohttp.ClientRequest, _: object) -> Any:
            asked.append(made)
            raise _AskedError

        with contextlib.suppress(_AskedError):
            await request_by(self._client, request, middlewares=[ask_only])
            raise aiohttp.ClientConnectionError  # what stands in for the client asks no middleware
        return asked[0]


class _AskedError(Exception):
    """It is known what the client makes of a request, and that is not to be sent."""


async def request_by(
    client: aiohttp.ClientSession, request: HttpRequest, **options: Any
) -> aiohttp.ClientResponse:
    """Have aiohttp's client send a request, and return its answer once the head of that has come.

    Args:
        client: aiohttp's.
        request: what to send.
        options: aiohttp's, besides those that the request has.

    """
    if request.proxy is not None:
        options |= request.proxy.request_options()
    return await client.request(
        request.method,
        request.url,
        params=request.query,
        data=request.data,
        headers=request.headers,
        timeout=client_timeout(request.connect),
        allow_redirects=False,
        **options,
    )


def whole_url(request: HttpRequest) -> URL:
    """Return the URL of a request, the query with it.

    Raises:
        aiohttp.InvalidURL: it is none.

    """
    try:
        url = URL(request.url)
        return url.extend_query(request.query) if request.query else url
    except ValueError as error:
        raise aiohttp.InvalidURL(request.url) from error


@functools.lru_cache
def client_timeout(connect: float | None) -> aiohttp.ClientTimeout:
    """Return aiohttp's limits, of which we use one; one object for all streams.

    Args:
        connect: seconds to a usable connection, or None.

    """
    # `sock_connect` is for SOCKS, which would give up after 60 seconds of its own.
    return aiohttp.ClientTimeout(
        total=None, connect=connect, sock_connect=math.inf, ceil_threshold=math.inf
    )
