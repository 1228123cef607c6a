"""OpenAI's Responses: messages to its input items, and its events to items of ours."""

from asyncllm.wires.openai_responses.messages import responses_input
from asyncllm.wires.openai_responses.tools import flat_choice, flat_format, flat_tools
from asyncllm.wires.openai_responses.translator import ResponsesTranslator

__all__ = ["ResponsesTranslator", "flat_choice", "flat_format", "flat_tools", "responses_input"]
