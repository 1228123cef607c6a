"""An event loop that begins TLS in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class OtherTLS:
    """An event loop that begins TLS in a way of its own; in all else it is the one given.

    Args:
        loop: the event loop.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)
