"""What a request for a chat completion asks for, read without trusting it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncllm.sandbox.generation import ToolCall, asks_for_tools, call_of
from asyncllm.sandbox.wires.body import JSON, list_in, object_in

if TYPE_CHECKING:
    from collections.abc import Sequence


def calls_of_tools(body: JSON, prompt: str, last_message: object) -> list[ToolCall]:
    """Call every tool of a request once, in their order, if the last user text asks for tools.

    Not if `tool_choice` is "none", nor if the last message is a tool's result, or a bot would
    never be done.

    Raises:
        AttributeError, KeyError, TypeError: the tools are not declared as they should be.

    """
    tools: Any = body.get("tools")
    if not tools or body.get("tool_choice") == "none" or not asks_for_tools(prompt):
        return []
    if object_in(last_message).get("role") == "tool":
        return []
    calls: list[ToolCall] = []
    for number, tool in enumerate(tools):
        function = tool["function"]
        properties = function.get("parameters", {}).get("properties", {})
        calls.append(call_of(str(function["name"]), properties, prompt, number))
    return calls


def limit_of(body: JSON) -> int | None:
    """Read how many tokens the answer may have at most."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return limit if isinstance(limit, int) and limit > 0 else None


def last_user_text(messages: Sequence[object]) -> str:
    """Read what the user said last."""
    said = [message for message in messages if object_in(message).get("role") == "user"]
    return text_of(said[-1]) if said else ""


def text_of(message: object) -> str:
    """Read the text of a message, also when its content is a list of parts."""
    content = object_in(message).get("content")
    if isinstance(content, str):
        return content
    texts = [object_in(part).get("text") for part in list_in(content)]
    return "\n".join(text for text in texts if isinstance(text, str))
