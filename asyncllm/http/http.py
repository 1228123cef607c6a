"""The one place that knows how to ask: requests, and aiohttp's errors as ours.

No secret leaves here in a text: proxy credentials travel in headers rather than in URLs,
aiohttp's exceptions, which quote both, are never chained to ours, and every error that leaves is
masked: one that an answer stands for, or none, in `_send`, and one raised while an answer is read,
by whomever, in `_Exchange`. It is here that all that was told is known; what a provider says
without having asked is masked by `retrying` and by `Stream`.
"""

from __future__ import annotations

import functools
import math
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp

from asyncllm.errors import (
    AsyncLLMError,
    ConfigurationError,
    ProtocolError,
    ProxyError,
    StreamTimeout,
    TransportError,
    let_go,
)
from asyncllm.framing.json import encode_json
from asyncllm.http.cookies import with_cookies
from asyncllm.http.entries import Entry, Way
from asyncllm.http.proxies import socks_errors
from asyncllm.http.response import Response
from asyncllm.redaction import is_secret, secrets_in

if TYPE_CHECKING:
    from collections.abc import Container, Coroutine, Hashable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from asyncllm.http.connections import ConnectionPool
    from asyncllm.http.cookies import CookieJar
    from asyncllm.http.entries import Step
    from asyncllm.http.proxies import Proxy

_SUCCESS = range(200, 300)


class Http:
    """Sends requests over a pool, each with the same proxy, headers and connect limit.

    Args:
        pool: where the connections are.
        proxy: the proxy to go through; None for the one that the pool's environment names, if any.
        headers: sent with every request.
        connect: seconds to a usable connection, or None.
        identity: who asks: those of one identity share cookies, and nobody else does.
        secrets: what no error may show, besides what each request holds.

    Attributes:
        proxy: the proxy to go through, or None.
        identity: as given.
        refusals: what servers have refused, as pairs of base URL and field; one set for all
            streams of a session manager, so that providers need not ask again.

    """

    __slots__ = (
        "_headers",
        "_jar",
        "_pool",
        "_secrets",
        "_timeout",
        "identity",
        "proxy",
        "refusals",
    )

    def __init__(
        self,
        pool: ConnectionPool,
        *,
        proxy: Proxy | None = None,
        headers: Mapping[str, str] | None = None,
        connect: float | None = None,
        identity: Hashable = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self.proxy = proxy
        self.identity = identity
        self._secrets = secrets
        self.refusals = pool.refusals
        self._jar: CookieJar = pool.jar_of(identity)
        self._pool = pool
        self._headers = headers or {}
        self._timeout = _client_timeout(connect)

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
            ProtocolError: the answer is compressed, which nobody asked for.
            TransportError: the server, or as `ProxyError` the proxy, could not be reached.
            StreamTimeout: connecting took longer than the connect limit.

        """
        sent = {**self._headers, **(headers or {})}
        data: bytes | Mapping[str, str] | None = form
        if json is not None:
            data = json if isinstance(json, bytes) else encode_json(json)
            sent.setdefault("Content-Type", "application/json")
        sending = self._send(method, url, sent, query or {}, accept, data=data)
        return _Exchange(sending, self._pool)

    def entry(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        steps: tuple[Step, ...] = (),
        is_session: bool = False,
    ) -> Entry:
        """Return an entry for the ledger: what is sent, and the way it goes, as it is here.

        Args:
            url: what tells it from others; `steps` go to the same server.
            headers: for its requests, over those of the `Http`; cookies are added.
            steps: the requests that an heir sends; without any it is one `DELETE` of `url`.
            is_session: whether it is for what a session holds besides what has its own entry.

        """
        sent = {**self._headers, **(headers or {})}
        self._add_cookies(sent, url)
        proxy = self.proxy or self._pool.environment_proxy(url)
        return Entry(url, sent, steps, Way(proxy, self._pool.has_own_tls), is_session)

    def own_session(self, url: str, cookie: str) -> str | None:
        """Return the value of a cookie whose session is this manager's alone; None where it is not.

        A session that comes with a caller's credentials may be a browser's, and hold chats of its
        user's own.

        Args:
            url: where it would be sent.
            cookie: its name.

        """
        if any(map(is_secret, self._headers)):
            return None
        return self._jar.cookies_for(url).get(cookie)

    async def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        query: Mapping[str, str],
        accept: Container[int],
        **options: Any,
    ) -> Response:
        proxy = self.proxy or self._pool.environment_proxy(url)
        options |= {"params": query, "timeout": self._timeout, "allow_redirects": False}
        is_forwarded = proxy is not None and proxy.forwards(url)
        if proxy is not None:
            options |= proxy.request_options()
            headers |= proxy.credentials if is_forwarded else {}
        self._add_cookies(headers, url)
        options["headers"] = headers
        secrets = functools.partial(_secrets, self._secrets, proxy, headers, query)
        failure: AsyncLLMError
        try:
            raw, was_resent = await self._pool.request(method, url, proxy, options)
        except AsyncLLMError:
            raise  # the pool's own
        except _request_errors() as error:
            failure = _request_failure(error, self._timeout.connect, proxy)
            if isinstance(failure, TransportError):
                failure.was_sent = not isinstance(error, _before_sending())
            let_go(error)
            failure.redact(secrets())
        else:
            if told := raw.headers.getall("Set-Cookie", ()):
                self._jar.keep(told, url)
            response = Response(raw, self._pool.max_event_bytes, secrets, was_resent=was_resent)
            if raw.status in accept and not response.coding:
                return response
            failure = await response.failure(
                method, url, is_accepted=raw.status in accept, is_forwarded=is_forwarded
            )
            response.redact(failure)
        try:
            raise failure  # outside of the handler: aiohttp's own texts must not be its context
        finally:
            del failure  # its traceback holds this frame: they would be a cycle of garbage

    def _add_cookies(self, headers: dict[str, str], url: str) -> None:
        """Add what servers have set to what the caller sends, which comes first."""
        if not (added := self._jar.header_for(url)):
            return
        for name, given in headers.items():
            if name.lower() == "cookie":
                headers[name] = with_cookies(given, added)
                return
        headers["Cookie"] = added


@functools.lru_cache
def _client_timeout(connect: float | None) -> aiohttp.ClientTimeout:
    """Return aiohttp's limits, of which we use one; one object for all streams."""
    # `sock_connect` is for SOCKS, which would give up after 60 seconds of its own.
    return aiohttp.ClientTimeout(
        total=None, connect=connect, sock_connect=math.inf, ceil_threshold=math.inf
    )


def _secrets(
    known: Sequence[str],
    proxy: Proxy | None,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    answer: aiohttp.ClientResponse | None = None,
) -> list[str]:
    """Return what is known, what was told to a server or a proxy, and what was answered to keep."""
    found = [*known, *secrets_in(headers), *secrets_in(query)]
    if proxy is not None:
        found += proxy.secrets
    if answer is not None:
        for told in answer.headers.getall("Set-Cookie", ()):
            found += secrets_in({"Cookie": told.partition(";")[0]})
        for cookie in answer.cookies.values():  # those that aiohttp takes, also as they are decoded
            found += (cookie.value, cookie.coded_value)
    return found


class _Exchange:
    """A request that is sent on entering, and whose connection is let go on leaving.

    In between the pool knows of the response: in a cycle of garbage it would be finalised
    together with the generator that has yet to leave.
    """

    __slots__ = ("_pool", "_response", "_sending")

    def __init__(self, sending: Coroutine[object, object, Response], pool: ConnectionPool) -> None:
        self._sending = sending
        self._pool = pool
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        self._response = response = await self._sending
        del self._sending  # it would keep the memory of its frame
        self._pool.in_use.add(response)
        return response

    async def __aexit__(self, _: object, failure: BaseException | None, __: object) -> None:
        response = self._response
        assert response is not None
        self._pool.in_use.discard(response)
        if failure is None:
            await response.drain()
            return
        response.close()
        if isinstance(failure, AsyncLLMError):
            response.redact(failure)


def _request_errors() -> tuple[type[Exception], ...]:
    return (aiohttp.ClientError, OSError, ValueError, *socks_errors())


def _before_sending() -> tuple[type[Exception], ...]:
    return (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, *socks_errors())


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
            # Its text quotes the line that is wrong, a cookie perhaps.
            kind = type(error.__cause__ or error).__name__
            return ProtocolError(f"the server's answer is not HTTP ({kind})")
        case UnicodeDecodeError():  # by the SOCKS library, of a name that the proxy says
            kind = "answer is not HTTP" if proxy is None else "or the proxy's answer can't be read"
            return (TransportError if proxy is None else ProxyError)(f"the server's {kind}")
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
