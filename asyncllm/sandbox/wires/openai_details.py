"""`reasoning_details` put together from their pieces, and what only the server can read in them."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.body import JSON, list_in, object_in

if TYPE_CHECKING:
    from collections.abc import Hashable

_IN_PIECES = ("text", "summary")


def signature_of(text: str) -> str:
    """Make what a client can't make up: it looks random, and is the same for the same text."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8", "replace")).digest()).decode()


def merged(details: object) -> list[JSON]:
    """Join the pieces of each detail, which have its type and its index; nulls say nothing.

    A signature, or what is encrypted, ends a detail.
    """
    whole: list[JSON] = []
    unended: dict[Hashable, JSON] = {}
    for piece in map(object_in, list_in(details)):
        key = str(piece.get("type")), str(piece.get("index"))
        known = unended.get(key)
        if known is None:
            known = unended[key] = {}
            whole.append(known)
        for name, value in piece.items():
            if name in _IN_PIECES and isinstance(value, str):
                known[name] = f"{known.get(name, '')}{value}"
            elif value is not None:
                known[name] = value
        if known.get("signature") or known.get("data"):
            del unended[key]
    return whole
