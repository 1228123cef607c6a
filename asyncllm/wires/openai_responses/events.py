"""The shape of what OpenAI's Responses send: an event of a stream.

Everything is `Anything`: a server that writes a field otherwise must not fail for it.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Anything: TypeAlias = object


class Event(msgspec.Struct, gc=False):
    """An event, with those of its fields that are read."""

    type: str = ""
    delta: Anything = None
    output_index: Anything = None
    sequence_number: Anything = None
    logprobs: Anything = None
    arguments: Anything = None
    input: Anything = None
    item: Anything = None
    annotation: Anything = None
    response: Anything = None
    error: Anything = None
    code: Anything = None
    message: Anything = None
    param: Anything = None
    status: Anything = None
    status_code: Anything = None
    copilot_usage: Anything = None


EVENT = msgspec.json.Decoder(Event)
