"""The event loop of `run_sync`: one for the process, in a thread of its own.

It is started when first needed, and closed at exit, with every session manager in it.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401 - can't be imported once the main thread has ended
import logging
import os
import sys
import threading
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from asyncllm.errors import ConfigurationError
from asyncllm.options import environment_accelerates
from asyncllm.session.manager import close_managers
from asyncllm.sync.waiting import result_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

log = logging.getLogger("asyncllm")

_T = TypeVar("_T")
_BLOCKED_SECONDS = 10.0  # in which a loop that is not blocked calls a function, however busy
_LEFT = "conversations may be left on servers"
_UNWINDING_SECONDS = 2.0  # for tasks that are cancelled at exit, after all managers are closed


class Background:
    """The event loop of `run_sync`, in its thread, which makes it.

    A KeyboardInterrupt strikes in the main thread only. It can cut `open` short there at any
    point, and `open` and `close` still know what there is.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._making = threading.Lock()
        self._is_closed = False

    @property
    def is_here(self) -> bool:
        """Whether the caller runs in the loop's own thread."""
        return self._thread is threading.current_thread()

    @property
    def is_ours(self) -> bool:
        """Whether this process started it; in a forked child nothing runs its loop."""
        return self._process == os.getpid()

    def open(self) -> None:
        """Start the thread where there is none, and wait until it has made the loop.

        Raises:
            ConfigurationError: there can't be another thread.
            OSError: there can't be an event loop, as too many files are open, say.

        """
        if self._loop is not None:
            return
        made = Future[None]()
        try:
            threading.Thread(
                target=self._run, args=(made,), name="asyncllm run_sync", daemon=True
            ).start()
        except RuntimeError as error:
            raise ConfigurationError(
                f"run_sync can't start the thread of its event loop ({error}): Python 3.12 "
                "starts no thread after the main one has ended; use run_sync before that, or "
                "let the main "
                "thread join this one"
            ) from error
        result_of(made)

    def call(self, function: Any) -> None:
        """Call `function` in the loop, soon; never where the loop has ended."""
        with suppress(RuntimeError):
            if self.is_ours and self._loop is not None:
                self._loop.call_soon_threadsafe(function)

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Start `coroutine` in the loop, which is open."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Close every session manager of the loop, end what still runs, and end the thread.

        It takes about the longest `grace` of a manager. Ctrl-C does not cut it short: what it
        waits for is bounded, and would be left on servers otherwise. A second Ctrl-C does, and so
        does a loop that something blocks.
        """
        with self._making:  # a thread that is just beginning either has made the loop or never does
            self._is_closed = True
        if self._loop is None or self._thread is None:
            return
        closing = self.start(_close_all())
        interruptions = 0
        while self._thread.is_alive():
            try:
                if self._is_over(closing):
                    self.call(self._loop.stop)
                    self._thread.join(1.0)
                elif self._is_blocked():
                    log.warning("run_sync: something blocks the event loop, so %s", _LEFT)
                    return
            except KeyboardInterrupt:
                interruptions += 1
                if interruptions > 1:
                    log.warning("run_sync: interrupted while it was closing, so %s", _LEFT)
                    return

    def _is_over(self, closing: Future[None]) -> bool:
        """Wait a second, and tell whether everything is closed."""
        with suppress(CancelledError, FutureTimeoutError):
            closing.result(1.0)
        return closing.done()

    def _is_blocked(self) -> bool:
        answered = threading.Event()
        self.call(answered.set)
        return not answered.wait(_BLOCKED_SECONDS)

    def _new_task(
        self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any
    ) -> asyncio.Task[Any]:
        """Make a task that lives until it has ended.

        A loop itself does not hold its tasks: what a consumer in another thread has dropped, and
        what waits for that consumer, would be garbage together, and destroyed amid its work.
        """
        task = asyncio.Task(work, loop=loop, **options)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _run(self, made: Future[None]) -> None:
        try:
            loop = self._make()
        except BaseException as error:  # noqa: BLE001 - for the thread that waits
            made.set_exception(error)
            return
        made.set_result(None)
        if loop is None:
            return
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _make(self) -> asyncio.AbstractEventLoop | None:
        """Make the loop, unless another thread has, or nobody needs it any longer."""
        with self._making:
            if self._loop is not None or self._is_closed:
                return None
            loop = _new_loop()
            loop.set_task_factory(self._new_task)
            self._loop, self._thread = loop, threading.current_thread()
            return loop


async def _close_all() -> None:
    """Close every session manager, and cancel what is left then."""
    await close_managers()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=_UNWINDING_SECONDS)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()


def _new_loop() -> asyncio.AbstractEventLoop:
    is_wanted = environment_accelerates() and not _has_green_threads()
    if not is_wanted or find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    from asyncllm.sync.uv import ForkableLoop  # noqa: PLC0415 - an extra

    return ForkableLoop()


def _has_green_threads() -> bool:
    """Tell whether gevent has made threads of one real thread, which uvloop would block.

    asyncio's own event loop waits in a `select` that gevent has made give way to the others.
    """
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


_background: Background | None = None
_of_the_parent: list[Background | None] = []
_starting = threading.Lock()


def running() -> Background:
    """Return the background loop, which is started when first needed."""
    global _background  # noqa: PLW0603 - there is one for the process
    with _starting:
        background = _background = _background or Background()
        background.open()
    if background.is_here:
        raise ConfigurationError(
            "run_sync was called on the thread of its own event loop, which would wait for itself "
            "for ever: use await there"
        )
    return background


@atexit.register
def _shut_down() -> None:
    global _background
    background, _background = _background, None
    if background is not None:
        background.close()


def _start_anew() -> None:
    """Let a forked child start a loop of its own: nothing runs its parent's there.

    The parent's is kept all the same, as collecting it would close what the two share.
    """
    global _background, _starting
    _of_the_parent.append(_background)
    _background, _starting = None, threading.Lock()  # which another thread may have held


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
