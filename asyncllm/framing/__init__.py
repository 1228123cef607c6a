"""From bytes to payloads: what a body holds, without any I/O."""

from asyncllm.framing.body import BodyDecoder
from asyncllm.framing.sse import NamedEvent, Payload, SSEDecoder

__all__ = ["BodyDecoder", "NamedEvent", "Payload", "SSEDecoder"]
