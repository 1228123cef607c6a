"""From payloads to items: what servers say, one format a module, without any I/O."""

from asyncllm.wires.translator import JSONTranslator, Translator

__all__ = ["JSONTranslator", "Translator"]
