"""Cohere, by its own wire, version 2.

Wire facts: Cohere's reference of `POST /v2/chat` and `GET /v1/models`, and its Python client, which
reads CO_API_KEY, COHERE_API_KEY and CO_API_URL.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.base.ask import Ask
from asyncllm.base.carried import EVERYTHING
from asyncllm.base.common import on_the_wire
from asyncllm.errors import ConfigurationError, HTTPStatusError
from asyncllm.providers.keys import KEY_VARIABLES
from asyncllm.providers.own_wire import OwnWire
from asyncllm.wires.cohere import CohereTranslator, cohere_fields, cohere_messages
from asyncllm.wires.cohere.models import page_of_models
from asyncllm.wires.cohere.parameters import NAMES

if TYPE_CHECKING:
    from asyncllm.base.request import Request
    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.http import Http

_KEYS, _URL = KEY_VARIABLES["cohere"], "CO_API_URL"
_CANCELLED = 499  # by whoever runs the model: Cohere says to ask again
_MOST_PAGES = 100


class Cohere(OwnWire):
    """Cohere's own API, `/v2/chat`, with the key in `api_key`, `CO_API_KEY` or `COHERE_API_KEY`.

    The common parameters are sent by Cohere's names for them. `thinking`, `documents`,
    `citation_options`, `safety_mode`, `strict_tools` and `priority` are sent unchanged.

    Raises:
        ConfigurationError: an option can't be used.

    """

    url = "https://api.cohere.com"
    wire = "cohere"
    carries = EVERYTHING - {"files", "prefill"}
    other_ends = r"/v[12](?:/(?:chat|models))?|/compatibility/v1"
    other_way = 'use provider("cohere-openai") for its OpenAI endpoint'
    needs_auth = True

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: there is no model or no key, or Cohere has no place for what is
                asked.

        """
        if self.base_url == self.url and not self._api_key:
            raise ConfigurationError(
                f"cohere needs an API key: pass api_key=, or set {' or '.join(_KEYS)}"
            )
        if not request.model:
            raise ConfigurationError("cohere needs a model: pass model=; list_models() lists them")
        body = {
            "model": request.model,
            "messages": cohere_messages(request.messages),
            "stream": True,
            **cohere_fields(on_the_wire(request.params, NAMES, "Cohere")),
        }
        return Ask("/v2/chat", body)

    @override
    def translator(self, request: Request) -> CohereTranslator:
        """Return what reads one answer."""
        return CohereTranslator()

    @override
    def explain(self, request: Request, error: AsyncLLMError) -> AsyncLLMError:
        """Return a refusal as the error that its body says, such as `ContextLengthError`."""
        if isinstance(error, HTTPStatusError):
            error.is_passing |= error.status == _CANCELLED
        return super().explain(request, error)

    @override
    async def list_models(self) -> list[str]:
        """Return the names of the models that can chat.

        Raises:
            AsyncLLMError: the list could not be read.

        """

        async def question(http: Http) -> list[str]:
            names, query = list[str](), {"endpoint": "chat", "page_size": "1000"}
            for _ in range(_MOST_PAGES):
                url = f"{self.base_url}/v1/models"
                async with http.open("GET", url, query=query) as response:
                    page, token = page_of_models(await response.read())
                names += page
                if not token:
                    break
                query["page_token"] = token
            return names

        return await self._ask(question)

    @override
    def _default_api_key(self) -> str | None:
        return next((key for name in _KEYS if (key := os.environ.get(name))), None)

    @override
    def _environment_addresses(self) -> dict[str, str]:
        """Return where the environment says that the server is, by variable."""
        return super()._environment_addresses() | {_URL: os.environ.get(_URL, "")}
