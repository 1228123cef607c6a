"""Messages as the input items of OpenAI's Responses.

Wire facts: the input items of OpenAI's reference of `POST /responses`. A message has parts
`input_text`, `input_image` and `input_file`; calls and their results are items of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.messages import placed
from asyncllm.parts import described
from asyncllm.parts import text_in as text_of_part
from asyncllm.wires.attachments import attachment_of
from asyncllm.wires.loose import as_list, as_mapping, as_text
from asyncllm.wires.openai_responses.items import refusal_in, text_in
from asyncllm.wires.openai_responses.output import KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CALLS = ("function_call", "custom_tool_call")


def responses_input(
    messages: Sequence[Mapping[str, object]], *, has_instructions: bool = False
) -> tuple[str, list[dict[str, object]]]:
    """Return the instructions that begin `messages`, or "", and the input items of the rest.

    Args:
        messages: the messages, as `check_messages` returns them.
        has_instructions: whether the caller gives other ones: then all are input items.

    Raises:
        ConfigurationError: a message holds what this wire has no place for; the text says where.

    """
    instructions: list[str] = []
    items: list[dict[str, object]] = []
    custom: set[object] = set()  # the ids of calls whose results are of another kind
    for where, message in placed(messages):
        said = None if items or has_instructions else _instruction(message)
        if said is not None:
            instructions.append(said)
            continue
        match message["role"]:
            case "assistant":
                added = _turn(message, where)
                called = (each for each in added if each.get("type") == "custom_tool_call")
                custom.update(each.get("call_id") for each in called)
            case "tool":
                added = [_result(message, where, custom)]
            case role:
                added = [{"role": role, "content": _content(message, where)}]
        items += added
    if not items:  # the API wants some input
        return "", [{"role": "system", "content": text} for text in instructions]
    return "\n\n".join(instructions), items


def _instruction(message: Mapping[str, object]) -> str | None:
    """Return the text of a message that instructs; None of any other."""
    content = message.get("content")
    if message["role"] not in {"system", "developer"}:
        return None
    if isinstance(content, str):
        return content
    texts = [text_of_part(part) for part in as_list(content)]
    return None if None in texts else "".join(filter(None, texts))


def _turn(message: Mapping[str, object], where: str) -> list[dict[str, object]]:
    """Return an assistant's turn: as the server gave it, unless somebody has changed it since."""
    text = _said(message, where)
    calls = [_call(as_mapping(call)) for call in as_list(message.get("tool_calls"))]
    own = [as_mapping(each) for each in as_list(as_mapping(message.get(KEY)).get("output"))]
    if own and _fits(own, text, calls):
        return own
    if not (text or calls) and message.get("content") is None:
        raise ConfigurationError(f"{where} has nothing that this provider can send")
    said: dict[str, object] = {"role": "assistant", "content": text}
    return [said, *calls] if text or not calls else calls


def _fits(own: list[dict[str, object]], text: str, calls: list[dict[str, object]]) -> bool:
    """Tell whether the items of an answer say what its message says."""
    messages = [item for item in own if item.get("type") == "message"]
    told = "".join(map(text_in, messages)) or "".join(map(refusal_in, messages))
    called = [item for item in own if item.get("type") in _CALLS]
    return text == told and list(map(_gist, called)) == list(map(_gist, calls))


def _gist(call: Mapping[str, object]) -> tuple[object, ...]:
    # Not its kind, as a custom call is a function's in the message.
    written = call["arguments"] if "arguments" in call else call.get("input")
    return call.get("call_id"), call.get("name"), written


def _said(message: Mapping[str, object], where: str) -> str:
    """Return the text of an assistant's message, or of its refusal."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    texts = []
    for number, part in enumerate(as_list(content)):
        text = text_of_part(part)
        text = as_text(as_mapping(part).get("refusal")) or None if text is None else text
        if text is None:
            raise ConfigurationError(
                f"{where}.content[{number}] is {described(part)}, but this provider takes only "
                "text from an assistant"
            )
        texts.append(text)
    return "".join(texts) or as_text(message.get("refusal"))


def _call(call: Mapping[str, object]) -> dict[str, object]:
    """Return a call of a message; one that is custom in OpenAI's chat shape is so here too."""
    custom = as_mapping(call.get("custom"))
    if custom:
        named = {"name": custom.get("name"), "input": custom.get("input")}
        return {"type": "custom_tool_call", "call_id": call.get("id"), **named}
    function = as_mapping(call.get("function"))
    named = {"name": function.get("name"), "arguments": function.get("arguments")}
    return {"type": "function_call", "call_id": call.get("id"), **named}


def _result(message: Mapping[str, object], where: str, custom: set[object]) -> dict[str, object]:
    call = message.get("tool_call_id")
    kind = "custom_tool_call_output" if call in custom else "function_call_output"
    content = message.get("content")
    texts = [text_of_part(part) for part in as_list(content)]
    if not isinstance(content, str) and None not in texts:
        content = "".join(filter(None, texts))  # a text is what every server takes
    elif not isinstance(content, str):
        content = _content(message, where)
    return {"type": kind, "call_id": call, "output": content}


def _content(message: Mapping[str, object], where: str) -> str | list[dict[str, object]]:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = enumerate(map(as_mapping, as_list(content)))
    return [_part(part, f"{where}.content[{number}]") for number, part in parts]


def _part(part: dict[str, object], where: str) -> dict[str, object]:
    """Return a part in this wire's shape; one of a kind that is unknown here as it is."""
    if part.get("type") == "text":
        return {"type": "input_text", "text": part["text"]}
    stored = as_mapping(part.get("file")).get("file_id")
    if stored:
        return {"type": "input_file", "file_id": stored}
    found = attachment_of(part, where)
    if found is None:
        return part
    if found.is_image:
        detail = {"detail": found.detail} if found.detail else {}
        return {"type": "input_image", "image_url": found.anywhere, **detail}
    if found.is_audio:
        raise ConfigurationError(f"{where} is a recording, but OpenAI's Responses take none")
    if found.url:
        return {"type": "input_file", "file_url": found.url}
    return {"type": "input_file", "filename": found.name, "file_data": found.anywhere}
