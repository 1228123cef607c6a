"""Cookies: each goes back to the host that set it, and to no other.

RFC 6265 lets a server name a whole domain. Which domains are one owner's, and which are everybody's
(`com`, `github.io`), only a list that is kept up to date can tell; the server of an API has no use
for it. So the attribute is passed over. What a server repeats with every answer, as chat-ui does
with its session, costs a few microseconds here, and an eighth of a whole stream in aiohttp's jar.
"""

from __future__ import annotations

import contextlib
import math
import time
from email.utils import mktime_tz, parsedate_tz
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from typing_extensions import override
from yarl import URL

from asyncllm.http.plain_http import is_loopback

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

_MOST_COOKIES = 50  # of a host, as RFC 6265 wants of a browser
_MOST_BYTES = 8190  # of them together: what servers take as a header
_MOST_COOKIE_BYTES = 4096
_IDLE_JARS = 1000
_LONGEST_DATE = 64
_LONGEST_AGE = 10**10


class _Cookie(NamedTuple):
    name: str
    value: str
    path: str
    is_secure: bool
    expires: float

    @override
    def __repr__(self) -> str:
        return f"_Cookie({self.name})"

    @property
    def is_everywhere(self) -> bool:
        """Whether it goes to every path, as long as the session lasts."""
        return self.path == "/" and self.expires == math.inf


class CookieJar:
    """The cookies of whoever asks, for as long as a session lasts.

    A host has at most 50 of them, of 8,190 bytes together; the oldest make room. `Secure` ones go
    over https, and over http to this machine: chat-ui marks its session cookie so always, also
    where it is served on `http://localhost:3000`, and without the cookie no conversation can be
    used. Ports of one host share cookies, as RFC 6265 says.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def header_for(self, url: str) -> str:
        """Return the value of the header with the cookies to send to `url`, or ""."""
        name, is_safe, path = _place(url)
        if (host := self._hosts.get(name)) is None:
            return ""
        if (header := host.everywhere.get(is_safe)) is None:
            fitting = host.fitting(path, is_safe)
            header = "; ".join([f"{name}={value}" for name, value in fitting.items()])
            if all(cookie.is_everywhere for cookie in host.cookies.values()):
                host.everywhere[is_safe] = header
        return header

    def cookies_for(self, url: str) -> dict[str, str]:
        """Return the cookies to send to `url`, by their names."""
        name, is_safe, path = _place(url)
        host = self._hosts.get(name)
        return {} if host is None else host.fitting(path, is_safe)

    def keep(self, headers: Iterable[str], url: str) -> None:
        """Keep what the `Set-Cookie` headers of an answer from `url` say."""
        name, _, path = _place(url)
        if (host := self._hosts.get(name)) is None:
            host = self._hosts[name] = _Host()
        directory = path[: path.rfind("/")] or "/"
        for header in headers:
            host.keep(header, directory)


class CookieJars:
    """The cookies of all who ask, for as long as a session lasts.

    Each identity has a jar of its own: a server's session is for the one whom it knows by it.
    Jars last while somebody holds them; of the others the newest thousand do.
    """

    def __init__(self) -> None:
        self._jars: WeakValueDictionary[Hashable, CookieJar] = WeakValueDictionary()
        self._newest: dict[Hashable, CookieJar] = {}  # the newest used comes last

    def jar_of(self, identity: Hashable) -> CookieJar:
        """Return the cookies of those who ask as `identity`."""
        jar = self._newest.pop(identity, None) or self._jars.get(identity)
        if jar is None:
            jar = self._jars[identity] = CookieJar()
        self._newest[identity] = jar
        if len(self._newest) > _IDLE_JARS:
            del self._newest[next(iter(self._newest))]
        return jar


class _Host:
    """The cookies of one host.

    Attributes:
        cookies: by name and path; the newest comes last.
        everywhere: the header to send, by whether the way is safe, while all cookies go to every
            path and end with the session.

    """

    __slots__ = ("_told", "cookies", "everywhere")

    def __init__(self) -> None:
        self.cookies: dict[tuple[str, str], _Cookie] = {}
        self.everywhere: dict[bool, str] = {}
        self._told: dict[tuple[str, str], _Cookie] = {}  # by header and directory

    def fitting(self, path: str, is_safe: bool) -> dict[str, str]:  # noqa: FBT001
        """Return what goes to `path`, by name."""
        now = time.time()
        fitting = [
            cookie
            for cookie in self.cookies.values()
            if cookie.expires > now and (is_safe or not cookie.is_secure) and _is_at(path, cookie)
        ]
        fitting.sort(key=lambda cookie: len(cookie.path))
        # Of two of one name, the one with the longer path.
        return {cookie.name: cookie.value for cookie in fitting}

    def keep(self, header: str, directory: str) -> None:
        """Do what a `Set-Cookie` header says; most servers repeat theirs with each answer."""
        told, cookies = self._told.get((header, directory)), self.cookies
        if told is not None and told == next(reversed(cookies.values()), None):
            return
        now = time.time()
        if (cookie := told or self._read(header, directory, now)) is None:
            return
        key = cookie.name, cookie.path
        before = cookies.pop(key, None)
        if cookie.expires > now:
            cookies[key] = cookie
        if cookie == before:
            return
        while len(cookies) > _MOST_COOKIES or sum(map(_size, cookies.values())) > _MOST_BYTES:
            del cookies[next(iter(cookies))]
        self.everywhere.clear()

    def _read(self, header: str, directory: str, now: float) -> _Cookie | None:
        """Return what a header says, and remember it where that does not depend on the time."""
        cookie = _parse(header, directory, now)
        if cookie is not None and cookie.expires == math.inf:
            if len(self._told) >= _MOST_COOKIES:
                self._told.clear()
            self._told[header, directory] = cookie
        return cookie


def with_cookies(given: str, added: str) -> str:
    """Return a `Cookie` header with cookies of both; of two of one name, that of `given`."""
    names = {pair.partition("=")[0].strip() for pair in given.split(";")}
    new = [pair for pair in added.split("; ") if pair.partition("=")[0] not in names]
    return "; ".join([given, *new])


@lru_cache  # each URL of a conversation is asked about some four times
def _place(url: str) -> tuple[str, bool, str]:
    """Return the name of a host, whether the way there is safe, and the path there."""
    url = url.partition("?")[0]
    start = url.find("/", len("https://"))
    if start < 0:
        return *_host(url), "/"
    return *_host(url[:start]), url[start:]


@lru_cache
def _host(origin: str) -> tuple[str, bool]:
    url = URL(origin)
    name = url.raw_host or ""
    return name, url.scheme == "https" or is_loopback(name)


def _size(cookie: _Cookie) -> int:
    return len(cookie.name) + len(cookie.value) + len(cookie.path)


def _is_at(path: str, cookie: _Cookie) -> bool:
    at = cookie.path
    return path.startswith(at) and (at.endswith("/") or path[len(at) : len(at) + 1] in ("", "/"))


def _parse(header: str, default_path: str, now: float) -> _Cookie | None:
    """Return what a `Set-Cookie` header says, by RFC 6265 (5.2); None where it can't be kept."""
    pair, *attributes = header.split(";")
    name, sign, value = (part.strip() for part in pair.partition("="))
    if not (name and sign and pair.isprintable()):  # neither is what can't be sent again
        return None
    path, is_secure, age, date = default_path, False, "", ""
    for attribute in attributes:
        kind, _, said = (part.strip() for part in attribute.partition("="))
        match kind.lower():
            case "path":
                path = said if said.startswith("/") else default_path
            case "secure":
                is_secure = True
            case "max-age":
                age = said
            case "expires":
                date = said
    cookie = _Cookie(name, value, path, is_secure, _expiry(age, date, now))
    return cookie if _size(cookie) <= _MOST_COOKIE_BYTES else None


def _expiry(age: str, date: str, now: float) -> float:
    """Return when a cookie ends, in seconds since the epoch; one of the session never does."""
    if age.removeprefix("-").isdecimal():
        return now + min(int(age[:11]), _LONGEST_AGE) if age[0] != "-" else 0.0
    if date and len(date) <= _LONGEST_DATE:
        with contextlib.suppress(ValueError, OverflowError):
            if read := parsedate_tz(date):
                return mktime_tz(read)
    return math.inf
