"""A request that a chat-ui's hook has let pass, of whatever age the chat-ui is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web


@dataclass(frozen=True)
class Call:
    """A request that has passed the hook.

    `delay` is in seconds, before the answer; a stream spends them before its first token.
    """

    request: web.Request
    session: str
    delay: float


Handler: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]
