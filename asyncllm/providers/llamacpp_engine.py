"""A model in this process: loaded once, and the threads that generate with it.

Facts of the binding, `xllamacpp` 2026.10: `Server(params)` loads, and raises `RuntimeError` where
it can't. `handle_chat_completions(body, callback)` stays in its thread until the answer has ended.
It calls back with each chunk of OpenAI's format, as bytes where the body is bytes, and ends the
answer where that returns True. A server that is let go of before it has answered anything may hang,
with the whole process. It also listens on a port of this machine, which can't be turned
off: a random key keeps others out.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections import deque
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from asyncllm.errors import ConfigurationError, StreamInterrupted
from asyncllm.hints import near_miss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

CLOSED = "the model was closed before the answer was complete"
"""What a reader is told whose answer `close` has ended."""

_MOST_CHUNKS = 256  # that wait for their reader; then the model's thread waits
_QUIET = -1
_SECONDS_TO_STOP = 30.0  # of a thread that reads a long prompt on a slow machine


class Settings(NamedTuple):
    """How a model is loaded.

    Attributes:
        context: tokens that one answer may take, what was asked included.
        parallel: how many answers may be generated at once; others wait.
        threads: how many threads compute; None for one fewer than there are processors.
        gpu_layers: how many layers go to the GPU; None for as many as fit.
        others: fields of xllamacpp's `CommonParams`, by their names.

    """

    context: int
    parallel: int
    threads: int | None
    gpu_layers: int | None
    others: Mapping[str, object]


class Generation:
    """One answer: what the model's thread has brought, and its reader has not taken.

    Args:
        body: what is asked, JSON.
        wake: is called, in the model's thread, where something has come or all is over.

    Attributes:
        body: as given.
        failure: what the binding raised, or None.

    """

    __slots__ = ("_chunks", "_is_over", "_is_stopped", "_room", "_wake", "body", "failure")

    def __init__(self, body: bytes, wake: Callable[[], None]) -> None:
        self.body = body
        self.failure: Exception | None = None
        self._wake = wake
        self._chunks: list[bytes] = []
        self._room = threading.Condition()
        self._is_over = self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        """Whether nobody wants it any more."""
        return self._is_stopped

    def hear(self, chunk: bytes) -> bool:
        """Take a chunk, in the model's thread, and tell whether to stop; it waits for room."""
        with self._room:
            while len(self._chunks) >= _MOST_CHUNKS and not self._is_stopped:
                self._room.wait()
            if self._is_stopped:
                return True
            self._chunks.append(chunk)
            is_first = len(self._chunks) == 1
        if is_first:
            self._wake()
        return self._is_stopped

    def take(self) -> tuple[list[bytes], bool]:
        """Return what has come, and whether nothing more will."""
        with self._room:
            chunks, self._chunks = self._chunks, []
            self._room.notify()
            return chunks, self._is_over

    def stop(self) -> None:
        """End it with the token that is being computed; a plain function call."""
        with self._room:
            self._is_stopped = True
            self._chunks = []
            self._room.notify()

    def end(self) -> None:
        """Say, in the model's thread, that nothing more comes."""
        with self._room:
            self._is_over = True
        self._wake()


class Engine:
    """A model that is loaded, and its threads: one for each answer that is being generated.

    Args:
        path: the model.
        settings: how to load it.

    Raises:
        ConfigurationError: it can't be loaded, or a setting is none.

    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._server: Any = _loaded(path, settings)
        self._parallel = settings.parallel
        self._lock = threading.Lock()
        self._waiting: deque[Generation] = deque()
        self._running: dict[threading.Thread, Generation] = {}

    def start(self, generation: Generation) -> None:
        """Generate an answer, once as many others have ended as it takes.

        Raises:
            StreamInterrupted: the model was closed.

        """
        with self._lock:
            if self._server is None:
                raise StreamInterrupted(CLOSED)
            if len(self._running) >= self._parallel:
                self._waiting.append(generation)
            else:
                self._begin(generation)

    def forget(self, generation: Generation) -> None:
        """Stop a generation, also one that has not begun; a plain function call."""
        generation.stop()
        with self._lock:
            if generation in self._waiting:
                self._waiting.remove(generation)

    def close(self) -> None:
        """End every generation, wait for their threads, and unload the model."""
        with self._lock:
            self._server = None
            waiting, running = [*self._waiting], dict(self._running)
            self._waiting.clear()
        for generation in (*waiting, *running.values()):
            generation.stop()
        for generation in waiting:
            generation.end()
        for thread in running:
            if thread is not threading.current_thread():
                thread.join(_SECONDS_TO_STOP)

    def _begin(self, generation: Generation) -> None:
        """Begin a generation, with the lock held."""
        # A daemon: what forgets to close a stream must not keep the program from its end.
        thread = threading.Thread(target=self._work, name="asyncllm-llamacpp", daemon=True)
        self._running[thread] = generation
        thread.start()

    def _work(self) -> None:
        """Generate one answer after the other, while some wait."""
        thread = threading.current_thread()
        while True:
            with self._lock:
                generation, server = self._running[thread], self._server
            if server is not None:
                _generate(server, generation)
            del server  # the last one to let go of it unloads the model
            generation.end()
            with self._lock:
                if not self._waiting:
                    del self._running[thread]
                    return
                self._running[thread] = self._waiting.popleft()


def _generate(server: Any, generation: Generation) -> None:
    if generation.is_stopped:
        return
    try:
        server.handle_chat_completions(generation.body, generation.hear)
    except Exception as error:  # noqa: BLE001 - whatever it is, its reader is to hear of it
        generation.failure = error.with_traceback(None)


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _loaded(path: Path, settings: Settings) -> Any:
    """Return the binding's server with a model.

    Raises:
        ConfigurationError: it can't be loaded, or a setting is none.

    """
    xllamacpp: Any = import_module("xllamacpp")  # an extra
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {path.stem}
    params.verbosity = _QUIET
    params.port = 0
    params.api_keys = [secrets.token_urlsafe(32)]
    params.ui = False
    params.n_parallel = settings.parallel
    params.n_ctx = settings.context * settings.parallel
    # They wait for each other at every layer, in busy loops: where the event loop takes one of
    # their processors, a token takes a hundred times as long.
    params.cpuparams.n_threads = settings.threads or max(1, _processors() - 1)
    if settings.gpu_layers is not None:
        params.n_gpu_layers = settings.gpu_layers
    for name, value in settings.others.items():
        if name.startswith("_") or not hasattr(params, name):
            near = near_miss(name, [each for each in dir(params) if not each.startswith("_")])
            hint = f": did you mean {near}?" if near else ""
            raise ConfigurationError(f"xllamacpp's CommonParams has no {name}{hint}")
        setattr(params, name, value)
    try:
        server = xllamacpp.Server(params)
    except RuntimeError:
        pass
    else:
        # Its loop runs in a thread: to unload it before that has begun hangs for ever.
        with contextlib.suppress(Exception):
            server.handle_completions({"prompt": "x", "n_predict": 0})
        return server
    raise ConfigurationError(
        f"llama.cpp can't load {path.name}: is the file complete, does this llama.cpp know its "
        "kind, and is there enough memory? options={'verbosity': 3} makes it say why"
    )
