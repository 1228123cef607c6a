"""Tools, given in OpenAI's shape or in Anthropic's own, as Anthropic's wire has them."""

from __future__ import annotations

from collections.abc import Mapping

from asyncllm.errors import ConfigurationError
from asyncllm.wires.loose import as_mapping

_NO_PARAMETERS = {"type": "object", "properties": {}}
_CHOICES = {"auto": "auto", "required": "any", "any": "any", "none": "none"}
_TYPES = frozenset({"auto", "any", "none", "tool"})


def tool_of(tool: object, where: str) -> dict[str, object]:
    """Return a tool; one of Anthropic's own, such as a web search, is sent as it is.

    Args:
        tool: as it was given.
        where: its place, for errors.

    Raises:
        ConfigurationError: it is no tool.

    """
    if not isinstance(tool, Mapping):
        raise ConfigurationError(f"{where} must be a mapping, not {type(tool).__name__}")
    function = tool.get("function")
    if not isinstance(function, Mapping):
        return dict(tool)
    besides = {name: value for name, value in tool.items() if name not in {"type", "function"}}
    own = {name: value for name, value in function.items() if name != "parameters"}
    schema = function.get("parameters") or _NO_PARAMETERS
    made = {**own, "input_schema": schema, **besides}
    return {name: value for name, value in made.items() if value is not None}


def choice_of(params: Mapping[str, object], *, has_tools: bool) -> dict[str, object]:
    """Return which tools are to be called; an empty one where nothing is said of it.

    Args:
        params: the parameters, with `tool_choice` and `parallel_tool_calls`.
        has_tools: whether there are any.

    Raises:
        ConfigurationError: the choice is none that Anthropic knows.

    """
    choice = _choice(params.get("tool_choice"))
    if has_tools and params.get("parallel_tool_calls") is False and choice.get("type") != "none":
        return {"type": "auto", **choice, "disable_parallel_tool_use": True}
    return choice


def _choice(asked: object) -> dict[str, object]:
    if asked is None:
        return {}
    if isinstance(asked, str) and asked in _CHOICES:
        return {"type": _CHOICES[asked]}
    said = as_mapping(dict(asked) if isinstance(asked, Mapping) else None)
    name = as_mapping(said.get("function")).get("name")
    if said.get("type") == "function" and name:
        return {"type": "tool", "name": name}
    if said.get("type") in _TYPES:
        return said
    raise ConfigurationError(
        f'tool_choice must be "auto", "none", "required" or a function for Anthropic, not {asked!r}'
    )
