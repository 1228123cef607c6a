"""What the messages of a request must be: parts that are known, and tools' results in their place.

It is what OpenAI refuses. What is absent is not looked for, as servers differ there.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BEGINS_DATA = re.compile(r"data:[^,]*;base64,").match


def check_messages(messages: Sequence[object]) -> None:
    """Refuse what a server would refuse.

    Raises:
        RequestError: a part is unknown or broken, a call has no result, or a result no call.

    """
    for place, message in enumerate(map(object_in, messages)):
        for number, part in enumerate(list_in(message.get("content"))):
            _check_part(object_in(part), f"messages[{place}].content[{number}]")
    check_results([object_in(message) for message in messages])


def _check_part(part: JSON, where: str) -> None:
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in _PARTS:
        known = ", ".join(f"'{name}'" for name in _PARTS)
        raise RequestError(f"{where}: invalid type {kind!r}; supported are {known}")
    try:
        _PARTS[kind](part.get(kind))
    except ValueError as error:
        raise RequestError(f"{where}: invalid {kind}: {error}") from None


def _check_image(image: object) -> None:
    url = image if isinstance(image, str) else object_in(image).get("url")
    if isinstance(url, str) and url.startswith("data:"):
        _check_data(url)


def _check_audio(audio: object) -> None:
    data = object_in(audio).get("data")
    if isinstance(data, str):
        _check_data(data)


def _check_file(file: object) -> None:
    data = object_in(file).get("file_data")
    if isinstance(data, str):
        _check_data(data)


def _check_nothing(_value: object) -> None:
    """Take text, refusals and Mistral's thinking as they are."""


_PARTS: dict[str, Callable[[object], None]] = {
    "text": _check_nothing,
    "image_url": _check_image,
    "input_audio": _check_audio,
    "file": _check_file,
    "refusal": _check_nothing,
    "thinking": _check_nothing,
}


def _check_data(data: str) -> None:
    """Refuse what is neither base64 nor a data URL with it."""
    head = _BEGINS_DATA(data)
    if not base64.b64decode(data[head.end() :] if head is not None else data, validate=True):
        raise ValueError("there is no data")


def check_results(messages: Sequence[JSON]) -> None:
    """See that every call has its result at once, and every result with an id its call."""
    called: list[str] = []  # by the assistant's message before
    awaited: list[str] = []
    for place, message in enumerate(messages):
        if message.get("role") == "tool":
            answered = message.get("tool_call_id")
            if isinstance(answered, str) and answered not in called:
                raise RequestError(
                    f"messages[{place}]: a message with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'"
                )
            awaited = [call for call in awaited if call != answered]
            continue
        _refuse_awaited(awaited)
        calls = [object_in(call).get("id") for call in list_in(message.get("tool_calls"))]
        called = awaited = [call for call in calls if isinstance(call, str)]
    _refuse_awaited(awaited)


def _refuse_awaited(calls: Sequence[str]) -> None:
    if calls:
        raise RequestError(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            f"{', '.join(calls)}"
        )
