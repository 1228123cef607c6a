"""What one provider's answer left in a message for its own server, before another is asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from asyncllm.messages import placed

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("asyncllm")

_OF_CHAT = frozenset({"reasoning_content", "reasoning_details", "reasoning_encrypted"})
_NATIVE = frozenset({"anthropic", "cohere", "gemini", "ollama", "responses"})


def own_messages(messages: list[dict[str, object]], wire: str) -> list[dict[str, object]]:
    """Return `messages` without what only other wires understand, which the debug log tells.

    A wire that is not OpenAI's keeps what goes back with the next turn under its own name, as
    `Reply.message["anthropic"]`. A message that has nothing of the kind is the very same object.

    Args:
        messages: the messages, checked.
        wire: what the wire of the provider that is asked is called.

    """
    foreign = (_OF_CHAT | _NATIVE if wire in _NATIVE else _NATIVE) - {wire}
    if not any(_has_any(message, foreign) for message in messages):
        return messages
    places = (where for where, _ in placed(messages))
    return [_without(each, foreign, where) for each, where in zip(messages, places, strict=True)]


def _has_any(message: Mapping[str, object], names: frozenset[str]) -> bool:
    return message["role"] == "assistant" and not names.isdisjoint(message)


def _without(message: dict[str, object], names: frozenset[str], where: str) -> dict[str, object]:
    if not _has_any(message, names):
        return message
    log.debug("%s: left out what is not for this server: %s", where, sorted(names & message.keys()))
    return {name: value for name, value in message.items() if name not in names}
