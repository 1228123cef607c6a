"""The wires as a server speaks them: each one's routes, what they read and what they write."""

from asyncllm.sandbox.wires.chatui import ChatUIWire
from asyncllm.sandbox.wires.chatui_today import TodayChatUIWire
from asyncllm.sandbox.wires.openai import OpenAIWire

__all__ = ["ChatUIWire", "OpenAIWire", "TodayChatUIWire"]
