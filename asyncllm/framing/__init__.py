"""From bytes to payloads: what a body holds, without any I/O."""

from asyncllm.framing.body import BodyDecoder, Framing
from asyncllm.framing.decoder import EventDecoder
from asyncllm.framing.json_array import JSONArrayDecoder
from asyncllm.framing.json_lines import JSONLinesDecoder
from asyncllm.framing.sse import NamedEvent, Payload, SSEDecoder

__all__ = [
    "BodyDecoder",
    "EventDecoder",
    "Framing",
    "JSONArrayDecoder",
    "JSONLinesDecoder",
    "NamedEvent",
    "Payload",
    "SSEDecoder",
]
