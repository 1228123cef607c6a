"""What an answer cost, as each of the services writes it that speak OpenAI's chat wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import astuple

from asyncllm.events import Usage
from asyncllm.wires.loose import as_count, as_mapping, as_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_XAI_TICK = 1e-10  # US dollars


def usage_of(said: Mapping[str, object], cost: object = None) -> Usage:
    """Return what a `usage` says.

    Args:
        said: the object of the wire.
        cost: what the chunk says beside it.

    """
    prompt = as_mapping(said.get("prompt_tokens_details"))
    completion = as_mapping(said.get("completion_tokens_details"))
    return Usage(
        prompt_tokens=as_count(said.get("prompt_tokens")),
        completion_tokens=as_count(said.get("completion_tokens")),
        total_tokens=as_count(said.get("total_tokens")),
        cached_tokens=_most(
            prompt.get("cached_tokens"),
            said.get("cached_tokens"),  # Together's
            said.get("cache_read_input_tokens"),
            said.get("prompt_cache_hit_tokens"),  # DeepSeek's
        ),
        cache_write_tokens=_most(
            prompt.get("cache_write_tokens"), said.get("cache_creation_input_tokens")
        ),
        reasoning_tokens=_most(completion.get("reasoning_tokens"), said.get("reasoning_tokens")),
        cost=_cost(said, as_mapping(cost)),
    )


def newer_usage(older: dict[str, object], newer: dict[str, object]) -> dict[str, object]:
    """Return the newer `usage` of an answer; the older one where the newer counts nothing."""
    # Some servers send it with every chunk, and nearly all say first what is told at once.
    is_told = not older or newer.get("prompt_tokens") or any(astuple(usage_of(newer)))
    return newer if is_told else older


def _most(*told: object) -> int | None:
    """Return the largest count: a server that says it in two places may leave one at zero."""
    return max((count for each in told if (count := as_count(each)) is not None), default=None)


def _cost(said: Mapping[str, object], beside: Mapping[str, object]) -> float | None:
    cost = said.get("cost")
    told = (as_mapping(cost).get("total_cost"), cost, beside.get("usd"))  # the first: Perplexity's
    known = next((number for each in told if (number := as_number(each)) is not None), None)
    ticks = as_number(said.get("cost_in_usd_ticks"))
    return ticks * _XAI_TICK if known is None and ticks is not None else known
