"""`ChatAsyncLLM`: any provider as a chat model of LangChain's."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from typing_extensions import override

try:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import message_chunk_to_message
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from pydantic import ConfigDict, Field
except ImportError as error:
    raise ImportError(
        "asyncllm.compat.langchain needs LangChain: pip install 'asyncllm-sdk[langchain]'"
    ) from error

from asyncllm.base import Provider  # noqa: TC001 - see above
from asyncllm.compat._langchain_errors import make_theirs
from asyncllm.compat._langchain_messages import chunk_of, last_chunk, messages_of, whole_chunk
from asyncllm.compat._langchain_tools import (
    choice_of,
    format_of,
    method_for,
    parsed,
    parser_of,
    profile_of,
    tool_of,
)
from asyncllm.compat._turns import check_restart
from asyncllm.errors import AsyncLLMError
from asyncllm.events import ToolCall
from asyncllm.sync import run_sync

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from langchain_core.callbacks import (
        AsyncCallbackManagerForLLMRun,
        CallbackManagerForLLMRun,
    )
    from langchain_core.language_models import LanguageModelInput, ModelProfile
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

    from asyncllm.compat._langchain_tools import Choice, Method, Schema
    from asyncllm.reply import Reply
    from asyncllm.stream import Stream

_PARAMETERS = ("model", "temperature", "top_p", "max_tokens", "stop", "seed")


class ChatAsyncLLM(BaseChatModel):
    """A chat model of LangChain's that asks a provider.

    Errors are asyncllm's, with their `reply`; where LangChain has a class for one, such as
    `ModelRateLimitError`, they are of that class too.

    What is None is left to the provider. Parameters of a call, as in `bind(temperature=0)`, go to
    the provider by the names that its `stream()` has.

    Attributes:
        provider: who answers. Blocking calls need one without a session manager, or with one
            that `run_sync` opened.
        model: a short name or a full id; default: the provider's.
        temperature: how freely words are chosen, from 0.
        top_p: the share of probability from which they are chosen, up to 1.
        max_tokens: the most tokens of an answer.
        stop: texts before which an answer ends.
        seed: for the same answer again, as far as the server can.
        model_kwargs: further parameters of every call.

    """

    provider: Provider
    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    model_kwargs: Mapping[str, Any] = Field(default_factory=dict)

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    @property
    @override
    def _llm_type(self) -> str:
        return "asyncllm"

    @property
    @override
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"provider": repr(self.provider), **self._asked(None, {})}

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop, **kwargs)
        params["ls_provider"] = self.provider.name
        params["ls_model_name"] = kwargs.get("model") or self.model or self.provider.model
        return params

    @override
    def _resolve_model_profile(self) -> ModelProfile:
        return profile_of(self.provider)

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: Choice = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools that it may call.

        Args:
            tools: functions, LangChain's tools, pydantic's models, or mappings; a server's own
                tool, such as a web search, is a mapping with its `type`.
            tool_choice: "auto", "none", "any" or "required", a tool's name, or as the provider
                takes it.
            strict: whether the server is to hold the arguments to the tools' schemas.
            kwargs: further parameters of the calls.

        """
        asked = {"tools": [tool_of(tool, strict=strict) for tool in tools], **kwargs}
        if (choice := choice_of(tool_choice)) is not None:
            asked["tool_choice"] = choice
        return self.bind(**asked)

    @override
    def with_structured_output(
        self,
        schema: Schema,
        *,
        include_raw: bool = False,
        method: Method | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return this model with answers in the form of a schema.

        Args:
            schema: a model of pydantic's, a TypedDict, or a mapping with a JSON schema.
            include_raw: whether an answer is a mapping with `raw`, `parsed` and `parsing_error`.
            method: "function_calling", to have the model call a tool; "json_schema", for the
                server's own structured output; or "json_mode", for any JSON. Default: the first
                that the provider's format has a place for.
            strict: whether the server is to hold the answer to the schema.
            kwargs: further parameters of the calls.

        """
        method = method or method_for(self.provider)
        traced = {"ls_structured_output_format": {"kwargs": {"method": method}, "schema": schema}}
        if method == "function_calling":
            model = self.bind_tools([schema], tool_choice="any", strict=strict, **traced, **kwargs)
        else:
            form = format_of(schema, method, strict=strict)
            model = self.bind(response_format=form, **traced, **kwargs)
        return parsed(model, parser_of(schema, method), include_raw=include_raw)

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        async with aclosing(self._chunks(messages, stop, kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with run_sync(self._chunks(messages, stop, kwargs)) as chunks:
            yield from chunks

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await self._result(messages, stop, kwargs)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return run_sync(self._result(messages, stop, kwargs))

    async def _chunks(
        self, messages: list[BaseMessage], stop: list[str] | None, given: Mapping[str, Any]
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        """Ask, and yield what comes as LangChain has it."""
        calls = 0
        try:
            async with self._ask(messages, stop, given) as stream:
                async for item in stream.events():
                    await check_restart(stream, item)
                    if (chunk := chunk_of(item, calls)) is not None:
                        yield ChatGenerationChunk(message=chunk)
                    calls += isinstance(item, ToolCall)
                yield _generation(stream.reply)
        except AsyncLLMError as error:
            make_theirs(error)
            raise

    async def _result(
        self, messages: list[BaseMessage], stop: list[str] | None, given: Mapping[str, Any]
    ) -> ChatResult:
        """Ask, and return the whole answer as LangChain has it."""
        try:
            async with self._ask(messages, stop, given) as stream:
                reply = await stream.collect()
        except AsyncLLMError as error:
            make_theirs(error)
            raise
        message = message_chunk_to_message(whole_chunk(reply))
        info = {"finish_reason": reply.finish_reason}
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])

    def _ask(
        self, messages: list[BaseMessage], stop: list[str] | None, given: Mapping[str, Any]
    ) -> Stream:
        return self.provider.stream(messages_of(messages), **self._asked(stop, given))

    def _asked(self, stop: list[str] | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call; what was given with it comes first."""
        own = {name: getattr(self, name) for name in _PARAMETERS}
        asked = {**own, **self.model_kwargs, **given}
        asked["stop"] = stop or asked["stop"]
        asked.pop("stream", None)  # LangChain's own, for how it is to be read
        return {name: value for name, value in asked.items() if value is not None}


def _generation(reply: Reply) -> ChatGenerationChunk:
    info = {"finish_reason": reply.finish_reason}
    return ChatGenerationChunk(message=last_chunk(reply), generation_info=info)
