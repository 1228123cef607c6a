"""Requests that somebody else may have to send: what they are, and the way they go."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec
from typing_extensions import override
from yarl import URL

from asyncllm.http.proxies import Proxy  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Hashable


class Way(msgspec.Struct, frozen=True):
    """How requests reach a server.

    Attributes:
        proxy: the proxy to use, or None for none.
        has_own_tls: whether servers are verified by a context that the caller passed.

    """

    proxy: Proxy | None = None
    has_own_tls: bool = False


class Step(msgspec.Struct, frozen=True):
    """A request that an heir sends.

    Attributes:
        method: the HTTP method.
        url: the address.
        form: form fields to send as its body, or None.
        gone: the statuses that mean that there is nothing left to do.
        may_fail: whether the next step is sent even if this one fails.

    """

    method: str
    url: str
    form: dict[str, str] | None = None
    gone: tuple[int, ...] = (404,)
    may_fail: bool = False


class Entry(msgspec.Struct, frozen=True):
    """What an heir needs to delete a conversation, or everything that a session holds.

    Attributes:
        url: identifies the entry: the URL of the conversation.
        headers: what to send with each request, including the session's cookie.
        steps: the requests to send, in order; if there are none, one `DELETE` of `url`.
        way: how the requests are sent; None for the heir's own way.
        is_session: whether it is for what a session holds besides its conversations that have their
            own entries, which come first.

    """

    url: str
    headers: dict[str, str]
    steps: tuple[Step, ...] = ()
    way: Way | None = None
    is_session: bool = False

    @property
    def place(self) -> Hashable:
        """What fails together: all that is on one server and is reached the same way."""
        scheme, netloc, *_ = urlsplit(self.url)
        return scheme, netloc, self.way

    def check(self) -> None:
        """See to it that its requests go where their URLs say, as far as can be seen from them.

        Raises:
            ValueError: a URL is not http or https, names no host or port, has a step to another
                path, or is not printable.

        """
        for url in (self.url, *(step.url for step in self.steps)):
            if not _is_plain(url):
                raise ValueError("one of its URLs can't be used")

    @override
    def __repr__(self) -> str:
        return f"Entry({self.url})"

    @override
    def __rich_repr__(self) -> list[tuple[str, str]]:
        # msgspec's own would show the cookie.
        return [("url", self.url)]


def _is_plain(url: str) -> bool:
    """Tell whether a request to `url` goes where one reads that it does.

    Raises:
        ValueError: it is no URL.

    """
    there = URL(url)
    # As it was written: otherwise the steps to other paths are taken already.
    path = URL(url, encoded=True).raw_path
    has_steps = not {".", ".."}.isdisjoint(map(unquote, path.split("/")))
    is_place = there.scheme in {"http", "https"} and bool(there.host and there.port)
    return is_place and url.isprintable() and not has_steps
