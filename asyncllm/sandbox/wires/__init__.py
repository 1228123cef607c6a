"""The wires as a server speaks them: each one's routes, what they read and what they write."""

from asyncllm.sandbox.wires.anthropic import AnthropicWire
from asyncllm.sandbox.wires.chatui import ChatUIWire
from asyncllm.sandbox.wires.chatui_today import TodayChatUIWire
from asyncllm.sandbox.wires.cohere import CohereWire
from asyncllm.sandbox.wires.gemini import GeminiWire
from asyncllm.sandbox.wires.ollama import OllamaWire
from asyncllm.sandbox.wires.openai import OpenAIWire
from asyncllm.sandbox.wires.responses import ResponsesWire
from asyncllm.sandbox.wires.tgi_server import TGIWire

__all__ = [
    "AnthropicWire",
    "ChatUIWire",
    "CohereWire",
    "GeminiWire",
    "OllamaWire",
    "OpenAIWire",
    "ResponsesWire",
    "TGIWire",
    "TodayChatUIWire",
]
