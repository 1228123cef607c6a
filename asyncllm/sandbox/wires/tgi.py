"""The events of text-generation-inference (TGI), which chat-ui passes through untouched."""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from asyncllm.sandbox.generation import Script

if TYPE_CHECKING:
    from asyncllm.sandbox.faults import ErrorInStream
    from asyncllm.sandbox.generation import Answer


def script_of(answer: Answer) -> Script:
    """Lay out the events of an answer: one for each token, and an end with the whole text."""
    count = len(answer.tokens)
    if answer.is_cut:
        # TGI puts the whole text into the event of the last token, whatever that token is.
        ending = _event(answer.tokens[-1], generated_text=answer.text)
        count -= 1
    else:
        ending = _event("<|endoftext|>", special=True, generated_text=answer.text)
    return Script(answer.tokens, _token_event, count, [ending], _error_events)


def _event(text: str, *, special: bool = False, generated_text: str | None = None) -> str:
    # An id and a probability that look real and are the same every time.
    number = zlib.crc32(text.encode()) % 65_024
    token = {"id": number, "text": text, "logprob": -number / 65_536, "special": special}
    event = {"token": token, "generated_text": generated_text, "details": None}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=1024)
def _token_event(text: str) -> str:
    return _event(text)


def _error_events(fault: ErrorInStream) -> list[str]:
    event = {"error": fault.message, "error_type": "generation"}
    return [json.dumps(event, ensure_ascii=False, separators=(",", ":"))]
