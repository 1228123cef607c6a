"""How likely tokens were, as OpenAI's chat wire says it."""

from __future__ import annotations

from math import isfinite

import msgspec

from asyncllm.events import Logprob, Logprobs
from asyncllm.wires.loose import as_kind, as_list, as_mapping


class _Likely(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _Token(_Likely):
    top_logprobs: list[_Likely] | None = None  # which have none of their own


def logprobs_of(said: object) -> Logprobs | None:
    """Return what a choice's `logprobs` say of the answer's text, or of a refusal; None of none."""
    told = as_mapping(said)
    listed = [token for name in ("content", "refusal") for token in _tokens(told.get(name))]
    tokens = tuple(
        _logprob(token, tuple([_logprob(other) for other in token.top_logprobs or ()]))
        for token in listed
        if isfinite(token.logprob)
    )
    return Logprobs(tokens) if tokens else None


def _tokens(said: object) -> list[_Token]:
    """Return those of a list that are tokens, as nearly always all are."""
    whole = as_kind(said, list[_Token])
    if whole is None:
        each_alone = [as_kind(each, _Token) for each in as_list(said)]
        whole = [token for token in each_alone if token is not None]
    return whole


def _logprob(token: _Likely, top: tuple[Logprob, ...] = ()) -> Logprob:
    data = None if token.bytes is None else bytes([each & 0xFF for each in token.bytes])
    return Logprob(token.token, token.logprob, data, top)
