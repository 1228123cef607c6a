"""The cookie jar: aiohttp's, with the two allowances that self-hosted servers need."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import CookieJar
from yarl import URL

if TYPE_CHECKING:
    from http.cookies import BaseCookie


class SessionCookieJar(CookieJar):
    """Keeps cookies of hosts named by IP address, and sends `Secure` ones to loopback over http.

    chat-ui marks its session cookie `Secure` always, also where it is served on
    `http://localhost:3000`; without the cookie no conversation can be used. Traffic to a
    loopback address does not leave the machine; to any other host the mark is obeyed.
    """

    def __init__(self) -> None:
        super().__init__(unsafe=True)

    def filter_cookies(self, request_url: URL = URL()) -> BaseCookie[str]:  # noqa: B008 - as aiohttp does
        """Return the cookies to send to `request_url`."""
        if request_url.scheme == "http" and is_loopback(request_url.host):
            request_url = request_url.with_scheme("https")
        return super().filter_cookies(request_url)


@lru_cache
def is_loopback(host: str | None) -> bool:
    """Tell whether `host` is this machine: localhost, a name under it, or a loopback address."""
    if not host:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
