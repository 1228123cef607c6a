"""The models of one provider that are loaded, or being loaded."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from asyncllm.providers.llamacpp_engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asyncllm.providers.llamacpp_engine import Settings

_T = TypeVar("_T")
_all: WeakSet[LoadedModels] = WeakSet()


class LoadedModels:
    """The models that are loaded, or being loaded, by their paths.

    Args:
        settings: how each is loaded.

    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._closing = threading.Lock()
        self._loading: dict[Path, Future[Engine]] = {}
        _all.add(self)

    def get(self, path: Path) -> Future[Engine]:
        """Return a model, perhaps one that is still being loaded."""
        with self._lock:
            loading = self._loading.get(path)
            if loading is None or (loading.done() and loading.exception() is not None):
                loading = self._loading[path] = _future_of(lambda: Engine(path, self._settings))
            return loading

    def close(self) -> None:
        """Unload all of them, and wait until that is done."""
        with self._closing:  # so that who comes second waits as well
            with self._lock:
                loading, self._loading = self._loading, {}
            for each in loading.values():
                with contextlib.suppress(Exception):
                    each.result().close()

    def let_go(self) -> None:
        """Unload all of them, without waiting: it may be a model's own thread that calls."""
        if self._loading:
            threading.Thread(target=self.close, daemon=True).start()


async def in_thread(work: Callable[[], _T]) -> _T:
    """Return what `work` returns, done in a thread of its own."""
    return await asyncio.wrap_future(_future_of(work))


def _future_of(work: Callable[[], _T]) -> Future[_T]:
    """Do `work` in a thread of its own, which ends with it."""
    future: Future[_T] = Future()
    future.set_running_or_notify_cancel()  # or who waits for it could cancel it

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - who waits for it hears of it
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="asyncllm-llamacpp-load", daemon=True).start()
    return future


@atexit.register
def _close_all() -> None:
    """Unload every model: threads that load or compute must not meet the interpreter's end."""
    for models in list(_all):
        models.close()
