"""How likely tokens were, as OpenAI's chat wire says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import Logprob, Logprobs
from asyncllm.wires.loose import as_kind, as_list, as_mapping, as_number

if TYPE_CHECKING:
    from collections.abc import Iterator


def logprobs_of(said: object) -> Logprobs | None:
    """Return what a choice's `logprobs` say of the answer's text, or of a refusal; None of none."""
    told = as_mapping(said)
    lists = [_tokens(told.get(name), has_top=True) for name in ("content", "refusal")]
    tokens = tuple(token for each in lists for token in each)
    return Logprobs(tokens) if tokens else None


def _tokens(said: object, *, has_top: bool) -> Iterator[Logprob]:
    """Yield those of a list that are tokens; `has_top` if others may have stood in their places."""
    for each in as_list(said):
        told = as_mapping(each)
        token, logprob = told.get("token"), as_number(told.get("logprob"))
        if isinstance(token, str) and logprob is not None:
            top = tuple(_tokens(told.get("top_logprobs"), has_top=False)) if has_top else ()
            yield Logprob(token, logprob, _bytes_of(told.get("bytes")), top)


def _bytes_of(said: object) -> bytes | None:
    numbers = as_kind(said, list[int]) if isinstance(said, list) else None
    return None if numbers is None else bytes(each & 0xFF for each in numbers)
