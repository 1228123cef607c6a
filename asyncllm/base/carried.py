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
server had in a cache is counted. What of a question a wire does not carry is refused before anything
is sent: tools, images, files and structured output.
"""

EVERYTHING = frozenset(CARRIED)
"""What the richest wires carry."""
