"""How the parts of an answer lay, and what of them only the server understands.

Gemini signs its thinking, and wants each signature back with the next turn on the very part that it
came on. What a message says anyway, its text and its tool calls, is kept by its length and its id
alone, so that the message stays the one place where it can be changed.

Wire facts: Google's "Thought signatures": a part with a signature is not joined with another one;
of parallel calls only the first is signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncllm.sizes import size_of
from asyncllm.wires.loose import as_count, as_kept, as_list, as_mapping, as_text
from asyncllm.wires.tool_calls import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_PARTS = 10_000


class Layout:
    """The parts of an answer that is still coming, for its message.

    An answer may be of any length: a layout that is too large is not kept, and no part of it.

    Attributes:
        characters: how many there are of text that is not signed since the last other part; to be
            added to.

    """

    __slots__ = ("_is_needed", "_is_too_large", "_parts", "_size", "characters")

    def __init__(self) -> None:
        self.characters = 0
        self._parts: list[dict[str, object]] = []
        self._is_needed = False
        self._is_too_large = False
        self._size = 0  # in memory

    def add_text(self, characters: int, signature: str = "") -> None:
        """Add a piece of text.

        Args:
            characters: how many it has.
            signature: that of its part, or "".

        """
        if not signature:
            self.characters += characters
            return
        self._end_text()
        self._add({"text": characters, "signature": signature})

    def add_call(self, call_id: str, signature: str, *, is_unnamed: bool) -> None:
        """Add a tool call.

        Args:
            call_id: its id.
            signature: that of its part, or "".
            is_unnamed: whether the server gave it no id, so that it must get none back.

        """
        self._end_text()
        call: dict[str, object] = {"call": call_id}
        if signature:
            call["signature"] = signature
        if is_unnamed:
            call["unnamed"] = True
        self._add(call, is_needed=bool(signature))

    def add_part(self, part: Mapping[str, Any]) -> None:
        """Add a part that goes back as it came."""
        self._end_text()
        if as_kept(part, MOST_BYTES):
            self._add({"part": part})

    def whole(self) -> dict[str, object]:
        """Return what goes into the message; nothing where text and calls say it all."""
        self._end_text()
        is_kept = self._is_needed and not self._is_too_large
        return {"gemini": {"parts": self._parts}} if is_kept else {}

    def _end_text(self) -> None:
        if self.characters:
            characters, self.characters = self.characters, 0
            self._add({"text": characters}, is_needed=False)

    def _add(self, part: dict[str, object], *, is_needed: bool = True) -> None:
        self._is_needed |= is_needed
        if self._is_too_large:
            return
        self._parts.append(part)
        self._size += size_of(part)
        if self._size > MOST_BYTES or len(self._parts) > _MOST_PARTS:
            self._is_too_large, self._parts = True, []


class LaidOut:
    """What a message of Gemini's own has under its key, read without trusting it.

    Args:
        message: one of the assistant's, checked; anybody's.

    Attributes:
        unnamed: the ids of calls to which the server gave none.

    """

    def __init__(self, message: Mapping[str, object]) -> None:
        kept = as_mapping(message.get("gemini"))
        self._parts = [as_mapping(part) for part in as_list(kept.get("parts"))]
        calls = {as_text(part.get("call")): part for part in self._parts if "call" in part}
        self._signatures = {name: as_text(part.get("signature")) for name, part in calls.items()}
        self.unnamed = frozenset(name for name, part in calls.items() if part.get("unnamed"))

    def parts(
        self, text: str, calls: Mapping[str, dict[str, object]]
    ) -> list[dict[str, object]] | None:
        """Return the message's parts as they lay; None where they lay otherwise by now.

        Args:
            text: the text that the message has.
            calls: its calls as parts of the wire, by their ids.

        """
        lengths = [as_count(part.get("text")) or 0 for part in self._parts if "text" in part]
        is_same_text = sum(lengths) == len(text) and all(each >= 0 for each in lengths)
        called = [as_text(part.get("call")) for part in self._parts if "call" in part]
        if not self._parts or not is_same_text or called != [*calls]:
            return None
        laid: list[dict[str, object]] = []
        at = 0
        for part in self._parts:
            if "text" in part:
                length = as_count(part.get("text")) or 0
                laid.append(_signed({"text": text[at : at + length]}, part))
                at += length
            elif "call" in part:
                laid.append(_signed(calls[as_text(part["call"])], part))
            elif raw := as_mapping(part.get("part")):
                laid.append(raw)
        return laid

    def signed(self, call_id: str, part: dict[str, object]) -> dict[str, object]:
        """Return a call's part with the signature that it came with, if it had one."""
        return _signed(part, {"signature": self._signatures.get(call_id, "")})


def _signed(part: dict[str, object], kept: Mapping[str, object]) -> dict[str, object]:
    signature = as_text(kept.get("signature"))
    return {**part, "thoughtSignature": signature} if signature else part
