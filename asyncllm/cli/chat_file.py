"""A chat as a file: Markdown to read, or JSON to go on with."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from asyncllm.cli.chat_turn import content_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncllm.cli.chat_turn import Turn

SUFFIXES = (".md", ".markdown", ".txt", ".json")


def document(
    path: str, turns: Sequence[Turn], *, system: str | None, params: Mapping[str, Any]
) -> str | None:
    """Return what to write into a file; None where its name does not tell what it is to be.

    Args:
        path: JSON where it ends in `.json`; Markdown where in another of `SUFFIXES`, or in none.
        turns: what was asked, and what came.
        system: the system message.
        params: what was sent with each question.

    """
    suffix = PurePath(path).suffix.lower()
    if suffix and suffix not in SUFFIXES:
        return None
    if suffix == ".json":
        return _as_json(turns, system, params)
    return _as_markdown(turns, system)


def _as_markdown(turns: Sequence[Turn], system: str | None) -> str:
    blocks = ["# Chat"]
    if system:
        blocks.append(f"**System message:** {system}")
    for turn in turns:
        blocks += ["## You", content_text(turn.question.get("content"))]
        blocks.append(f"## {turn.by or turn.model or 'Assistant'}")
        if turn.text:
            blocks.append(turn.text)
        if turn.ended:
            blocks.append(f"*({turn.ended})*")
    return "\n\n".join(blocks) + "\n"


def _as_json(turns: Sequence[Turn], system: str | None, params: Mapping[str, Any]) -> str:
    messages: list[Any] = [{"role": "system", "content": system}] if system else []
    for turn in turns:
        messages += [turn.question, turn.answer] if turn.answer is not None else []
    content = {
        "params": params,
        "messages": messages,  # as a program may send them again
        "turns": [_turn(turn) for turn in turns],
    }
    packed = msgspec.json.encode(content, enc_hook=str)  # a path is its text
    return msgspec.json.format(packed, indent=2).decode() + "\n"


def _turn(turn: Turn) -> dict[str, Any]:
    fields = msgspec.structs.asdict(turn)
    if turn.usage is not None:
        counts = msgspec.structs.asdict(turn.usage)
        fields["usage"] = {name: count for name, count in counts.items() if count is not None}
    return fields
