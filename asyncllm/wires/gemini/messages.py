"""Messages as Gemini's wire has them.

Wire facts: Google's reference of `Content` and `Part`, "Function calling" and "Thought signatures".
The results of a turn's calls are one content, which comes at once after the calls. A file is read
by the server where it has a URL: its own file store's, Google Cloud Storage's (in Gemini's own
`fileData`), or a public one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.events import object_in
from asyncllm.messages import placed
from asyncllm.parts import described, text_in
from asyncllm.wires.attachments import attachment_of
from asyncllm.wires.gemini.layout import LaidOut
from asyncllm.wires.loose import as_list, as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from asyncllm.wires.attachments import Attachment

    _Part: TypeAlias = dict[str, object]

_SYSTEM = frozenset({"system", "developer"})
_ANY_SIGNATURE = "skip_thought_signature_validator"
# Those do without signatures; all others refuse calls that have none.
_SIGNS_NOTHING = re.compile(r"gemini-[12]\.|gemma").search


def gemini_contents(
    messages: Sequence[Mapping[str, object]], model: str
) -> tuple[list[dict[str, object]], dict[str, object] | None]:
    """Return the `contents` of a request, and its `systemInstruction`; None for none.

    Args:
        messages: the messages, as `check_messages` returns them.
        model: the full id of the model, as newer ones want signatures with calls.

    Raises:
        ConfigurationError: a message can't be said on this wire; the text says which.

    """
    contents: list[dict[str, object]] = []
    system: list[_Part] = []
    calls = _Called()
    newest = ""
    for where, message in placed(messages):
        role = as_text(message["role"])
        if role in _SYSTEM:
            system += _spoken_parts(message, where, texts_only=True)
            continue
        if role == "assistant":
            parts = _model_parts(message, where, calls, wants_signature=not _SIGNS_NOTHING(model))
        elif role == "tool":
            parts = [_result(message, where, calls)]
        elif role == "user":
            parts = _spoken_parts(message, where)
        else:
            raise ConfigurationError(
                f"{where} has the role {role!r}, but Gemini knows system, user, assistant and tool"
            )
        if role == newest:
            contents[-1]["parts"] = [*as_list(contents[-1]["parts"]), *parts]
        elif parts:  # an answer may have been empty, which is no content here
            contents.append({"role": "model" if role == "assistant" else "user", "parts": parts})
            newest = role
    if not contents:
        raise ConfigurationError("Gemini needs a user message: there are only system messages")
    return contents, {"parts": system} if system else None


class _Called:
    """The calls of the messages so far."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}  # by their ids
        self.unnamed: set[str] = set()  # ids of ours, where the server gave none


def _spoken_parts(
    message: Mapping[str, object], where: str, *, texts_only: bool = False
) -> list[_Part]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"text": content}] if content else []
    parts: list[_Part] = []
    for number, each in enumerate(as_list(content)):
        part, place = as_mapping(each), f"{where}.content[{number}]"
        attachment = None if texts_only else attachment_of(part, place)
        own = as_mapping(part.get("fileData")) if part.get("type") == "fileData" else {}
        if attachment is not None:
            parts.append(_media(attachment))
        elif own and not texts_only:  # of a place that has no URL for others
            parts.append({name: value for name, value in part.items() if name != "type"})
        elif (text := text_in(part)) is None:
            raise ConfigurationError(f"{place} is {described(part)}, but Gemini takes none here")
        elif text:
            parts.append({"text": text})
    return parts


def _media(attachment: Attachment) -> _Part:
    kind = {"mimeType": attachment.media_type} if attachment.media_type else {}
    if attachment.url:
        return {"fileData": {**kind, "fileUri": attachment.url}}
    return {"inlineData": {**kind, "data": attachment.base64}}


def _model_parts(
    message: Mapping[str, object], where: str, called: _Called, *, wants_signature: bool
) -> list[_Part]:
    """Return an answer's parts: as they lay where it is Gemini's own, with its signatures."""
    laid_out = LaidOut(message)
    called.unnamed |= laid_out.unnamed
    calls: list[tuple[str, _Part]] = []
    for number, each in enumerate(as_list(message.get("tool_calls"))):
        call = as_mapping(each)
        part = _call(call, f"{where}.tool_calls[{number}]", called)
        calls.append((as_text(call.get("id")), part))
    content = message.get("content")
    if not content and (refusal := as_text(message.get("refusal"))):
        content, message = refusal, {**message, "content": refusal}
    is_text = content is None or isinstance(content, str)
    parts = laid_out.parts(as_text(content), dict(calls)) if is_text else None
    if parts is None:
        said = _spoken_parts(message, where)
        parts = [*said, *(laid_out.signed(name, part) for name, part in calls)]
    first = next((part for part in parts if "functionCall" in part), {})
    if wants_signature and first and "thoughtSignature" not in first:
        # It is another's, or was made by a model that does not sign.
        at = parts.index(first)
        parts[at] = {**first, "thoughtSignature": _ANY_SIGNATURE}
    return parts


def _call(call: Mapping[str, object], where: str, called: _Called) -> _Part:
    function = as_mapping(call.get("function"))
    name, written = as_text(function.get("name")), as_text(function.get("arguments"))
    if not name:
        raise ConfigurationError(f"{where} is not a function call, and Gemini knows no other")
    arguments = object_in(written or "{}")
    if arguments is None:
        raise ConfigurationError(f"{where}.function.arguments must be a JSON object")
    call_id = as_text(call.get("id"))
    called.names[call_id] = name
    return {"functionCall": {**_named(call_id, called), "name": name, "args": arguments}}


def _result(message: Mapping[str, object], where: str, called: _Called) -> _Part:
    call_id = as_text(message.get("tool_call_id"))
    name = called.names.get(call_id) or as_text(message.get("name"))
    if not name:
        raise ConfigurationError(
            f"{where} is the result of a call that no message before it asks for: {call_id!r}"
        )
    said = _spoken_parts(message, where)
    texts = [as_text(part["text"]) for part in said if "text" in part]
    media = [part for part in said if "text" not in part]
    text = "".join(texts)
    response = object_in(text)
    answer: _Part = {
        **_named(call_id, called),
        "name": name,
        "response": {"result": text} if response is None else response,
    }
    return {"functionResponse": {**answer, "parts": media} if media else answer}


def _named(call_id: str, called: _Called) -> dict[str, object]:
    return {} if call_id in called.unnamed else {"id": call_id}
