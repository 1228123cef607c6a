"""Cookies: aiohttp's jar, with the two allowances that self-hosted servers need.

aiohttp works a jar through for each request, and parses each `Set-Cookie` that comes. chat-ui
repeats its one session cookie with every answer; that was an eighth of what a stream costs. So
what has not changed is not done again.
"""

from __future__ import annotations

from functools import lru_cache
from http.cookies import SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import CookieJar, DummyCookieJar
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.cookies import BaseCookie

_NO_URL = URL()


class SessionCookieJar(CookieJar):
    """Keeps cookies of hosts named by IP address, and sends `Secure` ones to loopback over http.

    chat-ui marks its session cookie `Secure` always, also where it is served on
    `http://localhost:3000`; without the cookie no conversation can be used. Traffic to a
    loopback address does not leave the machine; to any other host the mark is obeyed.
    """

    def __init__(self) -> None:
        super().__init__(unsafe=True)
        # Only for cookies that are for all of a host and for the session.
        self._headers: dict[str, str] = {}  # by origin
        self._repeated: dict[str | None, Sequence[str]] = {}  # by host: ports share cookies
        self._are_simple = True

    def filter_cookies(self, request_url: URL = _NO_URL) -> BaseCookie[str]:
        """Return the cookies to send to `request_url`."""
        if request_url.scheme == "http" and is_loopback(request_url.host):
            request_url = request_url.with_scheme("https")
        return super().filter_cookies(request_url)

    def header_for(self, url: str) -> str:
        """Return the value of the header with the cookies to send to `url`, or ""."""
        origin = _origin(url)
        header = self._headers.get(origin)
        if header is None:
            cookies = self.filter_cookies(URL(url)).items()
            header = "; ".join(f"{name}={morsel.coded_value}" for name, morsel in cookies)
            if self._are_simple:
                self._headers[origin] = header
        return header

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: URL) -> None:
        """Keep what the `Set-Cookie` headers of an answer say."""
        host = response_url.host
        if self._repeated.get(host) == headers:
            return
        self._are_simple = self._are_simple and all(map(_is_simple, headers))
        self._headers.clear()
        if self._are_simple:
            self._repeated[host] = headers
        else:
            self._repeated.clear()
        super().update_cookies_from_headers(headers, response_url)


class KeepingOnly(DummyCookieJar):
    """What aiohttp gets: it keeps cookies in a jar, and adds none to a request."""

    def __init__(self, jar: SessionCookieJar) -> None:
        super().__init__()
        self.update_cookies_from_headers = jar.update_cookies_from_headers  # type: ignore[method-assign] # handed on as it is


def with_cookies(given: str, added: str) -> str:
    """Return a `Cookie` header with cookies of both; of two of one name, that of `added`."""
    names = SimpleCookie(added).keys()
    kept = [
        pair.strip() for pair in given.split(";") if pair.partition("=")[0].strip() not in names
    ]
    return "; ".join([*kept, added])


def _origin(url: str) -> str:
    path = url.find("/", len("https://"))
    return url if path < 0 else url[:path]


def _is_simple(header: str) -> bool:
    attributes = [attribute.strip().lower() for attribute in header.split(";")[1:]]
    limits = ("expires", "max-age", "domain")
    return "path=/" in attributes and not any(each.startswith(limits) for each in attributes)


@lru_cache
def is_loopback(host: str | None) -> bool:
    """Tell whether `host` is this machine: localhost, a name under it, or a loopback address."""
    if not host:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
