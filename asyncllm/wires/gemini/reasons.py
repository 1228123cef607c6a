"""Why answers of Gemini's wire end.

Wire facts: Google's reference of `FinishReason` and `BlockedReason`. A server that was asked for
numbers in the place of names gives the number; only those up to 5 are the same everywhere.
"""

from __future__ import annotations

from asyncllm.wires.loose import as_text

CONTINUATION = "CONTINUATION"
"""The answer goes on: the server wants to be asked for the rest."""

BLOCKED = "blocked:"
"""What a prompt's block reason is preceded by here, to tell it from an answer's."""

_NUMBERS = {"1": "STOP", "2": "MAX_TOKENS", "3": "SAFETY", "4": "RECITATION", "5": "OTHER"}
_UNSPECIFIED = frozenset({"", "0", "FINISH_REASON_UNSPECIFIED"})
_FILTERS = frozenset(
    {
        *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"),
        "ESCALATION",
    }
)
_FAULTS = frozenset(
    {
        *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"),
        *("UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
    }
)


def word_of(said: object) -> str:
    """Return a `finishReason` by its name; "" where it says nothing."""
    word = as_text(said)
    return "" if word in _UNSPECIFIED else _NUMBERS.get(word, word)


def is_fault(word: str) -> bool:
    """Tell whether an answer that ended so is none: what the model wrote can't be used."""
    return word in _FAULTS


def reason_of(word: str, *, has_calls: bool) -> str:
    """Return the reason of `Finish`.

    Args:
        word: the server's own, with `BLOCKED` before it where the prompt was blocked.
        has_calls: whether the answer asks for calls, of which the server's word says nothing.

    """
    if word.startswith(BLOCKED) or word in _FILTERS:
        return "content_filter"
    if word == "STOP":
        return "tool_calls" if has_calls else "stop"
    return "length" if word == "MAX_TOKENS" else word
