"""What to send to a server, first and to go on with an answer."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec and the reference read it
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.wires import Translator  # noqa: TC001 - the reference reads the annotations

if TYPE_CHECKING:
    from asyncllm.base.request import Request


class Ask(msgspec.Struct, frozen=True):
    """A request to a server.

    Attributes:
        path: what follows the base URL.
        body: what to send, as JSON; None for what `encode` made, if anything.
        method: the HTTP method.
        headers: headers for this request; they override the provider's own.
        query: added to the URL.

    """

    path: str
    body: object = None
    method: str = "POST"
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}

    @override
    def __repr__(self) -> str:
        return f"Ask({self.method} {self.path})"

    @override
    def __rich_repr__(self) -> list[tuple[str, str]]:
        # msgspec's own would show the headers and the query, which may hold a key.
        return [("method", self.method), ("path", self.path)]


class Next(msgspec.Struct, frozen=True):
    """How an answer continues in another response.

    Attributes:
        ask: what to send.
        translator: reads the response, and knows what it needs of what came before.
        wait: seconds to wait before sending.

    """

    ask: Ask
    translator: Translator
    wait: float = 0.0


def with_extra(body: object, request: Request) -> object:
    """Return a body with what the caller wants sent as it is."""
    return {**body, **request.extra} if request.extra and isinstance(body, dict) else body
