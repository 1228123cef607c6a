"""Anthropic's wire: messages of blocks."""

from asyncllm.wires.anthropic.body import body_of
from asyncllm.wires.anthropic.translator import MessageTranslator
from asyncllm.wires.anthropic.turn import Turn

__all__ = ["MessageTranslator", "Turn", "body_of"]
