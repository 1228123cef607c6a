"""Tools, a choice among them and the form of an answer, from OpenAI's chat shape to its Responses'.

Wire facts: OpenAI's "Migrate to the Responses API": what stands in `function`, `custom` and
`json_schema` of a chat completion stands beside `type` here; and a function that says nothing of
`strict` is strict here, and is not so there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from asyncllm.wires.loose import as_list

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_PARAMETERS = {"type": "object", "properties": {}}
_INNER = ("function", "custom", "allowed_tools", "json_schema", "grammar")


def flat_tools(tools: Sequence[object]) -> list[object]:
    """Return tools in this wire's shape; those that have it already stay as they are."""
    return [_flat_tool(tool) for tool in tools]


def flat_choice(choice: object) -> object:
    """Return a choice of tools in this wire's shape; a word, such as "auto", is the same here."""
    flat = _flat(choice)
    if isinstance(flat, dict) and flat.get("type") == "allowed_tools":
        return {**flat, "tools": [_flat(tool) for tool in as_list(flat.get("tools"))]}
    return flat


def flat_format(form: Mapping[str, object]) -> object:
    """Return what `response_format` says, as `text.format` says it."""
    return _flat(form)


def _flat_tool(tool: object) -> object:
    flat = _flat(tool)
    if flat is tool or not isinstance(flat, dict):
        return tool
    if flat.get("type") == "function":
        return {"parameters": _NO_PARAMETERS, "strict": False, **flat}
    if "format" in flat:  # of a custom tool
        return {**flat, "format": _flat(flat["format"])}
    return flat


def _flat(said: object) -> object:
    """Return an object with what stands in its inner object beside its type."""
    if not isinstance(said, Mapping):
        return said
    kind = said.get("type")
    inner = said.get(kind) if kind in _INNER else None
    if not isinstance(inner, Mapping):
        return said
    return {**{name: value for name, value in said.items() if name != kind}, **inner}
