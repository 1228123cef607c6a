"""The parameters of a call as Cohere has them.

Wire facts: Cohere's reference of `POST /v2/chat`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.wires.loose import as_list, as_mapping, as_text
from asyncllm.wires.schemas import schema_in

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = {  # common parameter: Cohere's name for it
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "stop": "stop_sequences",
    **{name: name for name in ("seed", "presence_penalty", "frequency_penalty", "logprobs")},
    # What is translated by its value:
    **{name: name for name in ("tools", "tool_choice", "parallel_tool_calls")},
    **{name: name for name in ("response_format", "reasoning_effort")},
}
"""Where the common parameters go; Cohere has no place for others."""

_CHOICES = {"none": "NONE", "required": "REQUIRED"}


def cohere_fields(asked: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a request that parameters make.

    Args:
        asked: the parameters, by the names of `NAMES` and Cohere's own.

    Raises:
        ConfigurationError: one says what Cohere has no place for.

    """
    fields = dict(asked)
    if isinstance(stop := fields.get("stop_sequences"), str):
        fields["stop_sequences"] = [stop]
    if (effort := fields.pop("reasoning_effort", None)) is not None:
        # There are no levels: how long to think is said in tokens, by `thinking`.
        fields.setdefault("thinking", {"type": "disabled" if effort == "none" else "enabled"})
    if "response_format" in fields:
        fields["response_format"] = _format(fields["response_format"])
    if fields.pop("parallel_tool_calls", None) is False:
        raise ConfigurationError(
            "Cohere can't be limited to one call at a time: leave out parallel_tool_calls"
        )
    tools, choice = fields.pop("tools", None), fields.pop("tool_choice", None)
    tools = list(tools) if isinstance(tools, tuple) else tools
    return fields | _tools(tools, choice)


def _format(asked: object) -> object:
    """Return what Cohere has for a form as OpenAI has it; others as they are."""
    form = as_mapping(asked)
    if form.get("type") != "json_schema":
        return asked
    schema = schema_in(form)
    return {"type": "json_object", **({"json_schema": schema} if schema else {})}


def _tools(tools: object, choice: object) -> dict[str, object]:
    """Return the tools, and which may or must be called."""
    if not tools:
        if choice in (None, "auto", "none"):
            return {}
        raise ConfigurationError("tool_choice requires a call, but there are no tools")
    offered = [as_mapping(tool) for tool in as_list(tools)]
    fields: dict[str, object] = {"tools": tools}
    if any("strict" in as_mapping(tool.get("function")) for tool in offered):
        # What OpenAI says of each function, Cohere says of all at once.
        functions = [as_mapping(tool.get("function")) for tool in offered]
        plain = [{k: v for k, v in each.items() if k != "strict"} for each in functions]
        fields["tools"] = [
            {**tool, "function": function} for tool, function in zip(offered, plain, strict=True)
        ]
        if any(function.get("strict") for function in functions):
            fields["strict_tools"] = True
    if isinstance(choice, str):
        if choice != "auto":
            fields["tool_choice"] = _CHOICES.get(choice, choice)
    elif choice is not None:
        name = as_text(as_mapping(as_mapping(choice).get("function")).get("name"))
        fields["tools"] = [tool for tool in as_list(fields["tools"]) if _name_of(tool) == name]
        fields["tool_choice"] = "REQUIRED"  # of the one that is offered then
        if not fields["tools"]:
            raise ConfigurationError(f"tool_choice names {name!r}, which is not in tools")
    return fields


def _name_of(tool: object) -> str:
    return as_text(as_mapping(as_mapping(tool).get("function")).get("name"))
