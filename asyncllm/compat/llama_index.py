"""`AsyncLLM`: any provider as an LLM of LlamaIndex's, with its tools."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

try:
    from llama_index.core.base.llms.types import (
        ChatMessage,
        ChatResponse,
        ChatResponseAsyncGen,
        ChatResponseGen,
        CompletionResponse,
        CompletionResponseAsyncGen,
        CompletionResponseGen,
        LLMMetadata,
        MessageRole,
        ToolCallBlock,
    )
    from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW, DEFAULT_NUM_OUTPUTS
    from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
    from llama_index.core.llms.function_calling import FunctionCallingLLM
    from llama_index.core.llms.llm import ToolSelection
    from pydantic import Field
except ImportError as error:
    raise ImportError(
        "asyncllm.compat.llama_index needs LlamaIndex: pip install 'asyncllm-sdk[llama-index]'"
    ) from error

from asyncllm.base import Provider  # noqa: TC001 - see above
from asyncllm.compat._llama_index_messages import (
    completion_of,
    messages_of,
    response_of,
    so_far,
)
from asyncllm.compat._turns import check_restart, has_place_for, is_able
from asyncllm.events import Reasoning
from asyncllm.sync import run_sync

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from llama_index.core.tools.types import BaseTool

    from asyncllm.stream import Stream

_T = TypeVar("_T")

_PARAMETERS = ("model", "temperature", "max_tokens")
_CHOICES = frozenset({"auto", "none", "required"})


class AsyncLLM(FunctionCallingLLM):
    """An LLM of LlamaIndex's that asks a provider.

    Errors are asyncllm's, with their `reply`. What is None is left to the provider. Parameters of
    a call go to the provider by the names that its `stream()` has.

    Attributes:
        provider: who answers. Blocking calls need one without a session manager, or with one
            that `run_sync` opened.
        model: a short name or a full id; default: the provider's.
        temperature: how freely words are chosen, from 0.
        max_tokens: the most tokens of an answer.
        context_window: how many tokens the model can take; LlamaIndex fits its prompts to it.
        additional_kwargs: further parameters of every call.

    """

    provider: Provider = Field(exclude=True)
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    context_window: int = DEFAULT_CONTEXT_WINDOW
    additional_kwargs: Mapping[str, Any] = Field(default_factory=dict)

    @classmethod
    @override
    def class_name(cls) -> str:
        """Return what LlamaIndex calls this class."""
        return "AsyncLLM"

    @property
    @override
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex wants to know of the model."""
        return LLMMetadata(
            context_window=self.context_window,
            num_output=self.max_tokens or DEFAULT_NUM_OUTPUTS,
            is_chat_model=True,
            is_function_calling_model=is_able(self.provider, "tools"),
            model_name=self.model or self.provider.model or self.provider.name,
        )

    @override
    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return the whole answer."""
        return await _whole(self._ask(messages, kwargs))

    @override
    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Return the whole answer, in blocking code."""
        return run_sync(_whole(self._ask(messages, kwargs)))

    @override
    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Return an iterator over the answer: each response has all that has come."""
        return _responses(self._ask(messages, kwargs))

    @override
    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Return an iterator over the answer, in blocking code."""
        return _blocking(_responses(self._ask(messages, kwargs)))

    @override
    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Return the whole answer to a prompt."""
        return completion_of(await _whole(self._ask([_user(prompt)], kwargs)))

    @override
    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Return the whole answer to a prompt, in blocking code."""
        return completion_of(run_sync(_whole(self._ask([_user(prompt)], kwargs))))

    @override
    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Return an iterator over the answer to a prompt."""
        return _completions(self._ask([_user(prompt)], kwargs))

    @override
    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Return an iterator over the answer to a prompt, in blocking code."""
        return _blocking(_completions(self._ask([_user(prompt)], kwargs)))

    @override
    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Return the calls that an answer asks for.

        Args:
            response: the answer.
            error_on_no_tool_call: whether there must be one.
            kwargs: nothing that is known here.

        Raises:
            ValueError: there is none, and there must be.

        """
        calls = [each for each in response.message.blocks if isinstance(each, ToolCallBlock)]
        if not calls and error_on_no_tool_call:
            raise ValueError("the model called no tool, and it had to call one")
        return [
            ToolSelection(
                tool_id=call.tool_call_id or "",
                tool_name=call.tool_name,
                tool_kwargs=call.tool_kwargs if isinstance(call.tool_kwargs, dict) else {},
            )
            for call in calls
        ]

    @override
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(_user(user_msg) if isinstance(user_msg, str) else user_msg)
        asked: dict[str, Any] = {"messages": messages, **kwargs}
        if not tools:
            return asked
        asked["tools"] = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        choice = asked.pop("tool_choice", None)
        if tool_required and not choice and has_place_for(self.provider, tool_choice="required"):
            choice = "required"
        if isinstance(choice, str) and choice not in _CHOICES:
            choice = {"type": "function", "function": {"name": choice}}
        if choice is not None:
            asked["tool_choice"] = choice
        alone = {"parallel_tool_calls": False}
        if not allow_parallel_tool_calls and has_place_for(self.provider, **alone):
            asked |= alone
        return asked

    @override
    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],
        allow_parallel_tool_calls: bool = False,
        **kwargs: Any,
    ) -> ChatResponse:
        """Leave one call where there is to be no other: not every server holds to that."""
        blocks = response.message.blocks
        calls = [block for block in blocks if isinstance(block, ToolCallBlock)]
        if not allow_parallel_tool_calls and len(calls) > 1:
            response.message.blocks = [block for block in blocks if block not in calls[1:]]
        return response

    def _ask(self, messages: Sequence[ChatMessage], given: Mapping[str, Any]) -> Stream:
        own = {name: getattr(self, name) for name in _PARAMETERS}
        asked = {**own, **self.additional_kwargs, **given}
        known = {name: value for name, value in asked.items() if value is not None}
        return self.provider.stream(messages_of(messages), **known)


def _user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


async def _whole(stream: Stream) -> ChatResponse:
    async with stream:
        return response_of(await stream.collect())


async def _responses(stream: Stream) -> AsyncGenerator[ChatResponse, None]:
    said = thought = ""
    async with stream:
        async for item in stream.events():
            await check_restart(stream, item)
            if isinstance(item, str):
                said += item
                yield so_far(said, thought, delta=item)
            elif isinstance(item, Reasoning):
                thought += item.text
                yield so_far(said, thought, thinking=item.text)
        yield response_of(stream.reply, delta="")


async def _completions(stream: Stream) -> AsyncGenerator[CompletionResponse, None]:
    async with stream:
        async for chat in _responses(stream):
            yield completion_of(chat)


def _blocking(items: AsyncGenerator[_T, None]) -> Generator[_T, None, None]:
    with run_sync(items) as blocking:
        yield from blocking
