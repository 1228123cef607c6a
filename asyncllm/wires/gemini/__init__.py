"""Gemini's wire, of the Gemini API and of Vertex AI: what is sent, and what comes to items."""

from asyncllm.wires.gemini.messages import gemini_contents
from asyncllm.wires.gemini.params import gemini_parameters
from asyncllm.wires.gemini.translator import GeminiTranslator

__all__ = ["GeminiTranslator", "gemini_contents", "gemini_parameters"]
