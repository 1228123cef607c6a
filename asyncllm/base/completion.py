"""`Completion`: what `complete()` returns, for `await`."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from typing_extensions import override

from asyncllm.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_Function = TypeVar("_Function", bound="Callable[..., object]")


class Completion(Coroutine[Any, Any, Reply]):
    """A coroutine that says what to write instead where somebody iterates over it.

    Args:
        work: the coroutine that it stands for.
        name: what tasks and warnings call it.

    """

    __slots__ = ("_work",)

    def __init__(self, work: Coroutine[Any, Any, Reply], name: str) -> None:
        work.__qualname__ = name  # type: ignore[attr-defined] # typeshed knows it of functions
        self._work = work

    def __getattr__(self, name: str) -> Any:
        # Names and frames, which tasks and debuggers show.
        return getattr(self._work, name)

    @override
    def __await__(self) -> Generator[Any, Any, Reply]:
        return self._work.__await__()

    @override
    def send(self, value: Any) -> Any:
        return self._work.send(value)

    @override
    def throw(self, *error: Any) -> Any:
        return self._work.throw(*error)

    @override
    def close(self) -> None:
        self._work.close()

    if not TYPE_CHECKING:  # type checkers find this mistake as long as they don't see it

        def __aiter__(self) -> NoReturn:
            self.close()  # or it would be warned of as never awaited
            raise TypeError(
                "complete() is awaited, and returns the whole reply: write `reply = await "
                "provider.complete(…)`, or iterate over `provider.stream(…)`"
            )


def coroutine_function(function: _Function) -> _Function:
    """Have a function that returns a `Completion` taken for an `async def`, as by mocks."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    # What `inspect` has for it came with Python 3.12; before, asyncio looks at an attribute.
    vars(function)["_is_coroutine"] = vars(asyncio.coroutines)["_is_coroutine"]
    return function
