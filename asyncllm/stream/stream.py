"""`Stream`: what a caller holds while an answer comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NoReturn, Self

from typing_extensions import override

from asyncllm.errors import StreamInterrupted
from asyncllm.events import Item, Restart
from asyncllm.options import MAX_REPLY_BYTES
from asyncllm.stream.answer import Answer
from asyncllm.stream.partial_reply import CANCELLED, PartialReply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asyncllm.options import Timeouts
    from asyncllm.reply import Reply
    from asyncllm.stream.answer import Owner
    from asyncllm.stream.begun import Begun


class Stream:
    """An answer in progress; nothing is sent until you iterate over it.

    `async for token in stream` yields its text, piece by piece; `events()` yields everything;
    `collect()` waits for the end. Close it with `aclose()`, or use it as
    `async with provider.stream(…) as stream:`.

    Iterating raises `AsyncLLMError` if the stream fails, with what had arrived as its `reply`. It
    does so again if you iterate again.

    Text that was given out can't be taken back. If an answer begins again, `events()` yields a
    `Restart` and the new text, and the reply has the new text; iterating over text alone raises
    `StreamInterrupted`.

    A stream with `keep=False` keeps neither text nor reasoning: its reply has everything else, and
    the answer may have any length.
    """

    __slots__ = ("__weakref__", "_answer", "_name", "_refusal")

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
        self._name = name
        self._refusal: StreamInterrupted | None = None
        partial = PartialReply(model, max_reply_bytes, keep=keep)
        self._answer = Answer(begin, partial, timeouts=timeouts, owner=owner, secrets=secrets)

    @override
    def __repr__(self) -> str:
        answer = self._answer
        return f"<asyncllm.Stream {self._name} {answer.partial.model} {answer.state.value}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """Return the next text."""
        answer = self._answer
        while True:
            for item in answer.unread:
                if isinstance(item, str):
                    return item
                if isinstance(item, Restart):
                    await self._check_restart(item)
            if self._refusal is not None:
                raise self._refusal
            if not await answer.read_batch():
                raise StopAsyncIteration

    if not TYPE_CHECKING:  # type checkers find these mistakes as long as they don't see them

        def __iter__(self) -> NoReturn:
            raise TypeError(
                "iterate over a stream with `async for token in stream`, or in blocking code "
                "with `for token in run_sync(stream)`"
            )

        def __await__(self) -> NoReturn:
            raise TypeError(
                "a stream can't be awaited: write `async with provider.stream(…) as stream:`, "
                "or `reply = await provider.complete(…)` for the whole reply"
            )

        def __enter__(self) -> NoReturn:
            raise TypeError(
                "enter a stream with `async with provider.stream(…) as stream:`, or in blocking "
                "code with `with run_sync(provider.stream(…)) as tokens:`"
            )

        def __exit__(self, *_: object) -> None:
            """Exist, or Python would not even try to enter."""

    def events(self) -> AsyncIterator[Item]:
        """Iterate over everything that arrives: text as `str`, and events.

        You may mix this with iterating over the stream itself: you get each item once.

        Raises:
            AsyncLLMError: while iterating; the stream failed.

        """
        return _Items(self._answer)

    async def read(self) -> list[str]:
        """Wait for text, and return all tokens that have arrived; an empty list at the end.

        Raises:
            AsyncLLMError: the stream failed.

        """
        answer = self._answer
        while True:
            items = list(answer.unread)
            texts = [item for item in items if isinstance(item, str)]
            if len(texts) != len(items):
                for item in items:
                    if isinstance(item, Restart):
                        await self._check_restart(item)
            if self._refusal is not None:
                raise self._refusal
            if texts or not await answer.read_batch():
                return texts

    async def collect(self) -> Reply:
        """Wait for the end and return the whole reply.

        Raises:
            StreamInterrupted: another task closed the stream before its end.
            AsyncLLMError: it failed.

        """
        while await self._answer.read_batch():
            pass  # the reply has what came
        reply = self.reply
        if reply.finish_reason == CANCELLED:
            error = StreamInterrupted("the stream was closed before the answer was complete")
            error.reply = reply
            raise error
        return reply

    @property
    def reply(self) -> Reply:
        """What has arrived so far."""
        return self._answer.partial.reply()

    async def aclose(self) -> None:
        """End the stream and release what it holds; from any task, as often as you like.

        A task that is reading at that moment sees its loop end normally. The reply's
        `finish_reason` is "cancelled" unless the answer was complete.
        """
        await self._answer.end(None)

    async def _check_restart(self, restart: Restart) -> None:
        """End the stream where its reader has seen what is taken back, and can't be told so.

        Raises:
            StreamInterrupted: its reader has.

        """
        if not restart.discarded:
            return
        self._refusal = StreamInterrupted(
            "the server took back what it had written and began again: use events(), which "
            "yields a Restart, or complete(), whose reply has the new text"
        )
        self._refusal.reply = self.reply
        self._answer.unread = iter(())
        await self._answer.end(self._refusal)
        raise self._refusal  # before what came with the same read


class _Items(AsyncIterator[Item]):
    """All items of an answer."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @override
    async def __anext__(self) -> Item:
        answer = self._answer
        while True:
            for item in answer.unread:
                return item
            if not await answer.read_batch():
                raise StopAsyncIteration
