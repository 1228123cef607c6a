"""The wires as a server speaks them: each one's routes, what they read and what they write."""

from asyncllm.sandbox.wires.chatui import ChatUIWire
from asyncllm.sandbox.wires.gemini import GeminiWire
from asyncllm.sandbox.wires.openai import OpenAIWire

__all__ = ["ChatUIWire", "GeminiWire", "OpenAIWire"]
