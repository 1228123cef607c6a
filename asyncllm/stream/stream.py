"""`Stream`: what a caller holds while an answer comes.

States change synchronously, I/O follows. One task at a time reads; any task may close. A read
that must end early (closed by another task, a limit reached) is ended as `asyncio.timeout` does
it: the reading task is cancelled, and takes that cancellation back when it was ours alone.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, assert_never

import msgspec

from asyncllm.errors import AsyncLLMError, ReplyTooLargeError, StreamInterrupted
from asyncllm.events import (
    Event,
    Finish,
    Item,
    Ping,
    Reasoning,
    Reply,
    ToolCall,
    Usage,
    parts_of,
)
from asyncllm.options import MAX_REPLY_BYTES
from asyncllm.stream.waiting import wait_through
from asyncllm.stream.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Iterator,
        Sequence,
    )
    from types import TracebackType

    from asyncllm.options import Timeouts

Source: TypeAlias = "AsyncGenerator[list[Item], None]"

_CANCELLED = "cancelled"


class Begun(msgspec.Struct, frozen=True):
    """An answer that has begun; nothing is tried again from here on.

    Attributes:
        batch: its first batch; None where it has ended without any.
        source: gives the other batches.
        lease: stands at its only `yield` while the answer is read; closing it gives back all that
            the answer holds. Where nothing else does so, it is `source`.
        on_finish: is called when the sign has come that the answer is whole.
        model: the full id of the model that answers; "" for the one that was asked.

    """

    batch: list[Item] | None
    source: Source
    lease: AsyncGenerator[object, None]
    on_finish: Callable[[], None] | None = None
    model: str = ""


async def begin_under(lease: AsyncGenerator[Begun, None]) -> Begun:
    """Return what `lease` yields, for which it stands from now on."""
    return msgspec.structs.replace(await anext(lease), lease=lease)


class Owner(Protocol):
    """Who ends a stream that outlives it: a session manager."""

    def attach(self, stream: Stream) -> None:
        """Remember a stream that starts."""

    def detach(self, stream: Stream) -> None:
        """Forget a stream that has ended."""


class Stream:
    """An answer on its way; nothing is sent before it is first iterated.

    `async for token in stream` gives its text, piece by piece; `events()` gives everything;
    `collect()` waits for the whole. Leave it with `aclose()`, or use it as
    `async with provider.stream(…) as stream:`.

    Iterating raises `AsyncLLMError` when the stream fails, with what had arrived as its `reply`;
    it does so again when iterated again.

    One that was asked for with `keep=False` keeps neither text nor reasoning: its reply has what
    else came, and may be read however long it is.
    """

    __slots__ = (
        "__weakref__",
        "_batch",
        "_begin",
        "_cancelling",
        "_closing",
        "_collected",
        "_error",
        "_has_ended",
        "_is_interrupted",
        "_lease",
        "_name",
        "_on_finish",
        "_owner",
        "_reader",
        "_reader_gone",
        "_secrets",
        "_source",
        "_timeouts",
        "_traceback",
        "_watchdog",
    )

    def __init__(
        self,
        begin: Callable[[], Awaitable[Begun]],
        *,
        name: str,
        model: str,
        timeouts: Timeouts,
        owner: Owner | None,
        secrets: Sequence[str] = (),
        keep: bool = True,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        self._begin = begin
        self._name = name
        self._timeouts = timeouts
        self._owner = owner
        self._secrets = secrets
        self._collected = _Collected(model, max_reply_bytes, keep=keep)
        self._batch: Iterator[Item] = iter(())
        self._source: Source | None = None
        self._lease: AsyncGenerator[object, None] | None = None
        self._on_finish: Callable[[], None] | None = None
        self._watchdog: Watchdog | None = None
        self._reader: asyncio.Task[object] | None = None
        self._reader_gone: asyncio.Event | None = None  # made when somebody waits for it
        self._cancelling = 0  # how often the reader had been cancelled before it read
        self._is_interrupted = False
        self._has_ended = False
        self._error: Exception | None = None
        self._traceback: TracebackType | None = None  # that of the error, when it ended the stream
        self._closing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = "ended" if self._has_ended else "running" if self._source else "not started"
        return f"<asyncllm.Stream {self._name} {self._collected.model} {state}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    def events(self) -> AsyncIterator[Item]:
        """Iterate over everything that comes: text as `str`, and events.

        It may be mixed with iterating over the stream itself: each item is given once.

        Raises:
            AsyncLLMError: while iterating; the stream failed.

        """
        return _Events(self._next)

    async def read(self) -> list[str]:
        """Wait for text and return all of it that has come, token by token; empty at the end.

        Raises:
            AsyncLLMError: the stream failed.

        """
        async for token in self:
            return [token, *(item for item in self._batch if type(item) is str)]
        return []

    async def collect(self) -> Reply:
        """Wait for the end and return the whole reply.

        Raises:
            StreamInterrupted: the stream was closed by another task before its end.
            AsyncLLMError: it failed.

        """
        async for _ in self.events():
            self._batch = iter(())  # the rest of it is in the reply too
        reply = self.reply
        if reply.finish_reason == _CANCELLED:
            error = StreamInterrupted("the stream was closed before the answer's end")
            error.reply = reply
            raise error
        return reply

    @property
    def reply(self) -> Reply:
        """What has arrived so far."""
        return self._collected.reply()

    async def aclose(self) -> None:
        """End the stream and let go of what it holds; from any task, as often as you like.

        A task that is reading at that time sees the stream end quietly. The reply's
        `finish_reason` is "cancelled" unless the answer was whole.
        """
        await self.end(None)

    async def end(self, error: AsyncLLMError | None) -> None:
        """Close the stream; with an `error`, whoever reads on gets it. For session managers."""
        self._check_loop()
        self._stop(error)
        if self._reader is not None:
            self._reader_gone = self._reader_gone or asyncio.Event()
            await self._reader_gone.wait()
        await self._closed()

    async def _next(self, *, is_text: bool = True) -> Any:
        """Return the next text, or the next item; all that a token needs is in this one frame."""
        while True:
            for item in self._batch:
                if not is_text or type(item) is str:
                    return item
            if self._has_ended or self._reader is not None:
                await self._refuse()
            self._start_read()
            batch: list[Item] | None = None
            try:
                source = self._source
                batch = await (self._first_batch() if source is None else source.__anext__())
            except BaseException as error:
                if await self._has_failed(error):
                    raise  # that very one: a cancel scope knows its own by what it says
            else:
                self._end_read(batch)
            if batch is None or self._is_interrupted or self._collected.room < 0:
                await self._end_source()
            else:
                self._batch = iter(batch)

    if TYPE_CHECKING:

        async def __anext__(self) -> str:
            """Return the next text."""
            ...
    else:
        __anext__ = _next

    async def _refuse(self) -> None:
        """Raise why nothing can be read."""
        self._check_loop()
        if not self._has_ended:
            raise RuntimeError("this stream is being read by another task")
        await self._closed()
        if self._error is None:
            raise StopAsyncIteration
        raise self._error.with_traceback(self._traceback)  # which each raise would lengthen

    async def _first_batch(self) -> list[Item]:
        begun = await self._begin()
        del self._begin  # with what it would take to begin again
        self._source, self._lease, self._on_finish = begun.source, begun.lease, begun.on_finish
        self._collected.model = begun.model or self._collected.model
        if begun.batch is None:
            raise StopAsyncIteration
        return begun.batch

    async def _has_failed(self, error: BaseException) -> bool:
        """Give back what the answer holds, as `error` ended it; tell whether that is a failure.

        Raises:
            BaseException: what came meanwhile, a cancellation say, and is one.

        """
        if self._lease is not None:
            try:
                await self._lease.aclose()
            except BaseException as later:
                if self._is_failure(later):
                    raise
                return False
        return self._is_failure(error)

    def _is_failure(self, error: BaseException) -> bool:
        """Take that a read ended by `error`; tell whether the stream has failed by it."""
        is_ours_alone = self._end_read(None)
        if isinstance(error, StopAsyncIteration):
            return False
        if is_ours_alone and isinstance(error, asyncio.CancelledError):
            return False
        self._conclude(error if isinstance(error, Exception) else None)
        return True

    def _start_read(self) -> None:
        watchdog = self._watchdog or self._start_watching()
        task = self._reader = watchdog.current_task()
        self._cancelling = task.cancelling()
        if self._collected.finish_reason is None:  # what is left to do then is bounded by itself
            watchdog.wait()

    def _check_loop(self) -> None:
        """Refuse to touch, in another event loop, what has yet to end in its own."""
        is_settled = self._has_ended and (self._closing is None or self._closing.done())
        if self._watchdog is not None and not is_settled:
            self._watchdog.current_task()

    def _end_read(self, batch: list[Item] | None) -> bool:
        """Take what a read brought; tell whether it was interrupted, and cancelled by nobody."""
        collected, watchdog = self._collected, self._watchdog
        content = batch is not None and collected.add(batch)
        reader, self._reader = self._reader, None
        if watchdog is not None:
            watchdog.arrived(content=content)
            if collected.finish_reason is not None:
                watchdog.stop()
                on_finish, self._on_finish = self._on_finish, None
                if on_finish is not None:
                    on_finish()
        if reader is None or not self._is_interrupted:
            return False
        return reader.uncancel() <= self._cancelling

    async def _end_source(self) -> None:
        if self._collected.room < 0:
            self._error = self._collected.refuse()
        elif not self._is_interrupted and self._collected.finish_reason is None:
            self._error = StreamInterrupted("the answer ended without the sign that it is whole")
        lease = self._lease
        self._conclude(self._error)
        if lease is not None:
            await lease.aclose()  # nothing is left to do but where it did not end by itself

    def _start_watching(self) -> Watchdog:
        if self._owner is not None:
            self._owner.attach(self)
        # Weak, so that a timer does not keep alive a stream that its caller has dropped.
        self._watchdog = Watchdog(self._timeouts, weakref.WeakMethod(self._stop))
        return self._watchdog

    def _stop(self, error: AsyncLLMError | None) -> None:
        """End the stream now: what has to be waited for goes on in the reader, or in a task."""
        if self._reader is not None:
            self._interrupt(error)
        elif not self._has_ended:
            lease = self._lease
            self._conclude(error)
            if lease is not None:
                self._closing = asyncio.create_task(_close(lease))

    async def _closed(self) -> None:
        """Wait until what `_stop` began is done."""
        if self._closing is not None:
            await wait_through(self._closing)

    def _interrupt(self, error: AsyncLLMError | None) -> None:
        """Make the reading task's read end now."""
        reader = self._reader
        # One that is cancelled, by us or by somebody else, is about to end, and to say so.
        if reader is None or reader.cancelling() > self._cancelling:
            return
        self._is_interrupted = True
        self._error = error
        reader.cancel()

    def _conclude(self, error: Exception | None) -> None:
        """Be ended from now on; nothing here waits."""
        self._has_ended = True
        self._batch = iter(())
        self._source = self._lease = self._on_finish = None
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._owner is not None:
            self._owner.detach(self)
        if error is None:
            self._collected.close()
        elif isinstance(error, AsyncLLMError):
            error.redact(self._secrets)  # it may be a provider's own, and never have passed `http`
            error.reply = self.reply
        self._error = error
        self._traceback = None if error is None else error.__traceback__
        if self._reader_gone is not None:
            self._reader_gone.set()


class _Events:
    """Iterates over the items of a stream."""

    def __init__(self, next_item: Callable[..., Coroutine[object, object, Item]]) -> None:
        self._next_item = next_item

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[object, object, Item]:
        return self._next_item(is_text=False)


class _Collected:
    """What has arrived of an answer; text is joined once for each read, and once when asked for."""

    __slots__ = (
        "_keep",
        "_max_bytes",
        "_reasoning",
        "_texts",
        "_tool_calls",
        "_usage",
        "finish_reason",
        "model",
        "room",
    )

    def __init__(self, model: str, max_bytes: int, *, keep: bool) -> None:
        self.model = model
        self.room = self._max_bytes = max_bytes  # of memory; below zero once that is too little
        self._keep = keep
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._tool_calls: list[ToolCall] = []
        self._usage: Usage | None = None
        self.finish_reason: str | None = None

    def add(self, batch: list[Item]) -> bool:
        """Add a batch, and tell whether it is more than pings; an empty one is."""
        text, events = parts_of(batch)
        if events:
            told = [self._add_event(event) for event in events]
            if not (text or any(told)):
                return False
        self._keep_text(self._texts, text)
        return True

    def close(self) -> None:
        """Say that nothing more comes, whether the answer is whole or not."""
        self.finish_reason = self.finish_reason or _CANCELLED

    def refuse(self) -> ReplyTooLargeError:
        """Say that the answer has failed, also where all of it has come."""
        self.finish_reason = None
        return ReplyTooLargeError(
            f"the reply takes more than {self._max_bytes} bytes (SessionManager.max_reply_bytes); "
            "stream with keep=False to read longer ones"
        )

    def reply(self) -> Reply:
        return Reply(
            text="".join(self._texts),
            reasoning="".join(self._reasoning),
            tool_calls=tuple(self._tool_calls),
            usage=self._usage,
            finish_reason=self.finish_reason,
            model=self.model,
        )

    def _add_event(self, item: Event) -> bool:
        """Add what is no text, and tell whether it is more than a ping."""
        match item:
            case Reasoning():
                self._keep_text(self._reasoning, item.text)
            case ToolCall():
                self._tool_calls.append(item)
                for part in (item.id, item.name, item.arguments):
                    self.room -= part.__sizeof__()
            case Usage():
                self._usage = item
            case Finish():
                self.finish_reason = item.reason
            case Ping():
                return False
            case _:
                assert_never(item)
        return True

    def _keep_text(self, texts: list[str], text: str) -> None:
        if text and self._keep:
            texts.append(text)
            self.room -= text.__sizeof__()


async def _close(lease: AsyncGenerator[object, None]) -> None:
    await lease.aclose()
