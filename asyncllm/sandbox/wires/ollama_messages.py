"""What a request to Ollama must be: its types are Go's, and a value of another is refused."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Container

_LEVELS = ("low", "medium", "high", "max")
_TEXTS = ("role", "content", "thinking", "tool_name", "tool_call_id")


def check_chat(body: JSON, model: str, abilities: Container[str]) -> None:
    """Refuse what Ollama would refuse.

    Raises:
        RequestError: a field is of another type, or the model can't do what is asked.

    """
    for message in list_in(body.get("messages")):
        _check_message(object_in(message))
    think = body.get("think")
    if think not in (None, True, False, *_LEVELS):
        raise RequestError(f"invalid think value: {think!r} (must be true, false, or a level)")
    if think not in (None, False) and "thinking" not in abilities:
        raise RequestError(f'"{model}" does not support thinking')
    if body.get("tools") and "tools" not in abilities:
        raise RequestError(f'"{model}" does not support tools')
    form = body.get("format")
    if form not in (None, "", "json") and not isinstance(form, dict):
        raise RequestError(
            f'invalid format: {form!r}; expected "json" or a valid JSON Schema object'
        )
    if not isinstance(body.get("options", {}), dict):
        raise _unlike("options", body["options"], "map[string]interface {}")
    stop = object_in(body.get("options")).get("stop")
    if stop is not None and not isinstance(stop, list):
        raise RequestError('option "stop" must be of type array')


def _check_message(message: JSON) -> None:
    for name in _TEXTS:
        if not isinstance(message.get(name, ""), str):
            raise _unlike(f"messages.{name}", message[name], "string")
    for image in list_in(message.get("images")):
        try:
            base64.b64decode(str(image), validate=True)
        except ValueError:
            raise RequestError("illegal base64 data at input byte 4") from None
    for call in map(object_in, list_in(message.get("tool_calls"))):
        arguments = object_in(call.get("function")).get("arguments", {})
        if not isinstance(arguments, dict):
            raise _unlike("messages.tool_calls.function.arguments", arguments, "map")


def _unlike(field: str, value: object, kind: str) -> RequestError:
    names = ((str, "string"), (list, "array"), (dict, "object"))
    found = next((name for type_, name in names if isinstance(value, type_)), "number")
    return RequestError(
        f"json: cannot unmarshal {found} into Go struct field ChatRequest.{field} of type {kind}"
    )
