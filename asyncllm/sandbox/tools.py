"""The sandbox's calls of the tools that a chat completion request declares.

When a request has `tools`, and `tool_choice` is not "none", and the text of its last user
message has the word "tool" or "tools" in any case, then the answer is one call of every tool,
in their order; not when the last message is a tool's result, or a bot would never be done. Each
declared property gets an argument: the first value of its `enum`, or an example of its type; a
string is the user's text itself.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import TYPE_CHECKING, Any

from asyncllm.sandbox.body import object_in
from asyncllm.sandbox.completion import ToolCall

if TYPE_CHECKING:
    from asyncllm.sandbox.body import JSON

_HAS_THE_WORD_TOOL = re.compile(r"\btools?\b", re.IGNORECASE).search
_EXAMPLES: dict[str, object] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


def calls_of_tools(body: JSON, prompt: str, last_message: object) -> list[ToolCall]:
    """Call the tools of a request, if its last user text wants that.

    Raises:
        AttributeError, KeyError, TypeError: the tools are not declared as they should be.

    """
    tools: Any = body.get("tools")
    if not tools or body.get("tool_choice") == "none" or not _HAS_THE_WORD_TOOL(prompt):
        return []
    if object_in(last_message).get("role") == "tool":
        return []
    return [_call_of(tool["function"], prompt, number) for number, tool in enumerate(tools)]


def _call_of(function: dict[str, Any], prompt: str, number: int) -> ToolCall:
    properties = function.get("parameters", {}).get("properties", {})
    arguments = {name: _argument(schema, prompt) for name, schema in properties.items()}
    identifier = f"call_{zlib.crc32(prompt.encode('utf-8', 'replace')):08x}{number}"
    return ToolCall(identifier, str(function["name"]), json.dumps(arguments, ensure_ascii=False))


def _argument(schema: dict[str, Any], prompt: str) -> object:
    if "enum" in schema:
        return schema["enum"][0]
    return _EXAMPLES.get(str(schema.get("type")), prompt)
