"""Ollama, by its own wire: models on this machine, on another, or in Ollama's cloud.

Wire facts: Ollama's `docs/api.md` and `api/client.go`; its clients read OLLAMA_HOST and
OLLAMA_API_KEY.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from asyncllm.base.ask import Ask
from asyncllm.base.carried import EVERYTHING
from asyncllm.base.common import on_the_wire
from asyncllm.errors import AsyncLLMError, ConfigurationError, HTTPStatusError
from asyncllm.hints import check_kind
from asyncllm.options import Timeouts
from asyncllm.providers.keys import KEY_VARIABLES
from asyncllm.providers.own_wire import OwnWire
from asyncllm.providers.services import url_of_host
from asyncllm.session import SessionManager
from asyncllm.stream.within import within
from asyncllm.wires.failures import explained
from asyncllm.wires.ollama import OllamaTranslator, PullReader, ollama_fields, ollama_messages
from asyncllm.wires.ollama.models import model_names
from asyncllm.wires.ollama.parameters import NAMES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from asyncllm.base.request import Request
    from asyncllm.http.http import Http
    from asyncllm.http.response import Response
    from asyncllm.wires.ollama import PullProgress

_HOST = "OLLAMA_HOST"
(_KEY,) = KEY_VARIABLES["ollama"]


class Ollama(OwnWire):
    """Ollama's own API, `/api/chat`.

    The common parameters are sent where Ollama expects them, most of them in its `options`. So are
    options by their names, such as `num_ctx`. `think`, `format`, `keep_alive` and `options` are
    sent unchanged. `reasoning_effort` becomes `think`, and `response_format` becomes `format`.

    `OLLAMA_HOST` is the server's address, in the forms that Ollama's own clients accept;
    `OLLAMA_API_KEY` is the key of its cloud, which is at https://ollama.com.

    Raises:
        ConfigurationError: an option can't be used.

    """

    url = "http://localhost:11434"
    wire = "ollama"
    carries = EVERYTHING - {"files", "citations", "cache"}
    other_ends = r"/v1(?:/(?:chat/completions|models))?|/api(?:/chat)?"
    other_way = 'use provider("ollama-openai") for its OpenAI endpoint'
    framing = "json_lines"
    # A model is loaded before its first token, and a call is not told before it is whole.
    default_timeouts = Timeouts(first_token=600, stall=300)

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: there is no model, or Ollama has no place for what is asked.

        """
        if not request.model:
            raise ConfigurationError("Ollama needs a model: pass model=; list_models() lists them")
        body = {
            "model": request.model,
            "messages": ollama_messages(request.messages),
            "stream": True,
            **ollama_fields(on_the_wire(request.params, NAMES, "Ollama")),
        }
        return Ask("/api/chat", body)

    @override
    def translator(self, request: Request) -> OllamaTranslator:
        """Return what reads one answer."""
        return OllamaTranslator()

    @override
    async def list_models(self) -> list[str]:
        """Return the names of the server's models.

        Raises:
            AsyncLLMError: the list could not be read.

        """

        async def question(http: Http) -> list[str]:
            async with http.open("GET", f"{self.base_url}/api/tags") as response:
                return model_names(await response.read())

        return await self._ask(question)

    async def pull(
        self, model: str, *, insecure: bool = False
    ) -> AsyncGenerator[PullProgress, None]:
        """Make the server fetch a model, and yield the progress whenever the server reports it.

        A pull that you left or that broke off continues where it stopped when you ask for it again.
        To leave it before its end, close it, for example with `contextlib.aclosing`. Until the
        server answers, the limits of a stream apply, and failures that may pass are retried; after
        that it may take its time.

        Args:
            model: the model's name, as in Ollama's library.
            insecure: whether the server may fetch it without TLS.

        Raises:
            ConfigurationError: no model is named.
            StreamInterrupted: the server ended before it had the model.
            AsyncLLMError: the server can't fetch it.

        """
        check_kind("model", model, str, "a str")
        if not model:
            raise ConfigurationError("pull() needs the name of a model in Ollama's library")
        asked: dict[str, object] = {"model": model, "stream": True}
        if insecure:
            asked["insecure"] = True
        async with contextlib.AsyncExitStack() as stack:
            sessions = self._sessions
            if sessions is None:
                sessions = await stack.enter_async_context(SessionManager())
            http = self._http(sessions, self._proxy or sessions.proxy)
            url = f"{self.base_url}/api/pull"
            limit = self._limits(sessions).first_token

            async def begin() -> Response:
                try:
                    return await stack.enter_async_context(http.open("POST", url, json=asked))
                except HTTPStatusError as error:
                    refused = explained(error)
                raise refused

            response = await within(limit, self._trying(begin, sessions))
            response.body_as(self.framing)  # which `payloads` uses then
            async for batch in _progress(response):
                for progress in batch:
                    yield progress

    @override
    def _default_api_key(self) -> str | None:
        return os.environ.get(_KEY)

    @override
    def _environment_addresses(self) -> dict[str, str]:
        """Return where the environment says that the server is, by variable."""
        host = os.environ.get(_HOST, "")
        # Some have it with what OpenAI's endpoint is at, though Ollama's own clients take no such.
        told = {_HOST: url_of_host(host, self.url).removesuffix("/v1") if host else ""}
        return super()._environment_addresses() | told


async def _progress(response: Response) -> AsyncGenerator[list[Any], None]:
    """Yield what each read of the answer to a pull says."""
    reader, failure = PullReader(), None
    while failure is None and not reader.is_done:
        batch: list[Any] = []
        try:
            payloads = await response.next_payloads()
            if payloads:
                reader.feed(payloads, batch)
            else:
                batch = reader.close()
        except AsyncLLMError as error:
            failure = response.masked(error)
        yield batch
    if failure is not None:
        raise failure
