"""The events of text-generation-inference (TGI), which chat-ui passes through untouched."""

from __future__ import annotations

import itertools
import json
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from asyncllm.sandbox.generation import Script

if TYPE_CHECKING:
    from asyncllm.sandbox.faults import ErrorInStream
    from asyncllm.sandbox.generation import Answer
    from asyncllm.sandbox.wires.body import JSON

_END = "<|endoftext|>"
_TYPES = {422: "validation", 424: "generation", 429: "overloaded"}


def script_of(answer: Answer, *, prompt_tokens: int | None = None, top: int = 0) -> Script:
    """Lay out the events of an answer: one for each token, and an end with the whole text.

    With `prompt_tokens` the end has details; without, as TGI was in 2023 and chat-ui asked it,
    there are none. `top` is how many tokens to name in the place of each.
    """
    count = len(answer.tokens)
    is_new = prompt_tokens is not None
    details = details_of(answer, prompt_tokens or 0) if is_new else None
    numbers = itertools.count(1)

    def event(token: str) -> str:
        if not is_new:
            return _token_event(token)
        return _event(token, index=next(numbers), top=top)

    end = _END
    if answer.is_cut:
        # TGI puts the whole text into the event of the last token, whatever that token is.
        end = answer.tokens[-1]
        count -= 1
    ending = _event(
        end,
        special=end == _END,
        generated_text=answer.text,
        details=details,
        index=count + 1 if is_new else None,
    )
    return Script(answer.tokens, event, count, [ending], _error_events)


def details_of(answer: Answer, prompt_tokens: int) -> JSON:
    """Tell how an answer ended, and count its tokens and those before it."""
    return {
        "finish_reason": "length" if answer.is_cut else "eos_token",
        "generated_tokens": len(answer.tokens),
        "input_length": prompt_tokens,
        "seed": None,
    }


def error_type_of(status: int) -> str:
    """Name the type that an error of this status has."""
    return _TYPES.get(status, "generation")


def _event(
    text: str,
    *,
    special: bool = False,
    generated_text: str | None = None,
    details: JSON | None = None,
    index: int | None = None,
    top: int = 0,
) -> str:
    event: JSON = {} if index is None else {"index": index}
    event |= {
        "token": {**_token(text), "special": special},
        "generated_text": generated_text,
        "details": details,
    }
    if top:
        tokens = [text + "s" * rank for rank in range(top)]  # itself, and others in its place
        event["top_tokens"] = [{**_token(token), "special": False} for token in tokens]
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _token(text: str) -> JSON:
    # An id and a probability that look real and are the same every time.
    number = zlib.crc32(text.encode()) % 65_024
    return {"id": number, "text": text, "logprob": -number / 65_536}


@lru_cache(maxsize=1024)
def _token_event(text: str) -> str:
    return _event(text)


def _error_events(fault: ErrorInStream) -> list[str]:
    kind = "generation" if fault.type == "server_error" else fault.type
    event = {"error": fault.message, "error_type": kind}
    return [json.dumps(event, ensure_ascii=False, separators=(",", ":"))]
