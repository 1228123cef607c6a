"""Mistral: OpenAI's chat wire, with what Mistral has besides and without what it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from asyncllm.base.carried import EVERYTHING
from asyncllm.base.common import on_the_wire
from asyncllm.providers.openai import OpenAICompatible
from asyncllm.providers.services import SERVICES
from asyncllm.wires.mistral import MistralTranslator, mistral_messages

if TYPE_CHECKING:
    from asyncllm.base.ask import Ask
    from asyncllm.base.request import Request

_SAME = (
    *("temperature", "top_p", "max_tokens", "stop", "presence_penalty", "frequency_penalty"),
    *("tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort"),
)
_NAMES = {name: name for name in _SAME} | {
    "max_completion_tokens": "max_tokens",
    "seed": "random_seed",
}


class Mistral(OpenAICompatible):
    """Mistral, with the key in `api_key` or `MISTRAL_API_KEY`.

    If the last message is the assistant's, the answer begins with it, and Mistral continues it.
    Thinking goes back with the next turn, in `Reply.message`.
    """

    wire = "mistral"
    carries = EVERYTHING
    service = SERVICES["mistral"]
    url = SERVICES["mistral"].base_url
    needs_auth = True
    asks_usage = False  # it tells it unasked, and refuses a field that it does not know

    @override
    def ask(self, request: Request) -> Ask:
        """Return what to send.

        Raises:
            ConfigurationError: a key or a model is missing, or Mistral has no place for something.

        """
        params = on_the_wire(request.params, _NAMES, "Mistral")
        messages = mistral_messages(request.messages)
        return super().ask(msgspec.structs.replace(request, messages=messages, params=params))

    @override
    def translator(self, request: Request) -> MistralTranslator:
        """Return what reads one answer."""
        return MistralTranslator()
