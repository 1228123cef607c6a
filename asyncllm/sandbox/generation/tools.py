"""The sandbox's calls of the tools that a request declares.

They are called when the user's text has the word "tool" or "tools" in any case. Each declared
property gets an argument: the first value of its `enum`, or an example of its type; a string is
the user's text itself.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_HAS_THE_WORD_TOOL = re.compile(r"\btools?\b", re.IGNORECASE).search
_EXAMPLES: dict[str, object] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


@dataclass(frozen=True)
class ToolCall:
    """A call of one of the request's tools; `arguments` is JSON."""

    id: str
    name: str
    arguments: str


def asks_for_tools(prompt: str) -> bool:
    """Say whether a user's text wants the tools called."""
    return _HAS_THE_WORD_TOOL(prompt) is not None


def call_of(name: str, properties: Mapping[str, Any], prompt: str, number: int) -> ToolCall:
    """Call a tool, the request's `number`th, whose JSON schema has these properties.

    Raises:
        AttributeError, LookupError, TypeError: the properties are not declared as they should be.
        UnicodeError: there are halves of characters in them, or in the name.

    """
    said = prompt.encode("utf-8", "replace")
    values = {name: _argument(schema, said.decode()) for name, schema in properties.items()}
    arguments = json.dumps(values, ensure_ascii=False)
    (name + arguments).encode()  # now, as an answer that has begun can't be refused
    return ToolCall(f"call_{zlib.crc32(said):08x}{number}", name, arguments)


def _argument(schema: dict[str, Any], prompt: str) -> object:
    if "enum" in schema:
        return schema["enum"][0]
    return _EXAMPLES.get(str(schema.get("type")), prompt)
