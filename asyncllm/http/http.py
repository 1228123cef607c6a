"""Asking: what each request carries, and the way it goes, put together for a provider."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, NamedTuple

from asyncllm.framing.json import encode_json
from asyncllm.http.checks import merged_headers
from asyncllm.http.cookies import with_cookies
from asyncllm.http.entries import Entry, Way
from asyncllm.http.exchange import Exchange
from asyncllm.http.request import HttpRequest
from asyncllm.options import MAX_EVENT_BYTES
from asyncllm.redaction import is_secret

if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from asyncllm.http.connections import ConnectionPool
    from asyncllm.http.cookies import CookieJar
    from asyncllm.http.entries import Step
    from asyncllm.http.proxies import Proxy
    from asyncllm.http.response import Response

_SUCCESS = range(200, 300)


class RefusedField(NamedTuple):
    """A field of a request that a server has refused.

    Attributes:
        base_url: where the server is.
        field: the name of the field.

    """

    base_url: str
    field: str


class Http:
    """Sends requests over a pool, each with the same proxy, headers and connect limit.

    Args:
        pool: the connections.
        proxy: the proxy to use; None for the one that the pool's environment names, if any.
        headers: sent with every request.
        connect: seconds to a usable connection, or None.
        identity: who asks: requests of one identity share cookies, and others don't.
        secrets: what no error may show, besides the secrets in each request.
        max_event_bytes: the maximum size of one event, or of a body that is read whole.
        refused_fields: what servers have refused, and will refuse; None for a new set.

    Attributes:
        proxy: the proxy to use, or None.
        identity: as passed.
        refused_fields: what servers have refused; all streams of a session manager share one set,
            so that providers need not ask again.

    """

    __slots__ = (
        "_connect",
        "_headers",
        "_jar",
        "_max_event_bytes",
        "_pool",
        "_secrets",
        "identity",
        "proxy",
        "refused_fields",
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
        max_event_bytes: int = MAX_EVENT_BYTES,
        refused_fields: set[RefusedField] | None = None,
    ) -> None:
        self.proxy = proxy
        self.identity = identity
        self.refused_fields = set() if refused_fields is None else refused_fields
        self._secrets = secrets
        self._jar: CookieJar = pool.cookies.jar_of(identity)
        self._pool = pool
        self._headers = headers or {}
        self._connect = connect
        self._max_event_bytes = max_event_bytes

    def showing(self, headers: Mapping[str, str]) -> Http:
        """Return one that sends these headers too, over its own."""
        other = copy(self)
        other._headers = merged_headers(self._headers, headers)  # noqa: SLF001 - it is one of these
        return other

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
        """Return a context manager that sends a request and gives you its response.

        When you leave it, the connection is free for other requests, or closed.

        Redirects are not followed.

        Args:
            method: the HTTP method.
            url: the address.
            json: a body, as an object or as bytes that are JSON already.
            form: a body, as form fields.
            query: added to the URL.
            headers: for this request; they override those of the `Http`.
            accept: the statuses that are not errors.

        Raises:
            ConfigurationError: the body can't be written as JSON, or the URL can't be used.
            HTTPStatusError: the status is not one of `accept`.
            ProtocolError: the answer is compressed, which nobody asked for.
            TransportError: the server could not be reached; `ProxyError`: the proxy could not.
            StreamTimeout: connecting took longer than the connect limit.

        """
        sent = self._headers_for(url, headers)
        data: bytes | Mapping[str, str] | None = form
        if json is not None:
            data = json if isinstance(json, bytes) else encode_json(json)
            if "content-type" not in map(str.lower, sent):
                sent["Content-Type"] = "application/json"
        proxy = self.proxy or self._pool.environment_proxy(url)
        if proxy is not None and proxy.forwards(url):
            sent |= proxy.credentials
        request = HttpRequest(
            method=method,
            url=url,
            headers=sent,
            query=query or {},
            data=data,
            proxy=proxy,
            connect=self._connect,
            known_secrets=self._secrets,
        )
        return Exchange(
            request, self._pool, self._jar, accept=accept, max_event_bytes=self._max_event_bytes
        )

    def entry(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        steps: tuple[Step, ...] = (),
        is_session: bool = False,
    ) -> Entry:
        """Return an entry for the ledger: what to send, and how to reach the server from here.

        Args:
            url: identifies the entry; `steps` go to the same server.
            headers: for its requests; they override those of the `Http`, and cookies are added.
            steps: the requests that an heir sends; if there are none, one `DELETE` of `url`.
            is_session: whether it is for what a session holds besides what has its own entry.

        """
        way = Way(self.proxy or self._pool.environment_proxy(url), self._pool.has_own_tls)
        return Entry(url, self._headers_for(url, headers), steps, way, is_session)

    def own_session(self, url: str, cookie: str | None = None) -> str | None:
        """Return the value of a cookie whose session belongs to this manager alone, or None.

        A session that comes with a caller's credentials may belong to a browser, and hold its
        user's own chats.

        Args:
            url: the address to which it would be sent.
            cookie: its name; None for all cookies in one text, because one of them is the session.

        """
        if any(map(is_secret, self._headers)):
            return None
        if cookie is None:
            return self._jar.header_for(url) or None
        return self._jar.cookies_for(url).get(cookie)

    def _headers_for(self, url: str, given: Mapping[str, str] | None) -> dict[str, str]:
        """Return the headers of all requests, those `given` for this one, and cookies."""
        headers = merged_headers(self._headers, given) if given else dict(self._headers)
        if cookies := self._jar.header_for(url):
            if "cookie" in map(str.lower, headers):
                name = next(name for name in headers if name.lower() == "cookie")
                headers[name] = with_cookies(headers[name], cookies)
            else:
                headers["Cookie"] = cookies
        return headers
