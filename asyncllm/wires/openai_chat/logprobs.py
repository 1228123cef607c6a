"""How likely tokens were, as OpenAI's chat wire says it."""

from __future__ import annotations

import msgspec

from asyncllm.events import Logprob, Logprobs
from asyncllm.wires.loose import as_kind, as_mapping


class _Token(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_Token] | None = None


def logprobs_of(said: object) -> Logprobs | None:
    """Return what a choice's `logprobs` say of the answer's text, or of a refusal; None of none."""
    told = as_mapping(said)
    lists = [as_kind(told.get(name), list[_Token]) for name in ("content", "refusal")]
    tokens = tuple(_logprob(token) for each in lists for token in each or ())
    return Logprobs(tokens) if tokens else None


def _logprob(token: _Token) -> Logprob:
    top = tuple(map(_logprob, token.top_logprobs or ()))
    data = None if token.bytes is None else bytes(each & 0xFF for each in token.bytes)
    return Logprob(token.token, token.logprob, data, top)
