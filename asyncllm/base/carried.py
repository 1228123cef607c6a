"""What a wire may carry besides text, by the names that the documentation's table has."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Carried: TypeAlias = Literal[
    "reasoning",
    "tools",
    "images",
    "files",
    "structured output",
    "usage",
    "citations",
    "prefill",
    "cache",
]
"""One of them.

"prefill" is a last message of the assistant's that the answer goes on from, "cache" that what the
server had in a cache is counted, or can be asked for. What of a question a wire does not carry is
refused before anything is sent: tools, images, files and structured output.
"""

CARRIED: tuple[Carried, ...] = get_args(Carried)
"""All of them, in the table's order."""

EVERYTHING: frozenset[Carried] = frozenset(CARRIED)
"""What the richest wires carry."""
