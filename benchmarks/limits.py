"""What must be reached: a check fails where one of these is missed by far; other rows are told."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """What a row must reach: at most this, or at least."""

    value: float
    at_least: bool = False


_FLOOR = "aiohttp + msgspec"

LIMITS: dict[tuple[str, str, str], Limit] = {
    ("burst", f"CPU per token ÷ {_FLOOR}", "asyncio"): Limit(1.5),
    ("burst", "CPU per token ÷ openai", "asyncio"): Limit(0.02),
    ("paced", f"CPU per token ÷ {_FLOOR}", "asyncio"): Limit(0.75),
    ("paced", f"CPU per token ÷ {_FLOOR}", "uvloop"): Limit(1.15),
    ("paced", f"p99 ÷ {_FLOOR}", "asyncio"): Limit(1.2),
    ("paced-tls", f"CPU per token ÷ {_FLOOR}", "asyncio"): Limit(1.15),
    ("paced-tls", f"CPU per token ÷ {_FLOOR}", "uvloop + aiofastnet"): Limit(1.15),
    ("hold", f"streams ÷ {_FLOOR}", "asyncio"): Limit(0.95, at_least=True),
    ("hold", f"streams ÷ {_FLOOR}", "uvloop"): Limit(0.95, at_least=True),
    ("hold-tls", f"streams ÷ {_FLOOR}", "asyncio"): Limit(0.75, at_least=True),
    ("many", f"memory per stream ÷ {_FLOOR}", "asyncio"): Limit(1.3),
    ("many-tls", f"memory per stream ÷ {_FLOOR}", "asyncio"): Limit(0.25),
    ("many-tls", f"memory per stream ÷ {_FLOOR}", "uvloop + aiofastnet"): Limit(1.2),
    ("first-token", "wait ÷ aiohttp + json", "asyncio"): Limit(1.3),
    ("first-token-tls", "wait ÷ aiohttp + json", "asyncio"): Limit(1.3),
    ("first-token-cold-tls", "wait ÷ aiohttp + json", "asyncio"): Limit(1.2),
    ("h2o-first-token", "round trips, cold", ""): Limit(3.2),
    ("h2o-first-token", "round trips, settings accepted", ""): Limit(2.2),
    ("h2o-first-token", "round trips, with a spare conversation", ""): Limit(1.2),
    ("h2o-throughput", "answers per second ÷ 4 requests by hand", "asyncio"): Limit(
        1.6, at_least=True
    ),
    **{
        ("wires", f"CPU per token: {name} ÷ OpenAI's", ""): Limit(1.5)
        for name in ("Anthropic", "Gemini", "OpenAIResponses", "Cohere")
    },
    ("run-sync", "CPU per token ÷ async", ""): Limit(3),
    ("run-sync", "CPU per token ÷ requests + json", ""): Limit(1),
    ("import", "import asyncllm ÷ aiohttp", ""): Limit(1.15),
    ("soak", "memory at the end ÷ early", ""): Limit(1.02),
    ("growth", "slope with streams at once", ""): Limit(1.05),
    ("growth", "slope with tokens in one answer", ""): Limit(1.05),
}
"""By scenario, figure, and what it ran on."""
