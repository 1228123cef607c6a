"""H2o: chat-ui with a stream of text-generation-inference (TGI), as at gpt-gm.h2o.ai.

Wire facts: chat-ui 0.3.0 (July 2023), its `hooks.server.ts` and `routes/conversation`; TGI's
`StreamResponse`.
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING

from typing_extensions import override

from asyncllm.base.ask import Ask
from asyncllm.base.conversation import ConversationProvider
from asyncllm.base.wire import ServerProvider
from asyncllm.errors import ConfigurationError
from asyncllm.framing.json import encode_json
from asyncllm.http import path_segment
from asyncllm.messages import format_prompt
from asyncllm.providers.chatui_2023 import ChatUI2023
from asyncllm.wires.chatui_page import models_of
from asyncllm.wires.tgi import TGITranslator

if TYPE_CHECKING:
    from asyncllm.base.request import Request
    from asyncllm.http.http import Http

_PARAMETERS = {
    "temperature": 0.4,
    "truncate": 2048,
    "max_new_tokens": 1024,
    "do_sample": True,
    "repetition_penalty": 1.2,
    "return_full_text": False,
}
# What would change the answer, and neither chat-ui nor TGI's stream has a place for.
_UNKNOWN = {
    "tools": "tools",
    "tool_choice": "tools",
    "parallel_tool_calls": "tools",
    "functions": "tools",
    "function_call": "tools",
    "response_format": "response formats",
    "logprobs": "log probabilities",
    "top_logprobs": "log probabilities",
    "logit_bias": "token biases",
    "modalities": "modalities",
    "audio": "audio",
}


class H2o(ConversationProvider, ServerProvider):
    """H2o's chat, and any other server with the chat-ui API of 2023.

    Its public endpoint, gpt-gm.h2o.ai, no longer responds: pass the `base_url` of your own chat-ui.

    Parameters are sent in TGI's `parameters`, and override the documented defaults; `max_tokens`
    and `max_completion_tokens` are sent as `max_new_tokens`. `id`, `response_id`, `is_retry`,
    `use_cache` and `web_search_id` are sent in `options`.
    """

    url = "https://gpt-gm.h2o.ai"
    wire = "chat-ui"
    model = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1"
    models = MappingProxyType(
        {
            "falcon-40b": "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
            "falcon-7b": "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3",
            "llama-13b": "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
        }
    )

    format_prompt = staticmethod(format_prompt)

    @override
    def encode(self, request: Request) -> bytes:
        """Return the body, as JSON.

        Raises:
            ConfigurationError: a message holds something other than text, or a parameter has no
                JSON form, or is one that such servers don't know.

        """
        options: dict[str, object] = {
            "id": _uuid(),
            "response_id": _uuid(),
            "is_retry": False,
            "use_cache": False,
            "web_search_id": "",
        }
        params = dict(request.given)
        for name in _UNKNOWN.keys() & {each for each, value in params.items() if value}:
            raise ConfigurationError(
                f"{self._label}'s server does not support {_UNKNOWN[name]}: leave out {name}"
            )
        options |= {name: params.pop(name) for name in options.keys() & params.keys()}
        for name in ("max_completion_tokens", "max_tokens"):
            if name in params:
                params.setdefault("max_new_tokens", params.pop(name))
        if isinstance(stop := params.get("stop"), str):
            params["stop"] = [stop]
        return encode_json(
            {
                "inputs": self.format_prompt(request.messages),
                "parameters": _PARAMETERS | params,
                "stream": True,
                "options": options,
            }
        )

    @override
    def server(self, request: Request, http: Http) -> ChatUI2023:
        """Return the chat-ui on which `request` needs a conversation."""
        is_referer_ours = self._own_headers().items() <= self._headers.items()
        return ChatUI2023(request, http, is_referer_ours=is_referer_ours)

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send into the conversation of `request`."""
        return Ask(f"/conversation/{path_segment(request.conversation_id)}")

    @override
    def translator(self, request: Request) -> TGITranslator:
        """Return what reads one answer."""
        return TGITranslator(
            stops_early="stop" in request.given,
            stops=_texts(request.given.get("stop")),
            has_prompt=bool(request.given.get("return_full_text")),
        )

    @override
    async def list_models(self) -> list[str]:
        """Return the ids of the models that chat-ui's page offers.

        Raises:
            ProtocolError: the page has no list of models as chat-ui of 2023 writes it.
            AsyncLLMError: there is no page.

        """

        async def question(http: Http) -> list[str]:
            async with http.open("GET", f"{self.base_url}/") as response:
                return models_of(await response.read())

        return await self._ask(question)

    @override
    def _own_headers(self) -> dict[str, str]:
        # chat-ui refuses forms that do not come from its own pages.
        return {"Referer": f"{self.base_url}/"}


def _uuid() -> str:
    """Return a random UUID, version 4 of RFC 9562; `uuid.uuid4` takes six times as long."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _texts(stop: object) -> list[str]:
    stops = stop if isinstance(stop, list | tuple) else [stop]
    return [text for text in stops if isinstance(text, str)]
