"""What a request for a chat completion asks for, read without trusting it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asyncllm.sandbox.generation import ToolCall, asks_for_tools, call_of
from asyncllm.sandbox.wires.body import JSON, list_in, object_in
from asyncllm.sandbox.wires.openai_errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_TOP_LOGPROBS = 20


def calls_of_tools(body: JSON, prompt: str, last_message: object) -> list[ToolCall]:
    """Call every tool of a request once, in their order, if the last user text asks for tools.

    Not if `tool_choice` is "none", nor if the last message is a tool's result, or a bot would
    never be done.

    Raises:
        AttributeError, LookupError, TypeError, UnicodeError: the tools are not declared as they
            should be.

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


def top_logprobs_of(body: JSON) -> int | None:
    """Read how many tokens to name in the place of each; None for no log probabilities at all.

    Raises:
        RequestError: it is more than OpenAI allows, or no number.

    """
    top = body.get("top_logprobs")
    if top is None:
        return 0 if body.get("logprobs") is True else None
    if not isinstance(top, int) or not 0 <= top <= _MOST_TOP_LOGPROBS:
        raise RequestError(
            f"Invalid 'top_logprobs': expected an integer from 0 to {_MOST_TOP_LOGPROBS}"
        )
    return top


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
