"""What a caller holds while an answer comes."""

from asyncllm.stream.begun import Begun
from asyncllm.stream.stream import Stream

__all__ = ["Begun", "Stream"]
