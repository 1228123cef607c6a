"""Ollama's own wire: messages and parameters to what it takes, and its JSON lines to items."""

from asyncllm.wires.ollama.messages import ollama_messages
from asyncllm.wires.ollama.parameters import ollama_fields
from asyncllm.wires.ollama.pull import PullProgress, PullReader
from asyncllm.wires.ollama.translator import OllamaTranslator

__all__ = ["OllamaTranslator", "PullProgress", "PullReader", "ollama_fields", "ollama_messages"]
