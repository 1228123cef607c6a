"""What a caller holds while an answer comes."""

from asyncllm.stream.stream import Begun, Stream

__all__ = ["Begun", "Stream"]
