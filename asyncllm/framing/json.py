"""JSON, out and in, with errors of ours."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from asyncllm.errors import ConfigurationError, ProtocolError
from asyncllm.framing.excerpt import excerpt_of

_T = TypeVar("_T")

UNDECODABLE = (TypeError, ValueError, RecursionError)
"""What a decoder raises of a payload that is not bytes, not of its type, not UTF-8, too deep."""


def encode_json(value: object, *, name: str = "the request", instead: str = "") -> bytes:
    """Return `value` as JSON.

    Args:
        value: what to write.
        name: what the caller knows it by, for the error.
        instead: what to write in its place, for the error; "" where nothing can be said.

    Raises:
        ConfigurationError: a part of it has no JSON form.

    """
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    advice = f": {instead}" if instead else ""
    raise ConfigurationError(f"{name} can't be written as JSON: {reason}{advice}")


def decode(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T:
    """Return what `data` holds.

    Raises:
        ProtocolError: it is not JSON, or not of the wire's shape.

    """
    try:
        return decoder.decode(data)
    except UNDECODABLE as error:
        reason = str(error)
    raise ProtocolError(
        f"the server sent something that its format does not allow: {reason}: {excerpt_of(data)!r}"
    )


def holds_objects(data: bytes) -> bool:
    """Tell whether `data` is a JSON object, or a list that begins with one.

    It is more lenient than `decode`: halves of characters may be in it, and broken UTF-8.
    """
    try:
        value = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return isinstance(value[0] if isinstance(value, list) and value else value, dict)
