"""What LangChain binds to a chat model, tools and schemas, as a provider takes it."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain_core.language_models import ModelProfile
from langchain_core.output_parsers import (
    BaseOutputParser,
    JsonOutputKeyToolsParser,
    JsonOutputParser,
    PydanticOutputParser,
    PydanticToolsParser,
)
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from asyncllm.compat._turns import has_place_for, is_able

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import AIMessage
    from langchain_core.tools import BaseTool

    from asyncllm.base import Provider

Method: TypeAlias = Literal["function_calling", "json_schema", "json_mode"]
Schema: TypeAlias = dict[str, Any] | type
Choice: TypeAlias = str | dict[str, Any] | bool | None
Model: TypeAlias = "Runnable[LanguageModelInput, AIMessage]"

_OF_SCHEMAS = frozenset({"function", "object"})
_AS_THEY_ARE = frozenset({"auto", "none", "required"})


def tool_of(
    tool: dict[str, Any] | type | Callable[..., Any] | BaseTool, *, strict: bool | None
) -> dict[str, Any]:
    """Return a tool in OpenAI's shape; one of a server's own as it is.

    Args:
        tool: as LangChain's users give it.
        strict: whether the server is to hold the arguments to its schema; None to leave it open.

    """
    if isinstance(tool, Mapping) and tool.get("type", "object") not in _OF_SCHEMAS:
        return dict(tool)
    return convert_to_openai_tool(tool, strict=strict)


def choice_of(choice: Choice) -> str | dict[str, Any] | None:
    """Return which tools are to be called; None where nothing is said of it.

    Args:
        choice: as LangChain's users say it: "any", a tool's name, or whether to call one at all.

    """
    if choice is True or choice == "any":
        return "required"
    if not choice:
        return None
    if isinstance(choice, str) and choice not in _AS_THEY_ARE:
        return {"type": "function", "function": {"name": choice}}
    return choice


def method_for(provider: Provider) -> Method:
    """Return how a provider is best asked for an answer in the form of a schema."""
    if not is_able(provider, "structured output"):
        return "function_calling"
    is_forced = is_able(provider, "tools") and has_place_for(provider, tool_choice="required")
    return "function_calling" if is_forced else "json_schema"


def profile_of(provider: Provider) -> ModelProfile:
    """Return what a provider's format has a place for, as LangChain's agents ask for it."""
    profile = ModelProfile(
        tool_calling=is_able(provider, "tools"), image_inputs=is_able(provider, "images")
    )
    if method_for(provider) == "json_schema":
        profile["structured_output"] = True  # which agents prefer to tools, where they are told
    return profile


def format_of(schema: Schema, method: Method, *, strict: bool | None) -> dict[str, Any]:
    """Return the `response_format` for a schema.

    Args:
        schema: as LangChain's users give it.
        method: "json_schema", or "json_mode" for any JSON.
        strict: whether the server is to hold the answer to it; None to leave it open.

    """
    if method == "json_mode":
        return {"type": "json_object"}
    plain = convert_to_json_schema(schema)
    held = {} if strict is None else {"strict": strict}
    named = {"name": plain.get("title") or "answer", "schema": plain, **held}
    return {"type": "json_schema", "json_schema": named}


def parser_of(schema: Schema, method: Method) -> BaseOutputParser[Any]:
    """Return what makes of an answer what its reader wants.

    Args:
        schema: as LangChain's users give it.
        method: how the answer was asked for.

    """
    kind: Any = schema if isinstance(schema, type) and is_basemodel_subclass(schema) else None
    if method != "function_calling":
        return PydanticOutputParser(pydantic_object=kind) if kind else JsonOutputParser()
    if kind:
        return PydanticToolsParser(tools=[kind], first_tool_only=True)
    name = convert_to_openai_tool(schema)["function"]["name"]
    return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def parsed(
    model: Model, parser: BaseOutputParser[Any], *, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """Return a model whose answers are parsed.

    Args:
        model: whose answers.
        parser: what parses them.
        include_raw: whether each is a mapping with `raw`, `parsed` and `parsing_error`.

    """
    if not include_raw:
        return model | parser
    tried = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=model) | tried.with_fallbacks([failed], exception_key="parsing_error")
