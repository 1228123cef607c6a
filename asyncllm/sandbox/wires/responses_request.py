"""What a request for one of OpenAI's Responses asks for, and what the server refuses of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncllm.sandbox.generation import ToolCall, asks_for_tools, call_of
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_KNOWN = {
    *("background", "conversation", "include", "input", "instructions", "max_output_tokens"),
    *("max_tool_calls", "metadata", "model", "parallel_tool_calls", "previous_response_id"),
    *("prompt", "prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier"),
    *("service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice"),
    *("tools", "top_logprobs", "top_p", "truncation", "user"),
}
_MOVED = {
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
}
_PARTS = {
    "assistant": ("output_text", "refusal"),
    "developer": ("input_text", "input_image", "input_file"),
    "system": ("input_text", "input_image", "input_file"),
    "user": ("input_text", "input_image", "input_file"),
}
_CALLS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
_TOOLS_WITH_NAMES = {"function", "custom"}


def check_parameters(body: JSON) -> None:
    """Refuse parameters that the API does not know, and tools of another shape.

    Raises:
        RequestError: there is one.

    """
    for name in body:
        if name in _MOVED:
            raise RequestError(
                f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved "
                f"to '{_MOVED[name]}'.",
                code="unsupported_parameter",
            )
        if name not in _KNOWN:
            raise RequestError(f"Unknown parameter: '{name}'.", code="unknown_parameter")
    for number, tool in enumerate(map(object_in, list_in(body.get("tools")))):
        if tool.get("type") in _TOOLS_WITH_NAMES and not isinstance(tool.get("name"), str):
            raise RequestError(
                f"Missing required parameter: 'tools[{number}].name'.",
                code="missing_required_parameter",
            )
    choice, form = object_in(body.get("tool_choice")), object_in(object_in(body.get("text")))
    form = object_in(form.get("format"))
    for where, said in (("tool_choice", choice), ("text.format", form)):
        if said.get("type") in {"function", "custom", "json_schema"} and "name" not in said:
            raise RequestError(
                f"Missing required parameter: '{where}.name'.", code="missing_required_parameter"
            )
    if body.get("background") is True and body.get("store") is False:
        raise RequestError("Background mode requires 'store' to be true.")


def items_of(body: JSON) -> list[JSON]:
    """Read the input items; a text is one message of the user's.

    Raises:
        RequestError: there are none, or one is not as it must be.

    """
    given = body.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    items = [object_in(item) for item in list_in(given)]
    if not items:
        raise RequestError("Missing required parameter: 'input'.")
    for place, item in enumerate(items):
        if item.get("type", "message") == "message":
            _check_message(item, f"input[{place}]")
    _check_results(items)
    return items


def _check_message(item: JSON, where: str) -> None:
    role = str(item.get("role"))
    if role not in _PARTS:
        raise RequestError(f"Invalid value: '{role}' for '{where}.role'.", code="invalid_value")
    content = item.get("content")
    if not isinstance(content, str | list):
        raise RequestError(f"Invalid type for '{where}.content'.", code="invalid_type")
    for number, part in enumerate(map(object_in, list_in(content))):
        if part.get("type") not in _PARTS[role]:
            known = ", ".join(f"'{name}'" for name in _PARTS[role])
            raise RequestError(
                f"Invalid value: '{part.get('type')}' for '{where}.content[{number}].type'. "
                f"Supported values are: {known}.",
                code="invalid_value",
            )
        if part.get("type") == "input_image" and not isinstance(part.get("image_url"), str):
            raise RequestError(f"Invalid type for '{where}.content[{number}].image_url'.")


def _check_results(items: Sequence[JSON]) -> None:
    """See that each call has its result, of its kind, and each result its call before it."""
    open_calls: dict[object, str] = {}
    called: dict[object, str] = {}
    for item in items:
        kind, call = item.get("type"), item.get("call_id")
        if kind in _CALLS:
            open_calls[call] = called[call] = _CALLS[str(kind)]
        elif kind in _CALLS.values():
            if called.get(call) != kind:
                raise RequestError(
                    f"No tool call found for function call output with call_id {call}."
                )
            open_calls.pop(call, None)
    if open_calls:
        raise RequestError(f"No tool output found for function call {next(iter(open_calls))}.")


def calls_for(body: JSON, prompt: str, last: JSON) -> list[ToolCall]:
    """Call every function and custom tool once, in their order, if the user asks for tools.

    Not if the last item is a result, or a bot would never be done.

    Raises:
        RequestError: the tools are not declared as they should be.

    """
    tools: Any = body.get("tools")
    is_answered = last.get("type") in _CALLS.values()
    if not tools or is_answered or body.get("tool_choice") == "none" or not asks_for_tools(prompt):
        return []
    try:
        return [
            call_of(
                str(tool["name"]),
                (tool.get("parameters") or {}).get("properties", {}),
                prompt,
                number,
            )
            for number, tool in enumerate(tools)
            if tool["type"] in _TOOLS_WITH_NAMES
        ]
    except (AttributeError, LookupError, TypeError, UnicodeError):
        raise RequestError("'tools' must be a list of tools") from None


def user_text_in(items: Sequence[JSON]) -> str:
    """Read what the user said last."""
    said = [item for item in items if item.get("role") == "user"]
    return text_in(said[-1]) if said else ""


def text_in(item: JSON) -> str:
    """Read the text of a message, or of a result."""
    content = item.get("content", item.get("output"))
    if isinstance(content, str):
        return content
    texts = [object_in(part).get("text") for part in list_in(content)]
    return "\n".join(text for text in texts if isinstance(text, str))
