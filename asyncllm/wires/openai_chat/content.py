"""Content that is a list of parts, as Mistral's is where the model thinks or names its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import Reasoning, Refusal
from asyncllm.wires.loose import as_list, as_mapping, as_text
from asyncllm.wires.openai_chat.media import images_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncllm.events import Item
    from asyncllm.wires.openai_chat.sources import Sources


def items_of(parts: list[object], sources: Sources) -> Iterator[Item]:
    """Yield what the parts of a content say.

    Args:
        parts: as they came.
        sources: those of the answer.

    """
    for each in parts:
        part = as_mapping(each)
        match part.get("type"):
            case "thinking":
                if thought := _thought(part.get("thinking")):
                    yield Reasoning(thought)
            case "reference":
                yield from sources.referred(part)
            case "image_url":
                yield from images_of([part])
            case "refusal":
                if refused := as_text(part.get("refusal")):
                    yield Refusal(refused)
            case _:
                if text := as_text(part.get("text") if part else each):
                    yield text


def _thought(said: object) -> str:
    texts = (as_text(as_mapping(each).get("text")) for each in as_list(said))
    return as_text(said) or "".join(texts)
