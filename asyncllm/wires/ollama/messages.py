"""Messages as Ollama has them.

Wire facts: `Message` of Ollama's `api/types.go`: the content is a string, images stand beside it as
base64 without a prefix, the arguments of a call are an object, and a result names its function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.events import object_in
from asyncllm.messages import placed
from asyncllm.parts import described, text_in
from asyncllm.wires.attachments import attachment_of
from asyncllm.wires.loose import as_list, as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWN = "ollama"
"""The key of a message for what plain text and tool calls would not say: the thinking."""

_ROLES = {"developer": "system"}


def ollama_messages(messages: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return `messages` as Ollama takes them.

    The thinking that came with calls goes back with them, as models go on from it. It is not
    signed, so an edited text does no harm; with other calls it is left out.

    Args:
        messages: the messages, as `check_messages` returns them.

    Raises:
        ConfigurationError: one has a part that Ollama has no place for.

    """
    functions: dict[str, str] = {}  # the names of those that were called, by the ids of the calls
    return [_translated(where, message, functions) for where, message in placed(messages)]


def _translated(
    where: str, message: Mapping[str, object], functions: dict[str, str]
) -> dict[str, object]:
    role = as_text(message["role"])
    text, images = _content(where, message)
    whole: dict[str, object] = {"role": _ROLES.get(role, role), "content": text}
    if images:
        whole["images"] = images
    if given := as_list(message.get("tool_calls")):
        calls = [_call(f"{where}.tool_calls[{n}]", call) for n, call in enumerate(given)]
        ids = [as_text(as_mapping(call).get("id")) for call in given]
        called = [as_text(as_mapping(call["function"]).get("name")) for call in calls]
        functions |= dict(zip(ids, called, strict=True))
        whole["tool_calls"] = calls
        own = as_mapping(message.get(OWN))
        if own.get("tool_call_ids") == ids and (thinking := as_text(own.get("thinking"))):
            whole["thinking"] = thinking
    if role == "tool":
        answered = as_text(message.get("tool_call_id"))
        name = as_text(message.get("name")) or functions.get(answered, "")
        told = {"tool_name": name, "tool_call_id": answered}
        whole |= {field: value for field, value in told.items() if value}
    return whole


def _content(where: str, message: Mapping[str, object]) -> tuple[str, list[str]]:
    """Return the text of a message, and its images as base64."""
    content = message.get("content")
    if not isinstance(content, list):
        return as_text(content) or as_text(message.get("refusal")), []
    texts, images = list[str](), list[str]()
    for number, part in enumerate(content):
        place = f"{where}.content[{number}]"
        if (text := text_in(part)) is not None:
            texts.append(text)
        elif (found := attachment_of(part, place)) is None or not found.is_image:
            raise ConfigurationError(
                f"{place} is {described(part)}, but Ollama takes text and images only"
            )
        elif found.url:
            raise ConfigurationError(
                f"{place} is an image with a URL, but Ollama takes images as bytes or paths only"
            )
        else:
            images.append(found.base64)
    return "".join(texts), images


def _call(where: str, given: object) -> dict[str, object]:
    call = as_mapping(given)
    function = as_mapping(call.get("function"))
    if not function:
        raise ConfigurationError(f"{where} is not a function call, and Ollama knows no other")
    arguments = object_in(as_text(function.get("arguments")) or "{}")
    if arguments is None:
        raise ConfigurationError(f"{where}.function.arguments must be a JSON object")
    named = {"name": function.get("name"), "arguments": arguments}
    return {"id": as_text(call.get("id")), "function": named}
