"""`Begun`: an answer that has begun, and what gives it back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeAlias

import msgspec

from asyncllm.events import Item

Source: TypeAlias = AsyncIterator[list[Item]]


class Begun(msgspec.Struct, frozen=True):
    """An answer that has begun; nothing is retried from here on.

    Attributes:
        batch: its first batch; None if it has ended without any.
        source: gives the other batches.
        lease: stands at its only `yield` while the answer is read; closing it gives back everything
            that the answer holds. It is `source` if nothing else does this, and None if nothing is
            held.
        on_finish: called when the end marker of the answer has come.
        model: the full id of the model that answers; "" for the one that was asked.

    """

    batch: list[Item] | None
    source: Source
    lease: AsyncGenerator[object, None] | None = None
    on_finish: Callable[[], None] | None = None
    model: str = ""

    async def aclose(self) -> None:
        """Give back all that the answer holds."""
        if self.lease is not None:
            await self.lease.aclose()


async def begin_under(lease: AsyncGenerator[Begun, None]) -> Begun:
    """Return what `lease` yields, for which it stands from now on."""
    return msgspec.structs.replace(await anext(lease), lease=lease)
