"""One HTTP request, whole: what is sent, and the way it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.redaction import secrets_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import aiohttp

    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.proxies import Proxy


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What is sent, and the way it goes.

    Attributes:
        method: the HTTP method.
        url: where to.
        headers: all that tell the server something, cookies included.
        query: added to the URL.
        data: the body, as bytes or as form fields; None for none.
        proxy: the proxy to go through, or None.
        connect: seconds to a usable connection, or None.
        known_secrets: what no text may show, besides what the request holds.

    """

    method: str
    url: str
    headers: dict[str, str]
    query: Mapping[str, str] = {}
    data: bytes | Mapping[str, str] | None = None
    proxy: Proxy | None = None
    connect: float | None = None
    known_secrets: Sequence[str] = ()

    @override
    def __repr__(self) -> str:
        return f"HttpRequest({self.method})"

    @override
    def __rich_repr__(self) -> list[tuple[str, str]]:
        # msgspec's own would show the headers.
        return [("method", self.method)]

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy forwards it, without a tunnel."""
        return self.proxy is not None and self.proxy.forwards(self.url)

    def masked(
        self, error: AsyncLLMError, answer: aiohttp.ClientResponse | None = None
    ) -> AsyncLLMError:
        """Return `error`, without what its text may quote of this request, or of its `answer`."""
        error.redact(self.secrets(answer))
        return error

    def secrets(self, answer: aiohttp.ClientResponse | None = None) -> list[str]:
        """Return what no text about this request may show.

        That is what is known, what was told to the server or the proxy, and what the server said
        to keep.

        Args:
            answer: what came back, if anything did.

        """
        found = [*self.known_secrets, *secrets_in(self.headers), *secrets_in(self.query)]
        if self.proxy is not None:
            found += self.proxy.secrets
        if answer is not None:
            for told in answer.headers.getall("Set-Cookie", ()):
                found += secrets_in({"Cookie": told.partition(";")[0]})
            for cookie in answer.cookies.values():  # as aiohttp takes them, also decoded
                found += (cookie.value, cookie.coded_value)
        return found
