"""Messages as Cohere has them.

Wire facts: Cohere's reference of `POST /v2/chat`: an assistant's content may be blocks of thinking
and of text, and the plan that came before its calls stands beside them.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.messages import placed
from asyncllm.parts import text_in
from asyncllm.wires.attachments import attachment_of
from asyncllm.wires.loose import as_count, as_list, as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWN = "cohere"
"""The key of a message for what text and tool calls would not say: thinking, plan, citations."""

_ROLES = {"developer": "system"}


def cohere_messages(messages: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return `messages` as Cohere takes them.

    The blocks of thinking, the plan and the citations of an answer go back with it, where its text
    and its calls are still the same.

    Args:
        messages: the messages, as `check_messages` returns them.

    Raises:
        ConfigurationError: one has a part that Cohere has no place for.

    """
    return [_translated(where, message) for where, message in placed(messages)]


def _translated(where: str, message: Mapping[str, object]) -> dict[str, object]:
    role = as_text(message["role"])
    whole: dict[str, object] = {"role": _ROLES.get(role, role)}
    content = _content(where, message)
    calls = [
        _call(as_mapping(call), f"{where}.tool_calls[{number}]")
        for number, call in enumerate(as_list(message.get("tool_calls")))
    ]
    if content or not calls:
        whole["content"] = content
    if calls:
        whole["tool_calls"] = calls
    if role == "assistant":
        whole |= _own(message, content, [call["id"] for call in calls])
    if role == "tool":
        whole["tool_call_id"] = message.get("tool_call_id")
    return whole


def _own(
    message: Mapping[str, object], content: object, ids: Sequence[object]
) -> dict[str, object]:
    """Return what Cohere itself said of an answer, as far as it still fits."""
    own = as_mapping(message.get(OWN))
    blocks = [as_mapping(block) for block in as_list(own.get("content"))]
    lengths = [as_count(block.get("length")) or 0 for block in blocks]
    is_same = isinstance(content, str) and sum(lengths) == len(content)
    is_same = is_same and all(length >= 0 for length in lengths)
    if not own or not is_same or as_list(own.get("tool_call_ids")) != list(ids):
        return {}
    text, whole = iter(as_text(content)), list[dict[str, object]]()
    for block, length in zip(blocks, lengths, strict=True):
        is_text = block.get("type") == "text"
        written: dict[str, object] = {"type": "text", "text": "".join(islice(text, length))}
        whole.append(written if is_text else block)
    kept = {name: own.get(name) for name in ("tool_plan", "citations")}
    return {name: value for name, value in {"content": whole, **kept}.items() if value}


def _content(where: str, message: Mapping[str, object]) -> str | list[dict[str, object]]:
    """Return a text, or the parts of a content."""
    content = message.get("content")
    if not isinstance(content, list):
        return as_text(content) or as_text(message.get("refusal"))
    return [_part(f"{where}.content[{number}]", part) for number, part in enumerate(content)]


def _part(where: str, part: dict[str, object]) -> dict[str, object]:
    if (text := text_in(part)) is not None:
        return {"type": "text", "text": text}
    found = attachment_of(part, where)
    if found is None:
        return part  # of Cohere's own kinds, such as a document
    if not found.is_image:
        raise ConfigurationError(
            f"{where} is {'a recording' if found.is_audio else 'a file'}, but Cohere takes text "
            "and images only"
        )
    detail = {"detail": found.detail} if found.detail else {}
    return {"type": "image_url", "image_url": {"url": found.anywhere, **detail}}


def _call(call: Mapping[str, object], where: str) -> dict[str, object]:
    function = as_mapping(call.get("function"))
    if not function:
        raise ConfigurationError(f"{where} is not a function call, and Cohere knows no other")
    named = {"name": function.get("name"), "arguments": function.get("arguments") or "{}"}
    return {"id": call.get("id"), "type": "function", "function": named}
