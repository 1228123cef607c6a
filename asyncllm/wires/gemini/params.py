"""Parameters as Gemini's wire has them.

Wire facts: Google's reference of `GenerationConfig`, `ThinkingConfig`, `FunctionDeclaration` and
`FunctionCallingConfig`; the thinking budgets of Google's OpenAI endpoint.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asyncllm.errors import ConfigurationError
from asyncllm.wires.loose import as_list, as_mapping, as_text
from asyncllm.wires.schemas import schema_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal, TypeAlias

    from typing_extensions import TypeIs

    _Place: TypeAlias = Literal["body", "config", "thinking"]
    _Placed: TypeAlias = tuple[_Place, dict[str, object]]

_COMMON = {  # ours: the wire's, in `generationConfig`
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "max_completion_tokens": "maxOutputTokens",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_IN_CONFIG = frozenset(
    {
        *("audioTimestamp", "candidateCount", "continuationToken", "enableAffectiveDialog"),
        *("enableEnhancedCivicAnswers", "imageConfig", "maxOutputTokens", "mediaResolution"),
        *("modelSelectionConfig", "responseJsonSchema", "responseLogprobs", "responseMimeType"),
        *("responseModalities", "responseSchema", "routingConfig", "speechConfig"),
        *("stopSequences", "thinkingConfig", "topK", "topP"),
    }
)
_MAPPINGS = frozenset({"generationConfig", "thinkingConfig"})  # to which others are added
_IN_THINKING = frozenset({"includeThoughts", "thinkingBudget", "thinkingLevel"})
_SAYS_NOTHING = frozenset({"$schema", "type", "title", "description"})  # of what is taken
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_MOST_BUDGET = 24576
_HIGHEST_LEVEL = "XHIGH"
_HAS_BUDGETS = re.compile(r"gemini-[12]\.").search  # newer ones have levels
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "any": "ANY"}


def gemini_parameters(params: Mapping[str, object], model: str) -> dict[str, object]:
    """Return what goes into the body of a request besides its messages.

    Args:
        params: what the caller gave by name; the wire's own are taken by its names, in
            `generationConfig` or beside it, wherever they belong.
        model: the full id of the model, as older ones are told otherwise how long to think.

    Raises:
        ConfigurationError: one of the common parameters has no place on this wire, or is of a form
            that it does not know.

    """
    placed: dict[_Place, dict[str, object]] = {"body": {}, "config": {}, "thinking": {}}
    for name, value in params.items():
        place, fields = _common(name, value, model) or _own(name, value)
        placed[place] |= fields
    body, config, thinking = placed["body"], placed["config"], placed["thinking"]
    if "logprobs" in config:
        config["responseLogprobs"] = True
    if thinking:
        config["thinkingConfig"] = thinking | as_mapping(config.get("thinkingConfig"))
    return {**body, "generationConfig": config} if config else body


def _common(name: str, value: object, model: str) -> _Placed | None:
    """Return where one of the common parameters goes; None where it is another one.

    Raises:
        ConfigurationError: it has no place, or its form is unknown.

    """
    placed: _Placed | None = None
    match name:
        case "stop":
            placed = "config", {"stopSequences": [value] if isinstance(value, str) else value}
        case "response_format":
            placed = "config", _form(value)
        case "reasoning_effort":
            placed = "thinking", _effort(as_text(value), model)
        case "tools":
            placed = "body", {"tools": _tools(value)}
        case "tool_choice":
            placed = "body", {"toolConfig": _choice(value)}
        case "n":  # which is 1
            placed = "body", {}
        case "parallel_tool_calls" if value is not False:
            placed = "body", {}  # as it always is
        case "parallel_tool_calls" | "logit_bias" | "user":
            raise ConfigurationError(
                f'Gemini has no {name}: leave it out (extra={{"{name}": …}} sends it anyway)'
            )
        case _ if name in _COMMON:
            placed = "config", {_COMMON[name]: value}
        case _:
            pass
    return placed


def _own(name: str, value: object) -> _Placed:
    """Return where one of the wire's own parameters goes."""
    camel = _camel(name)
    if camel in _MAPPINGS and not isinstance(value, dict):
        raise ConfigurationError(f"{name} must be a dict, not {type(value).__name__}")
    if camel == "generationConfig":
        return "config", as_mapping(value)
    if camel in _IN_THINKING:
        return "thinking", {camel: value}
    return ("config", {camel: value}) if camel in _IN_CONFIG else ("body", {name: value})


def _effort(effort: str, model: str) -> dict[str, object]:
    """Return how long to think; what is thought is asked for with it."""
    if effort == "none":
        return {"thinkingBudget": 0}
    if _HAS_BUDGETS(model):
        return {"includeThoughts": True, "thinkingBudget": _BUDGETS.get(effort, _MOST_BUDGET)}
    level = _HIGHEST_LEVEL if effort == "max" else effort.upper()
    return {"includeThoughts": True, "thinkingLevel": level}


def _form(form: object) -> dict[str, object]:
    """Return the form of the answer that a `response_format` says."""
    said = as_mapping(form)
    match said.get("type"):
        case "text":
            return {}
        case "json_object":
            return {"responseMimeType": "application/json"}
        case "json_schema":
            config: dict[str, object] = {"responseMimeType": "application/json"}
            schema = schema_in(said)
            return {**config, "responseJsonSchema": schema} if schema else config
        case kind:
            raise ConfigurationError(
                f"response_format has the type {kind!r}, but Gemini knows text, json_object and "
                "json_schema"
            )


def _tools(tools: object) -> object:
    """Return tools in Gemini's shape: functions together, and what is Gemini's own as it is."""
    if not _is_sequence(tools):
        return tools
    functions, others = [], []
    for tool in tools:
        function = as_mapping(as_mapping(tool).get("function"))
        if function:
            functions.append(_declaration(function))
        else:
            others.append(tool)
    return [{"functionDeclarations": functions}, *others] if functions else others


def _declaration(function: Mapping[str, object]) -> dict[str, object]:
    declared = {name: function[name] for name in ("name", "description") if function.get(name)}
    parameters = as_mapping(function.get("parameters"))
    # An object without properties is refused in some versions, and says nothing.
    said = {name for name, value in parameters.items() if value} - _SAYS_NOTHING
    if said or parameters.get("type") not in {None, "object"}:
        declared["parametersJsonSchema"] = parameters
    return declared


def _choice(choice: object) -> object:
    """Return a `tool_choice` as `toolConfig`; one in Gemini's own shape is taken as it is."""
    said = as_mapping(choice)
    if isinstance(choice, str) and choice in _MODES:
        return {"functionCallingConfig": {"mode": _MODES[choice]}}
    if name := as_text(as_mapping(said.get("function")).get("name")):
        return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [name]}}
    if said.get("type") == "allowed_tools":
        return {"functionCallingConfig": _allowed(as_mapping(said.get("allowed_tools")) or said)}
    if "mode" in said:
        return {"functionCallingConfig": choice}
    if said and "type" not in said:
        return choice
    raise ConfigurationError(
        f'Gemini has no tool_choice {choice!r:.80}: write "auto", "none", "required", or '
        'a function as {"type": "function", "function": {"name": …}}'
    )


def _allowed(said: Mapping[str, object]) -> dict[str, object]:
    tools = map(as_mapping, as_list(said.get("tools")))
    names = [as_text((as_mapping(tool.get("function")) or tool).get("name")) for tool in tools]
    # Only with a mode that forces calls, or with this one, may the functions be named.
    mode = "ANY" if said.get("mode") == "required" else "VALIDATED"
    return {"mode": mode, "allowedFunctionNames": [name for name in names if name]}


def _camel(name: str) -> str:
    """Return a name as the wire has it, which takes both spellings."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _is_sequence(value: object) -> TypeIs[list[object] | tuple[object, ...]]:
    return isinstance(value, list | tuple)
