"""Cohere's chat, version 2: messages and parameters to what it takes, and its events to items."""

from asyncllm.wires.cohere.messages import cohere_messages
from asyncllm.wires.cohere.parameters import cohere_fields
from asyncllm.wires.cohere.translator import CohereTranslator

__all__ = ["CohereTranslator", "cohere_fields", "cohere_messages"]
