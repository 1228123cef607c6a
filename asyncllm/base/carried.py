"""What a wire may carry besides text, by the names that the documentation's table has."""

from __future__ import annotations

CARRIED = (
    "reasoning",
    "tools",
    "images",
    "files",
    "structured output",
    "usage",
    "citations",
    "prefill",
    "cache",
)
"""All of it, in the table's order.

"prefill" is a last message of the assistant's that the answer goes on from, "cache" that what the
server had in a cache is counted. Tools, images, files and structured output that a wire does not
carry are refused before anything is sent.
"""

EVERYTHING = frozenset(CARRIED)
"""What the richest wires carry."""
