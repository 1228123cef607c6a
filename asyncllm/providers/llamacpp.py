"""LlamaCpp: a model in this process, run by llama.cpp; no server, and no network."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import importlib.util
import os
import threading
import weakref
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from typing_extensions import override

from asyncllm.base.foreign import own_messages
from asyncllm.base.provider import Provider
from asyncllm.errors import AsyncLLMError, ConfigurationError
from asyncllm.framing.json import encode_json
from asyncllm.hints import check_kind
from asyncllm.options import Timeouts
from asyncllm.providers.llamacpp_engine import Engine, Generation, Settings
from asyncllm.stream.begun import Begun, begin_under
from asyncllm.wires.failures import Complaint, failure
from asyncllm.wires.openai_chat import ChatTranslator, openai_messages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from asyncllm.base.provider import Begin
    from asyncllm.base.request import Question
    from asyncllm.events import Item
    from asyncllm.session import SessionManager

_T = TypeVar("_T")
_MAGIC = b"GGUF"
_BINDING = "xllamacpp"
_BAD_REQUEST = 400
_CONTEXT, _PARALLEL = 8192, 2


class LlamaCpp(Provider):
    """A model in this process: a GGUF file, and no server.

    It is loaded by the first stream, and stays until `aclose()`, until the block of
    `async with LlamaCpp(…) as llm:` ends, until its session manager is closed, or until nobody has
    this provider any more. Answers are generated in threads of their own; the chat template is the
    file's. `stream(model="other.gguf")` loads another one beside it.

    Parameters go to llama.cpp by their names, as to its server: `temperature`, `max_tokens`,
    `tools`, `response_format`, `grammar` and so on.

    Args:
        model: the path of a GGUF file; default: `ASYNCLLM_MODEL` in the environment.
        context: how many tokens one answer may take, what was asked included; where the model was
            trained with fewer, it is these.
        parallel: how many answers are generated at once; others wait for their turn.
        threads: how many threads compute; default: one fewer than there are processors, which is
            for the event loop.
        gpu_layers: how many layers go to the GPU, where there is one; default: as many as fit.
        options: other fields of xllamacpp's `CommonParams`, by their names.
        sessions: the session manager that ends its streams, and unloads it, when it is closed.
        timeouts: the limits of its streams. Loading counts as a part of `first_token`, whose
            default is ten minutes here; that of `stall` is two.

    Raises:
        ConfigurationError: the extra `llamacpp` is not installed, there is no such file, or an
            option can't be used.

    """

    wire: ClassVar[str] = "in process"
    elsewhere: ClassVar[Mapping[str, str]] = {
        **Provider.elsewhere,
        "base_url": 'a llama-server is asked by provider("llamacpp-server")',
    }
    default_timeouts: ClassVar[Timeouts] = Timeouts(first_token=600.0, stall=120.0)

    def __init__(
        self,
        *,
        model: str | os.PathLike[str] | None = None,
        context: int = _CONTEXT,
        parallel: int = _PARALLEL,
        threads: int | None = None,
        gpu_layers: int | None = None,
        options: Mapping[str, object] | None = None,
        sessions: SessionManager | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        super().__init__(sessions=sessions, timeouts=timeouts)
        for name, number in {"context": context, "parallel": parallel, "threads": threads}.items():
            check_kind(name, number, int, "a whole number")
            if number is not None and number < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {number!r}")
        check_kind("gpu_layers", gpu_layers, int, "a whole number")
        check_kind("options", options, Mapping, "a mapping of fields of CommonParams")
        if importlib.util.find_spec(_BINDING) is None:
            raise ConfigurationError(
                "LlamaCpp needs the extra llamacpp: pip install 'asyncllm-sdk[llamacpp]'"
            )
        path = model or os.environ.get("ASYNCLLM_MODEL") or ""
        self.model = self.resolve_model(os.fspath(path)) if path else ""
        self._settings = Settings(context, parallel, threads, gpu_layers, dict(options or {}))
        self._engines = _Engines(self._settings)
        weakref.finalize(self, self._engines.let_go)

    @override
    def __repr__(self) -> str:
        return f"<asyncllm.LlamaCpp {self.model}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End its streams' generations and unload what is loaded; the next stream loads it anew."""
        await asyncio.shield(_in_thread(self._engines.close))

    @override
    def resolve_model(self, model: str) -> str:
        """Return the path of a model.

        Args:
            model: the path of a GGUF file.

        Raises:
            ConfigurationError: there is none.

        """
        path = Path(model).expanduser()
        try:
            with path.open("rb") as file:
                is_model = file.read(len(_MAGIC)) == _MAGIC
        except OSError as error:
            reason = error.strerror
        else:
            if is_model:
                return str(path)
            reason = "it is no GGUF file"
        raise ConfigurationError(
            f"there is no model at {model!r}: {reason}; LlamaCpp runs a GGUF file, and a "
            'llama-server is asked by provider("llamacpp-server")'
        )

    @override
    async def list_models(self) -> list[str]:
        """Return the path of its model.

        Raises:
            ConfigurationError: it has none.

        """
        if not self.model:
            raise ConfigurationError(_NO_MODEL)
        return [self.model]

    @override
    def prepare(self, question: Question) -> Begin:
        """Return what begins to answer; see `Provider`."""
        if not question.model:
            raise ConfigurationError(_NO_MODEL)
        path = Path(question.model)
        body = encode_json(
            {
                "messages": openai_messages(own_messages(question.messages, self.wire)),
                "stream": True,
                "stream_options": {"include_usage": True},
                "return_progress": True,  # so that reading a long prompt can be stopped too
                **question.params,
                **question.extra,
            },
        )

        async def begin() -> Begun:
            return await begin_under(self._answering(path, body))

        return begin

    async def _answering(self, path: Path, body: bytes) -> AsyncGenerator[Begun, None]:
        """Generate, and stand at the only `yield` while the answer is read."""
        if self._sessions is not None:
            self._sessions.at_close(self.aclose)
        engine = await self._loaded(path)
        reading = _Reading(body)
        try:
            engine.start(reading.generation)
            yield Begun(await anext(reading, None), reading, model=path.stem)
        finally:
            engine.forget(reading.generation)

    async def _loaded(self, path: Path) -> Engine:
        """Return a model, once it is loaded; who is cancelled meanwhile leaves it to the next.

        Raises:
            ConfigurationError: it can't be loaded.

        """
        try:
            return await asyncio.shield(asyncio.wrap_future(self._engines.get(path)))
        except AsyncLLMError as error:
            refusal = copy.copy(error)  # several may wait for it, and each adds its reply to it
        raise refusal


class _Engines:
    """The models that are loaded, or being loaded, by their paths."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._loading: dict[Path, Future[Engine]] = {}

    def get(self, path: Path) -> Future[Engine]:
        """Return a model, perhaps one that is still being loaded."""
        with self._lock:
            loading = self._loading.get(path)
            if loading is None or (loading.done() and loading.exception() is not None):
                loading = self._loading[path] = _future_of(lambda: Engine(path, self._settings))
            return loading

    def close(self) -> None:
        """Unload all of them, and wait until that is done."""
        with self._lock:
            loading, self._loading = self._loading, {}
        for each in loading.values():
            with contextlib.suppress(Exception):
                each.result().close()

    def let_go(self) -> None:
        """Unload all of them, without waiting: it may be a model's own thread that calls."""
        if self._loading:
            threading.Thread(target=self.close, daemon=True).start()


class _Reading(AsyncIterator["list[Item]"]):
    """What comes of one generation: a list of items for all that has come meanwhile.

    Args:
        body: what is asked.

    """

    def __init__(self, body: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._translator = ChatTranslator()
        self._failure: AsyncLLMError | None = None
        self._has_ended = False
        self.generation = Generation(body, self._wake)

    @override
    async def __anext__(self) -> list[Item]:
        """Return what has come.

        Raises:
            StopAsyncIteration: there is no more, and the answer is whole.
            AsyncLLMError: the answer failed.

        """
        translator = self._translator
        while not (self._has_ended or translator.is_done):
            self._news.clear()
            chunks, self._has_ended = self.generation.take()
            batch: list[Item] = []
            try:
                if chunks:
                    translator.feed([*chunks], batch)
                if self._has_ended and not translator.is_done:
                    self._check()
                    batch += translator.close()
            except AsyncLLMError as error:
                self._failure, self._has_ended = error, True  # behind what came before it
            if batch or (chunks and translator.is_building):
                return batch
            if not self._has_ended:
                await self._news.wait()
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    def _check(self) -> None:
        """Raise what the binding raised, if anything.

        Raises:
            AsyncLLMError: it did.

        """
        error = self.generation.failure
        if error is not None:
            status = _BAD_REQUEST if isinstance(error, ValueError) else 0
            raise failure(Complaint(str(error), status=status))

    def _wake(self) -> None:
        """Tell the reader, from the model's thread, that there is news."""
        with contextlib.suppress(RuntimeError):  # its loop is closed: nobody reads any more
            self._loop.call_soon_threadsafe(self._news.set)


async def _in_thread(work: Callable[[], _T]) -> _T:
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


_NO_MODEL = "LlamaCpp needs a model: give model=, the path of a GGUF file, or set ASYNCLLM_MODEL"
