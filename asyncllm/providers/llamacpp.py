"""LlamaCpp: a model in this process, run by llama.cpp; no server, and no network."""

from __future__ import annotations

import asyncio
import copy
import importlib.util
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from typing_extensions import override

from asyncllm.base.foreign import own_messages
from asyncllm.base.provider import Provider
from asyncllm.base.request import Request, with_body
from asyncllm.errors import AsyncLLMError, ConfigurationError
from asyncllm.framing.json import encode_json
from asyncllm.hints import check_kind
from asyncllm.options import Timeouts
from asyncllm.providers.llamacpp_engine import Settings
from asyncllm.providers.llamacpp_loading import LoadedModels, in_thread
from asyncllm.providers.llamacpp_reading import GenerationReading
from asyncllm.stream.begun import Begun, begin_under
from asyncllm.wires.openai_chat import openai_messages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from asyncllm.base.provider import Begin
    from asyncllm.base.request import Question
    from asyncllm.providers.llamacpp_engine import Engine
    from asyncllm.session import SessionManager

_MAGIC = b"GGUF"
_BINDING = "xllamacpp"
_CONTEXT, _PARALLEL = 8192, 2


class LlamaCpp(Provider):
    """A model in your process: a GGUF file, and no server.

    The first stream loads the model. It stays loaded until `aclose()`, until the block of
    `async with LlamaCpp(…) as llm:` ends, until its session manager is closed, or until nothing
    refers to this provider any more. Answers are generated in separate threads, with the chat
    template of the file. `stream(model="other.gguf")` loads another model beside it.

    Parameters are passed to llama.cpp by their names, as to its server: `temperature`,
    `max_tokens`, `tools`, `response_format`, `grammar` and so on.

    Args:
        model: the path of a GGUF file; default: `ASYNCLLM_MODEL` in the environment.
        context: how many tokens one answer may take, including the prompt; if the model was trained
            with fewer, that number.
        parallel: how many answers are generated at once; others wait for their turn.
        threads: how many threads compute; default: one fewer than there are processors, which
            leaves one for the event loop.
        gpu_layers: how many layers go to the GPU, if there is one; default: as many as fit.
        options: other fields of xllamacpp's `CommonParams`, by their names.
        sessions: the session manager that ends its streams, and unloads the model, when it is
            closed.
        timeouts: the limits of its streams. Loading counts towards `first_token`, whose default is
            ten minutes here; that of `stall` is two.

    Raises:
        ConfigurationError: the extra `llamacpp` is not installed, there is no such file, or an
            option can't be used.

    """

    wire: ClassVar[str] = "in process"
    carries = frozenset({"reasoning", "tools", "structured output", "usage"})
    elsewhere: ClassVar[Mapping[str, str]] = {
        **Provider.elsewhere,
        "base_url": 'for a llama-server use provider("llamacpp-server")',
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
        self._engines = LoadedModels(self._settings)
        # At the program's end all of them are unloaded anyway.
        weakref.finalize(self, self._engines.let_go).atexit = False

    @override
    def __repr__(self) -> str:
        return f"<asyncllm.LlamaCpp {self.model}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop all generation and unload the models; the next stream loads its model again."""
        await asyncio.shield(in_thread(self._engines.close))

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
            reason = "it is not a GGUF file"
        raise ConfigurationError(
            f"there is no model at {model!r}: {reason}; LlamaCpp runs a GGUF file; for a "
            'llama-server use provider("llamacpp-server")'
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
        if question.proxy is not None:
            raise ConfigurationError("LlamaCpp uses no network: leave out proxy")
        path = Path(question.model)
        request = Request(
            base_url="",
            model=question.model,
            messages=own_messages(question.messages, self.wire),
            params=question.params,
            extra=question.extra,
        )
        body = with_body(request, _encoded).body

        async def begin() -> Begun:
            return await begin_under(self._answering(path, body))

        return begin

    async def _answering(self, path: Path, body: bytes) -> AsyncGenerator[Begun, None]:
        """Generate, and stand at the only `yield` while the answer is read."""
        if self._sessions is not None:
            self._sessions.at_close(self.aclose)
        engine = await self._loaded(path)
        reading = GenerationReading(body)
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


def _encoded(request: Request) -> bytes:
    return encode_json(
        {
            "messages": openai_messages(request.messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,  # so that reading a long prompt can be stopped too
            **request.given,
        }
    )


_NO_MODEL = "LlamaCpp needs a model: pass model=, the path of a GGUF file, or set ASYNCLLM_MODEL"
