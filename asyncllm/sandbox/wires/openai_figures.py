"""The figures of an answer: its token counts, and how likely its tokens were."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncllm.sandbox.faults import UsageDetails
    from asyncllm.sandbox.wires.body import JSON

_TICKS = 10_000_000_000  # of a dollar


def usage_of(prompt: int, written: int, thought: int, details: UsageDetails | None) -> JSON:
    """Count the tokens; those of reasoning are among those of the completion, but for xAI."""
    total = prompt + written + thought
    is_beside = details is not None and details.form == "xai"
    usage: JSON = {
        "prompt_tokens": prompt,
        "completion_tokens": written if is_beside else written + thought,
        "total_tokens": total,
    }
    if details is not None:
        usage.update(_details_of(details, min(details.cached_tokens, prompt), prompt, thought))
    return usage


def _details_of(details: UsageDetails, cached: int, prompt: int, thought: int) -> JSON:
    told: JSON = {"prompt_tokens_details": {"cached_tokens": cached}}
    if thought:
        told["completion_tokens_details"] = {"reasoning_tokens": thought}
    if details.form == "deepseek":
        told["prompt_cache_hit_tokens"] = cached
        told["prompt_cache_miss_tokens"] = prompt - cached
    if details.cost is not None and details.form == "xai":
        told["cost_in_usd_ticks"] = round(details.cost * _TICKS)
    elif details.cost is not None:
        told["cost"] = details.cost
    return told


def logprobs_of(tokens: Sequence[str], top: int) -> JSON:
    """Say how likely each token was, and which `top` were the likeliest in its place."""
    content = [{**_logprob(token, 0), "top_logprobs": _top(token, top)} for token in tokens]
    return {"content": content, "refusal": None}


def _top(token: str, count: int) -> list[JSON]:
    # The token itself, and others that might have come.
    return [_logprob(token + "s" * rank, rank) for rank in range(count)]


def _logprob(token: str, rank: int) -> JSON:
    # It looks real and is the same every time; the next in rank is always less likely.
    logprob = -(zlib.crc32(token.encode()) % 65_536 + 1) / 65_536 - rank
    return {"token": token, "logprob": logprob, "bytes": [*token.encode()]}
