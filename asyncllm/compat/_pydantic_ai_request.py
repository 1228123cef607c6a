"""What pydantic-ai asks for, its settings, tools and output, as a provider takes it."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic may read the settings' annotations
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings, ToolOrOutput

from asyncllm.compat._turns import has_place_for, is_able

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    from asyncllm.base import Provider

# Settings by the names that a call of a provider has for them.
_NAMES = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "logit_bias": "logit_bias",
    "parallel_tool_calls": "parallel_tool_calls",
    "service_tier": "service_tier",
    "stop_sequences": "stop",
    "extra_body": "extra",
}


class AsyncLLMModelSettings(ModelSettings, total=False):
    """Settings of an `AsyncLLMModel`.

    Attributes:
        asyncllm_params: further parameters, by the names that a provider's `stream()` has.

    """

    asyncllm_params: Mapping[str, object]


def profile_of(provider: Provider) -> ModelProfile:
    """Return what a provider's format has a place for, as pydantic-ai has it."""
    has_tools, has_schemas = is_able(provider, "tools"), is_able(provider, "structured output")
    has_files = is_able(provider, "files")
    is_forced = has_tools and has_place_for(provider, tool_choice="required")
    return ModelProfile(
        supports_tools=has_tools,
        supports_forced_tool_choice=is_forced,
        supports_json_schema_output=has_schemas,
        supports_thinking=True,
        supports_image_input=is_able(provider, "images"),
        supports_document_input=has_files,
        supports_audio_file_input=has_files,
        supports_video_input=has_files,
        default_structured_output_mode=(
            "tool"
            if is_forced or (has_tools and not has_schemas)
            else "native"
            if has_schemas
            else "prompted"
        ),
    )


def parameters_of(
    settings: Mapping[str, Any], params: ModelRequestParameters, profile: ModelProfile
) -> dict[str, Any]:
    """Return the parameters of a call.

    Args:
        settings: the model's settings.
        params: what the agent asks for, as pydantic-ai has prepared it.
        profile: what the model can do.

    Raises:
        UserError: `tool_choice` names no tool that there is.

    """
    asked = {ours: settings[theirs] for theirs, ours in _NAMES.items() if theirs in settings}
    thinking = params.thinking
    if thinking is not None:
        efforts = {True: "medium", False: "none"}
        asked["reasoning_effort"] = thinking if isinstance(thinking, str) else efforts[thinking]
    if params.output_mode == "native" and params.output_object is not None:
        form = params.output_object
        named = {
            "name": form.name or "answer",
            "schema": form.json_schema,
            "description": form.description,
            "strict": form.strict,
        }
        held = {name: value for name, value in named.items() if value is not None}
        asked["response_format"] = {"type": "json_schema", "json_schema": held}
    is_forced = profile.get("supports_forced_tool_choice", True)
    asked |= _tools(settings.get("tool_choice"), params, is_forced=is_forced)
    given = {**asked, **settings.get("asyncllm_params", {})}
    return {name: value for name, value in given.items() if value is not None}


def _tools(choice: Any, params: ModelRequestParameters, *, is_forced: bool) -> dict[str, Any]:
    declared = params.declared_tool_defs
    outputs = {tool.name for tool in params.output_tools}
    if not declared:
        return {}
    if choice in ("none", []) and not outputs:
        # They are declared all the same, as there may be calls of them in the messages.
        return {"tools": [_tool(each) for each in declared.values()], "tool_choice": "none"}
    allowed, must = _allowed(choice, declared, outputs)
    if is_forced:
        must = must or not (params.allow_text_output or params.allow_image_output)
    chosen = [_tool(tool) for name, tool in declared.items() if name in allowed]
    if not chosen:
        raise UserError(f"tool_choice={choice!r} names no tool: there are {sorted(declared)}")
    if not must:
        return {"tools": chosen}
    only = {"type": "function", "function": {"name": chosen[0]["function"]["name"]}}
    return {"tools": chosen, "tool_choice": only if len(chosen) == 1 else "required"}


def _allowed(
    choice: Any, declared: Collection[str], outputs: Collection[str]
) -> tuple[Collection[str], bool]:
    """Return the names of the tools that may be called, and whether one must be."""
    if isinstance(choice, ToolOrOutput):
        return {*choice.function_tools, *outputs}, False
    if choice in ("none", []):
        return outputs, False
    if isinstance(choice, list):
        return choice, True
    return declared, choice == "required"


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters_json_schema,
        "strict": tool.strict,
    }
    told = {name: value for name, value in function.items() if value is not None}
    return {"type": "function", "function": told}
