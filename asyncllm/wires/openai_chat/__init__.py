"""OpenAI's chat wire, of many servers: messages to what it sends, and what comes to items."""

from asyncllm.wires.openai_chat.messages import openai_messages
from asyncllm.wires.openai_chat.translator import ChatTranslator

__all__ = ["ChatTranslator", "openai_messages"]
