"""What the wires answer, and when: texts and tool calls, made at a rate, with breaks on demand."""

from asyncllm.sandbox.generation.answers import Answer, answer_to, reasoning_about, tokens_of
from asyncllm.sandbox.generation.backend import Backend, Generation
from asyncllm.sandbox.generation.relay import Script, relay, start_generation
from asyncllm.sandbox.generation.tools import ToolCall, asks_for_tools, call_of

__all__ = [
    "Answer",
    "Backend",
    "Generation",
    "Script",
    "ToolCall",
    "answer_to",
    "asks_for_tools",
    "call_of",
    "reasoning_about",
    "relay",
    "start_generation",
    "tokens_of",
]
