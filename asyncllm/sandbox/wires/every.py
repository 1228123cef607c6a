"""`Wires`: all of them on one port, and who answers what several are asked at one path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from asyncllm.sandbox.wires.anthropic import AnthropicWire
from asyncllm.sandbox.wires.chatui import ChatUIWire
from asyncllm.sandbox.wires.chatui_today import TodayChatUIWire
from asyncllm.sandbox.wires.cohere import CohereWire
from asyncllm.sandbox.wires.gemini import GeminiWire
from asyncllm.sandbox.wires.ollama import OllamaWire
from asyncllm.sandbox.wires.openai import OpenAIWire
from asyncllm.sandbox.wires.responses import ResponsesWire
from asyncllm.sandbox.wires.tgi_server import TGIWire

if TYPE_CHECKING:
    from asyncllm.sandbox.generation import Backend


class Wires:
    """Every wire, with what the chat-uis keep.

    Args:
        backend: the model behind them.
        api_key: what the wires of services want; None for anything.

    """

    def __init__(self, backend: Backend, api_key: str | None) -> None:
        self._chatui = ChatUIWire(backend)
        self._today = TodayChatUIWire(backend)
        self._openai = OpenAIWire(backend, api_key)
        self._responses = ResponsesWire(backend, api_key, self._openai.models)
        self._anthropic = AnthropicWire(backend, api_key)
        self._gemini = GeminiWire(backend, api_key)
        self._cohere = CohereWire(backend, api_key)
        self._others = (OllamaWire(backend), TGIWire(backend))

    @property
    def conversations(self) -> int:
        """How many chat-ui conversations exist now."""
        return len(self._chatui.conversations) + len(self._today.conversations)

    def answers(self, conversation: str) -> tuple[str, ...]:
        """List the answers stored in a chat-ui conversation, oldest first.

        Raises:
            KeyError: there is no such conversation.

        """
        today = self._today.conversations.get(conversation)
        found = today or self._chatui.conversations[conversation]
        return tuple(found.answers)

    def lose_sessions(self) -> None:
        """Forget all settings and conversations."""
        self._chatui.lose_sessions()
        self._today.lose_sessions()

    def routes(self) -> list[web.RouteDef]:
        """Where it all is served."""
        own = (self._chatui, self._today, self._responses, self._anthropic, self._gemini)
        return [
            *(route for wire in (*own, self._cohere, *self._others) for route in wire.routes()),
            web.get("/v1/models", self._list_models),
            *self._openai.routes(),  # last, as it answers all of /v1
        ]

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        """Answer what several wires ask at one path: each but OpenAI's says more than that."""
        wire: AnthropicWire | CohereWire | GeminiWire | OpenAIWire = self._openai
        if "anthropic-version" in request.headers:
            wire = self._anthropic
        elif "x-goog-api-key" in request.headers:
            wire = self._gemini
        elif "endpoint" in request.query:
            wire = self._cohere
        return await wire.list_models(request)
