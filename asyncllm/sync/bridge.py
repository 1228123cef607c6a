"""`run_sync`: asynchronous things used from code that knows nothing of asyncio.

One event loop for the process runs in a thread of its own. What is waited for runs there as a
task; a stream is read there by a pump.

A KeyboardInterrupt can strike between any two byte codes of the main thread. So nothing here
holds a lock across a wait, and whatever was started is known to the loop, which ends it at exit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from typing_extensions import override

from asyncllm.errors import ConfigurationError
from asyncllm.stream.stream import Stream
from asyncllm.sync.loop import running
from asyncllm.sync.pump import Pump
from asyncllm.sync.waiting import result_of

if TYPE_CHECKING:
    from types import TracebackType

    from asyncllm.reply import Reply
    from asyncllm.sync.loop import Background

_T = TypeVar("_T")


@overload
def run_sync(x: Stream) -> SyncStream: ...
@overload
def run_sync(x: AsyncIterator[_T]) -> SyncIterator[_T]: ...
@overload
def run_sync(x: Awaitable[_T]) -> _T: ...
@overload
def run_sync(x: AbstractAsyncContextManager[_T]) -> AbstractContextManager[_T]: ...
def run_sync(x: Any) -> Any:
    """Use `x` from blocking code: in a script, in any thread, in a notebook.

    Args:
        x: an awaitable, to get its result; a `Stream` or another async iterator, to iterate over in
            a plain `for` loop; or an async context manager such as a `SessionManager`, to enter in
            a plain `with`.

    Returns:
        The awaitable's result; a blocking iterator, which is also a context manager; or a blocking
        context manager.

    Raises:
        ConfigurationError: `x` is none of these, or this is the thread of `run_sync`'s own event
            loop, where waiting would never end.
        Exception: whatever the awaitable raises.

    """
    if isinstance(x, Stream):
        return SyncStream(x)
    if isinstance(x, AsyncIterator):
        return SyncIterator(x)
    if isinstance(x, Awaitable):
        return _result_of(x)
    if isinstance(x, AbstractAsyncContextManager):
        return _SyncContext(x)
    raise ConfigurationError(
        "run_sync takes an awaitable, a stream or another async iterator, or an async context "
        f"manager, not {type(x).__name__}"
    )


class SyncIterator(Iterator[_T], Generic[_T]):
    """A blocking iterator over an asynchronous one.

    It closes its source when you leave its loop by `break` or an exception, call `close()`, leave
    its `with` block, or drop it.
    """

    def __init__(self, source: AsyncIterator[_T] | Stream) -> None:
        self._source = source
        self._batch: Iterator[_T] = iter(())
        self._pump: Pump[_T] | None = None
        self._has_ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @override
    def __iter__(self) -> Self:
        return self

    @override
    def __next__(self) -> _T:
        while True:
            for item in self._batch:
                return item
            self._batch = iter(self._next_batch())

    def __del__(self) -> None:
        if self._pump is not None:
            self._pump.cancel()

    def close(self) -> None:
        """Close the source and wait until that is done."""
        self._has_ended = True
        self._batch = iter(())
        if self._pump is not None:
            self._pump.cancel()
            self._pump.wait()

    def _next_batch(self) -> list[_T]:
        if self._has_ended:
            raise StopIteration
        try:
            if self._pump is None:
                self._pump = Pump(self._source, running())
                self._pump.start()
            batch = self._pump.take()
        except BaseException:
            # Also a KeyboardInterrupt: nobody will come back for the rest.
            self._has_ended = True
            if self._pump is not None:
                self._pump.cancel()
            raise
        if batch is None:
            self._has_ended = True
            raise StopIteration
        return batch


class SyncStream(SyncIterator[str]):
    """A blocking iterator over the text of a stream."""

    _source: Stream

    @property
    def reply(self) -> Reply:
        """What has arrived so far."""
        return self._source.reply


class _SyncContext(AbstractContextManager[_T]):
    """A blocking context manager around an asynchronous one, entered and left by one task."""

    def __init__(self, context: AbstractAsyncContextManager[_T]) -> None:
        self._context = context
        self._entered: Future[_T] = Future()
        self._leaving: Future[tuple[Any, Any, Any]] = Future()
        self._held: Future[bool | None] | None = None
        self._background: Background | None = None

    @override
    def __enter__(self) -> _T:
        self._background = running()
        self._held = self._background.start(self._hold())
        try:
            return result_of(self._entered)
        except BaseException:
            self._held.cancel()
            raise

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._held is not None
        assert self._background is not None
        if not self._background.is_ours:
            return None  # the process that was forked leaves it
        self._leaving.set_result((kind, error, traceback))
        return result_of(self._held)

    async def _hold(self) -> bool | None:
        try:
            value = await self._context.__aenter__()
        except BaseException as error:
            self._entered.set_exception(error)
            raise
        why: tuple[Any, Any, Any] = (None, None, None)
        try:
            self._entered.set_result(value)
            why = await asyncio.wrap_future(self._leaving)
        finally:
            result = await self._context.__aexit__(*why)
        return result


def _result_of(awaitable: Awaitable[_T]) -> _T:
    work = awaitable if isinstance(awaitable, Coroutine) else _await(awaitable)
    future: Future[_T] | None = None
    try:
        future = running().start(work)
        return result_of(future)
    except BaseException:
        # A KeyboardInterrupt or a wrong thread; what has ended by itself is not changed by it.
        if future is None:
            work.close()
        else:
            future.cancel()
        raise


async def _await(awaitable: Awaitable[_T]) -> _T:
    return await awaitable
