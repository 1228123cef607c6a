"""The one place that knows aiohttp: requests, bodies, and aiohttp's errors as ours.

No secret leaves here in a text: proxy credentials travel in headers rather than in URLs, and
aiohttp's exceptions, which quote both, are never chained to ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from asyncllm.checks import encode_json
from asyncllm.cookies import SessionCookieJar
from asyncllm.errors import (
    AsyncLLMError,
    ConfigurationError,
    ProtocolError,
    ProxyError,
    StreamInterrupted,
    StreamTimeout,
    TransportError,
)
from asyncllm.framing import SSEDecoder
from asyncllm.proxies import EnvironmentProxies, is_refusal, socks_errors
from asyncllm.statuses import status_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Container, Coroutine, Mapping
    from contextlib import AbstractAsyncContextManager

    from asyncllm.framing import Payload
    from asyncllm.proxies import Proxy

_ERROR_BODY_BYTES = 64 * 1024
_DRAIN_BYTES = 64 * 1024
_DRAIN_SECONDS = 0.25
_EXCERPT_CHARACTERS = 200
_STALE_CONNECTIONS = 100
_SUCCESS = range(200, 300)
_DEFAULT_HEADERS = {
    "User-Agent": "asyncllm",
    # A compressor holds tokens back until its block is full; a small body can unpack to gigabytes.
    "Accept-Encoding": "identity",
}


class ConnectionPool:
    """The connections and the cookie jar that the streams of one session manager share.

    Args:
        ssl: how to verify servers; None for the system's certificate authorities.
        trust_env: whether to take proxies from the environment.
        max_event_bytes: the most bytes of one event of a stream.

    Attributes:
        refusals: what servers have refused, as pairs of base URL and field, so that providers
            need not ask again.
        in_use: the responses that somebody is reading.

    """

    def __init__(
        self, *, ssl: ssl.SSLContext | None, trust_env: bool, max_event_bytes: int
    ) -> None:
        self.max_event_bytes = max_event_bytes
        self.refusals: set[tuple[str, str]] = set()
        self.in_use: set[Response] = set()
        self._ssl = ssl
        # Not left to aiohttp: it knows no ALL_PROXY, and reads `.netrc` for each request.
        self._environment = EnvironmentProxies() if trust_env else None
        self._is_closed = False
        self._jar: SessionCookieJar | None = None
        self._sessions: dict[Proxy | None, aiohttp.ClientSession] = {}

    def environment_proxy(self, url: str) -> Proxy | None:
        """Return the proxy that the environment names for `url`, where that is trusted."""
        return self._environment.proxy_for(url) if self._environment is not None else None

    def session_for(self, proxy: Proxy | None) -> aiohttp.ClientSession:
        """Return the session that reaches servers through `proxy`."""
        if self._is_closed:
            raise TransportError("the session manager was closed meanwhile")
        # aiohttp speaks to HTTP proxies by itself; a SOCKS proxy needs a connector of its own.
        tunnel = proxy if proxy is not None and proxy.is_socks else None
        session = self._sessions.get(tunnel)
        if session is None:
            self._jar = self._jar or SessionCookieJar()
            verify = True if self._ssl is None else self._ssl
            connector = (
                tunnel.connector(ssl=verify)
                if tunnel is not None
                else aiohttp.TCPConnector(limit=0, ssl=verify, timeout_ceil_threshold=math.inf)
            )
            session = self._sessions[tunnel] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=self._jar,
                headers=_DEFAULT_HEADERS,
                trace_configs=[_reuse_tracing()],
            )
        return session

    def cookie_header(self, url: str) -> dict[str, str]:
        """Return the header with the cookies that a request for `url` would carry, if any."""
        cookies = self._jar.filter_cookies(URL(url)) if self._jar is not None else {}
        pairs = [f"{name}={morsel.coded_value}" for name, morsel in cookies.items()]
        return {"Cookie": "; ".join(pairs)} if pairs else {}

    def without_cookies(self) -> ConnectionPool:
        """Return a pool like this one, with nothing in it."""
        pool = ConnectionPool(ssl=self._ssl, trust_env=False, max_event_bytes=self.max_event_bytes)
        pool._environment = self._environment
        return pool

    async def aclose(self) -> None:
        """Close every connection; there are no new ones afterwards."""
        self._is_closed = True
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()


class Http:
    """Sends requests over a pool, each with the same proxy, headers and connect limit.

    Args:
        pool: where the connections are.
        proxy: the proxy to go through; None for the one that the pool's environment names, if any.
        headers: sent with every request.
        connect: seconds to a usable connection, or None.

    Attributes:
        proxy: the proxy to go through, or None.
        refusals: see `ConnectionPool`.

    """

    def __init__(
        self,
        pool: ConnectionPool,
        *,
        proxy: Proxy | None = None,
        headers: Mapping[str, str] | None = None,
        connect: float | None = None,
    ) -> None:
        self.proxy = proxy
        self.refusals = pool.refusals
        self._pool = pool
        self._headers = dict(headers or {})
        # `sock_connect` is for SOCKS, which would give up after 60 seconds of its own.
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=connect, sock_connect=math.inf, ceil_threshold=math.inf
        )

    def open(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Container[int] = _SUCCESS,
    ) -> AbstractAsyncContextManager[Response]:
        """Return a context manager that sends a request and gives its response.

        On leaving it, the connection is free for others or closed.

        Redirects are not followed.

        Args:
            method: the HTTP method.
            url: where to.
            json: a body, as an object or as bytes that are JSON already.
            form: a body, as form fields.
            query: added to the URL.
            headers: for this request, over those of the `Http`.
            accept: the statuses that are no error.

        Raises:
            ConfigurationError: the body can't be written as JSON, or the URL can't be used.
            HTTPStatusError: the status is not one of `accept`.
            TransportError: the server, or as `ProxyError` the proxy, could not be reached.
            StreamTimeout: connecting took longer than the connect limit.

        """
        sent = {**self._headers, **(headers or {})}
        data: bytes | Mapping[str, str] | None = form
        if json is not None:
            data = json if isinstance(json, bytes) else encode_json(json)
            sent.setdefault("Content-Type", "application/json")
        sending = self._send(method, url, sent, accept, data=data, params=query)
        return _Exchange(sending, self._pool)

    def cookie_header(self, url: str) -> dict[str, str]:
        """Return the header with the cookies that a request for `url` would carry, if any."""
        return self._pool.cookie_header(url)

    async def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        accept: Container[int],
        **body_and_query: Any,
    ) -> Response:
        proxy, options = self.proxy or self._pool.environment_proxy(url), body_and_query
        is_forwarded = proxy is not None and proxy.forwards(url)
        if proxy is not None:
            options |= proxy.request_options()
            headers |= proxy.credentials if is_forwarded else {}
        session = self._pool.session_for(proxy)
        options |= {"headers": headers, "timeout": self._timeout, "allow_redirects": False}
        failure: AsyncLLMError
        try:
            raw = await _request(session, method, url, options)
        except _request_errors() as error:
            failure = _request_failure(error, self._timeout.connect, proxy)
        else:
            response = Response(raw, self._pool.max_event_bytes)
            if raw.status in accept:
                return response
            failure = await response.failure(method, url, is_forwarded=is_forwarded)
        if proxy is not None:
            failure.redact(proxy.secrets)  # for what the other side quotes
        raise failure  # outside of the handler: aiohttp's own texts must not be its context


async def _request(
    session: aiohttp.ClientSession, method: str, url: str, options: dict[str, Any]
) -> aiohttp.ClientResponse:
    """Send a request, anew where a pooled connection had been closed by the other side.

    A server may hang up at any time between two requests. llama.cpp's does so after each stream,
    and tinyproxy after each answer, having promised to keep the connection; aiohttp resends only
    what is idempotent. Each such failure takes one connection out of the pool.
    """
    for _ in range(_STALE_CONNECTIONS):
        use = _ConnectionUse()
        try:
            return await session.request(method, url, trace_request_ctx=use, **options)
        except aiohttp.ClientConnectorError:
            raise  # a new connection: nothing stale about it
        except aiohttp.ClientConnectionError:
            if not use.is_reuse or session.closed:
                raise
    return await session.request(method, url, **options)


class _ConnectionUse:
    """Whether a request went out on a connection that had served before."""

    is_reuse = False


async def _note_reuse(_session: object, context: Any, _params: object) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.is_reuse = True


def _reuse_tracing() -> aiohttp.TraceConfig:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_note_reuse)
    return tracing


class _Exchange:
    """A request that is sent on entering, and whose connection is let go on leaving.

    In between the pool knows of the response: in a cycle of garbage it would be finalised
    together with the generator that has yet to leave.
    """

    def __init__(self, sending: Coroutine[object, object, Response], pool: ConnectionPool) -> None:
        self._sending = sending
        self._pool = pool
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        self._response = response = await self._sending
        self._pool.in_use.add(response)
        return response

    async def __aexit__(self, failed: type[BaseException] | None, *_: object) -> None:
        response = self._response
        assert response is not None
        self._pool.in_use.discard(response)
        if failed is None:
            await response.drain()
        else:
            response.close()


class Response:
    """An answer whose body is still to be read.

    Attributes:
        status: the HTTP status.
        content_type: the media type, lower case, without parameters.

    """

    def __init__(self, raw: aiohttp.ClientResponse, max_event_bytes: int) -> None:
        self.status = raw.status
        self.content_type = raw.content_type
        self._raw = raw
        self._max_event_bytes = max_event_bytes
        self._decoder = SSEDecoder(max_event_bytes)

    async def events(self) -> AsyncIterator[list[Payload]]:
        """Yield, for each network read that completes any, the list of server-sent events.

        A body that is one JSON object instead, as some servers send although a stream was asked
        for, is one event.

        Raises:
            ProtocolError: the body is a page or has no event at all, or an event is too large.
            StreamInterrupted: the connection broke.

        """
        if self.content_type == "text/html":
            raise _not_a_stream(await self.excerpt())
        beginning: bytes | None = b""  # until there is an event
        while chunk := await self._read_some():
            if payloads := self._decoder.feed(chunk):
                beginning = None
                yield payloads
                self._decoder.check()  # what came behind them may be too large
            elif beginning is not None:
                if (beginning + chunk).lstrip().startswith(b"{"):
                    yield [beginning + chunk + await self.read()]
                    return
                beginning = (beginning + chunk)[:_EXCERPT_CHARACTERS]
        if beginning:
            raise _not_a_stream(beginning.decode("utf-8", "replace"))

    @property
    def ignored(self) -> str:
        """The newest line that was no part of an event, or ""."""
        return self._decoder.ignored

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            ProtocolError: it is larger than `max_event_bytes`.
            StreamInterrupted: the connection broke.

        """
        chunks, size = list[bytes](), 0
        while chunk := await self._read_some():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_event_bytes:
                raise ProtocolError(f"the body is larger than {self._max_event_bytes} bytes")
        return b"".join(chunks)

    async def excerpt(self) -> str:
        """Return the beginning of the body as text, at most 64 KiB of it, as far as it comes."""
        body = b""
        with contextlib.suppress(StreamInterrupted):
            while len(body) < _ERROR_BODY_BYTES and (chunk := await self._read_some()):
                body += chunk
        return body[:_ERROR_BODY_BYTES].decode("utf-8", "replace")

    async def failure(self, method: str, url: str, *, is_forwarded: bool) -> AsyncLLMError:
        """Return the error that this response stands for, and close it."""
        raw = self._raw
        try:
            body = await self.excerpt()
        finally:
            self.close()
        if is_forwarded and is_refusal(raw.status, raw.headers):
            return ProxyError(f"the proxy refused to forward: {raw.status} {raw.reason}")
        return status_error(
            method=method,
            url=url,
            status=raw.status,
            reason=raw.reason or "",
            headers=raw.headers,
            body=body,
        )

    def close(self) -> None:
        """Close the connection, unless the answer has been read to its end."""
        self._raw.close()

    async def drain(self) -> None:
        """Read a little past the end of the answer, so that the connection can be used again."""
        content, size = self._raw.content, 0
        if not content.at_eof():
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    while size < _DRAIN_BYTES and (chunk := await content.readany()):
                        size += len(chunk)
        self.close()

    async def _read_some(self) -> bytes:
        """Return what one read brings; b"" at the end."""
        try:
            return await self._raw.content.readany()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            reason = type(error).__name__
        raise StreamInterrupted(f"the connection broke before the answer was whole ({reason})")


def _not_a_stream(beginning: str) -> ProtocolError:
    shown = " ".join(beginning.split())[:_EXCERPT_CHARACTERS]
    return ProtocolError(f"the server answered with something other than a stream: {shown!r}")


def _request_errors() -> tuple[type[Exception], ...]:
    return (aiohttp.ClientError, OSError, ValueError, *socks_errors())


def _request_failure(  # noqa: PLR0911 - a table
    error: Exception, connect_limit: float | None, proxy: Proxy | None
) -> AsyncLLMError:
    """Return our error for one that aiohttp raised before it had a response."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return StreamTimeout("connect", connect_limit or 0.0)
        case aiohttp.ClientHttpProxyError():
            return ProxyError(f"the proxy refused to connect: {error.status} {error.message}")
        case aiohttp.ClientConnectorError():
            if proxy is not None and (error.host, error.port) == (proxy.host, proxy.port):
                return ProxyError(
                    f"cannot connect to the proxy {proxy.host}:{proxy.port}: {_reason(error)}"
                )
            return TransportError(f"cannot connect to {error.host}:{error.port}: {_reason(error)}")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return ConfigurationError("the URL can't be used: give one like https://host/path")
        case aiohttp.ClientResponseError():
            return ProtocolError(f"the server's answer is not HTTP: {error.message}")
        case ValueError():
            return ConfigurationError(f"the request can't be sent: {error}")
    if proxy is not None and isinstance(error, socks_errors()):
        reason = "it hung up" if isinstance(error, EOFError) else error
        return ProxyError(f"no connection through the proxy {proxy.host}:{proxy.port}: {reason}")
    # Of aiohttp's own texts none is shown: some quote the URL, with its query.
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else type(error).__name__
    return TransportError(f"the connection broke before there was an answer ({cause})")


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return str(error.os_error.strerror or error.os_error)
