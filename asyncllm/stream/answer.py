"""`Answer`: the reads of one answer and its one end, as the states of `asyncllm.stream.state`.

States change synchronously, I/O follows.
"""

from __future__ import annotations

import weakref
from operator import length_hint
from typing import TYPE_CHECKING, Protocol

import msgspec

from asyncllm.errors import AsyncLLMError, StreamInterrupted
from asyncllm.stream.ending import Ending
from asyncllm.stream.reader import Reader
from asyncllm.stream.state import State
from asyncllm.stream.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from asyncllm.events import Item
    from asyncllm.options import Timeouts
    from asyncllm.stream.begun import Begun
    from asyncllm.stream.partial_reply import PartialReply

# To look up a member of an enumeration takes six times as long, and to hash one is slow too.
_NEW, _READING, _OPEN, _ENDED = State.NEW, State.READING, State.OPEN, State.ENDED

_CUT_OFF = "the answer was cut off: it ended without its end marker"


class Owner(Protocol):
    """Who ends an answer that outlives it: a session manager."""

    def attach(self, answer: Answer) -> None:
        """Remember an answer that starts."""

    def detach(self, answer: Answer) -> None:
        """Forget an answer that has ended."""


class Answer:
    """An answer as it is read, batch by batch; it has exactly one end.

    Args:
        begin: begins it, when it is first read.
        timeouts: its limits.
        owner: who is to end it at the latest.
        secrets: what to mask in the error that ends it.

    Attributes:
        state: where it is.
        partial: what has arrived.
        unread: what has arrived and was not given out yet.

    """

    __slots__ = (
        "__weakref__",
        "_begin",
        "_begun",
        "_ending",
        "_owner",
        "_reader",
        "_secrets",
        "_timeouts",
        "_watchdog",
        "partial",
        "state",
        "unread",
    )

    def __init__(
        self,
        begin: Callable[[], Awaitable[Begun]],
        partial: PartialReply,
        *,
        timeouts: Timeouts,
        owner: Owner | None,
        secrets: Sequence[str],
    ) -> None:
        self.state = _NEW
        self.partial = partial
        self.unread: Iterator[Item] = iter(())
        self._begin = begin
        self._timeouts = timeouts
        self._owner = owner
        self._secrets = secrets
        self._begun: Begun | None = None  # while anything of it is held
        self._reader: Reader  # made by the first read, as the watchdog is
        self._watchdog: Watchdog
        self._ending: Ending

    async def read_batch(self) -> bool:
        """Wait for the next batch, which is `unread` then; False at a quiet end.

        Raises:
            RuntimeError: another task reads it, or it belongs to another event loop.
            AsyncLLMError: it has failed.

        """
        if self.state is _NEW:
            self._start()
        elif self.state is not _OPEN:
            return await self._told_its_end()
        reader, partial = self._reader, self.partial
        reader.enter()
        self.state = _READING
        if partial.finish_reason is None:  # what is left to do then is bounded by itself
            self._watchdog.wait()
        try:
            begun = self._begun
            batch = await (self._first_batch() if begun is None else begun.source.__anext__())
            self._watchdog.arrived(content=partial.add(batch))
            if partial.finish_reason is not None:
                self._note_whole()
        except BaseException as error:
            self._watchdog.stop()  # giving back has limits of its own
            if await self._end_by(error):
                raise  # A cancel scope knows its own cancellation by what it says.
        else:
            reader.leave()
            self.state = _OPEN
            self.unread = iter(batch)
            if partial.room >= 0 and not reader.is_interrupted:
                return True
            self.stop(partial.refuse() if partial.room < 0 else reader.why)
        return bool(length_hint(self.unread)) or await self._told_its_end()

    async def end(self, error: AsyncLLMError | None) -> None:
        """End it, and wait until nothing is held; whoever reads on gets `error`, if there is one.

        Raises:
            RuntimeError: it has yet to end in another event loop.

        """
        self._check_loop()
        self.stop(error)
        while self.state is _READING:
            await self._reader.wait_until_gone()
            self.stop(error)
        await self._ending.wait()

    def stop(self, error: AsyncLLMError | None) -> None:
        """End it now: what has to be waited for goes on in the reader, or in a task.

        Of an answer that is whole, what is `unread` can still be had; not where its caller ends it.
        """
        if self.state is _READING:
            self._reader.interrupt(error)
            return
        unread = self.unread if error is not None and self.partial.is_whole else iter(())
        if self.state is _NEW or self.state is _OPEN:
            begun = self._begun
            self._conclude(self.partial.unless_whole(error))
            if begun is not None:
                self.state = State.ENDING
                self._ending.give_back(self._give_back(begun))
        self.unread = unread

    async def _give_back(self, begun: Begun) -> None:
        try:
            await begun.aclose()
        finally:
            self.state = _ENDED

    def _start(self) -> None:
        if self._owner is not None:
            self._owner.attach(self)
        self._reader = Reader()
        self.partial.begin()
        # Weak, so that a timer does not keep alive an answer that its caller has dropped.
        self._watchdog = Watchdog(self._timeouts, weakref.ref(self))

    async def _first_batch(self) -> list[Item]:
        begun = await self._begin()
        del self._begin  # with what it would take to begin again
        self.partial.model = begun.model or self.partial.model
        self._begun = msgspec.structs.replace(begun, batch=None)
        if begun.batch is None:
            raise StopAsyncIteration
        return begun.batch

    def _note_whole(self) -> None:
        """Tell whoever has to know that the answer is whole."""
        self._watchdog.stop()
        begun = self._begun
        if begun is not None and begun.on_finish is not None:
            self._begun = msgspec.structs.replace(begun, on_finish=None)  # it is told once
            begun.on_finish()

    async def _end_by(self, error: BaseException) -> bool:
        """Give back what the answer holds, as `error` ended it; tell whether to raise `error`.

        Raises:
            BaseException: what came meanwhile, a cancellation say, and is one.

        """
        if self._begun is not None:
            try:
                await self._begun.aclose()
            except BaseException as later:
                if self._conclude_by(later):
                    raise
                return False
        return self._conclude_by(error)

    def _conclude_by(self, error: BaseException) -> bool:
        """Be ended by `error`, which came of a read; tell whether the reader is to see it."""
        if self._reader.leave_by(error):
            self._conclude(error if isinstance(error, Exception) else None)
            return True
        why = self._reader.why if self._reader.is_interrupted else StreamInterrupted(_CUT_OFF)
        self._conclude(self.partial.unless_whole(why))
        return False

    def _conclude(self, error: Exception | None) -> None:
        """Be ended from now on; nothing here waits."""
        if self.state is not _NEW:
            self._watchdog.stop()
        self.state = _ENDED
        self.unread = iter(())
        self._begun = None
        if self._owner is not None:
            self._owner.detach(self)
        self.partial.close(error)
        if isinstance(error, AsyncLLMError):
            error.redact(self._secrets)  # it may be a provider's own, and never have passed `http`
        self._ending = Ending(error)

    async def _told_its_end(self) -> bool:
        """Return False where it has ended quietly; raise what ended it, or why nobody may read."""
        self._check_loop()
        if self.state is _READING:
            raise RuntimeError("this stream is being read by another task")
        return await self._ending.tell()

    def _check_loop(self) -> None:
        """Refuse to touch, in another event loop, what has yet to end in its own."""
        if not (self.state is _NEW or self.state is _ENDED):
            self._reader.check_loop()
