"""`Completion`: what `complete()` returns, for `await`."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from typing_extensions import override

from asyncllm.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_Function = TypeVar("_Function", bound="Callable[..., Coroutine[Any, Any, Reply]]")
_INSTEAD = "write `reply = await provider.complete(…)`"


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
        if name == "_work":  # of an instance that was made without it, as by `copy`
            raise AttributeError(name)
        if hasattr(Reply, name) and not name.startswith("_"):
            self.close()  # or it would be warned of as never awaited
            raise AttributeError(f"await complete() first, then its reply has {name}: {_INSTEAD}")
        # Names and frames, which tasks and debuggers show.
        return getattr(self._work, name)

    @override
    def __reduce__(self) -> NoReturn:
        raise TypeError("what complete() returns can't be copied: await it once, and use its reply")

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
            self._refuse("or iterate over `provider.stream(…)`")

        def __iter__(self) -> NoReturn:
            self._refuse("or in blocking code `reply = run_sync(provider.complete(…))`")

        def __aenter__(self) -> NoReturn:
            self._refuse("or `async with provider.stream(…) as stream:`")

        def __aexit__(self, *_: object) -> None:
            """Exist, or Python would not even try to enter."""

        def _refuse(self, otherwise: str) -> NoReturn:
            self.close()  # or it would be warned of as never awaited
            raise TypeError(
                f"complete() must be awaited, and returns the whole reply: {_INSTEAD}, {otherwise}"
            )


def completion(function: _Function) -> _Function:
    """Have a method that is an `async def` return a `Completion`.

    For type checkers and editors, and for mocks, it stays the `async def` that it is written as.
    """

    @functools.wraps(function)
    def started(self: object, *args: object, **asked: object) -> Completion:
        if "keep" in asked:
            raise TypeError(
                "complete() keeps the whole reply, so it has no option keep: write "
                "`provider.stream(…, keep=False)`"
            )
        return Completion(
            function(self, *args, **asked), f"{type(self).__name__}.{function.__name__}"
        )

    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(started)
    else:
        # What `inspect` has for it came with Python 3.12; before, asyncio looks at an attribute.
        vars(started)["_is_coroutine"] = vars(asyncio.coroutines)["_is_coroutine"]
    return cast("_Function", started)
