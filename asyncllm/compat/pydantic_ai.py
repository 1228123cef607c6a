"""`AsyncLLMModel`: any provider as a model of pydantic-ai's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from typing_extensions import override

try:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import (
        Model,
        ModelRequestParameters,
        StreamedResponse,
        check_allow_model_requests,
    )
except ImportError as error:
    raise ImportError(
        "asyncllm.compat.pydantic_ai needs pydantic-ai: pip install 'asyncllm-sdk[pydantic-ai]'"
    ) from error

from asyncllm.compat._pydantic_ai_errors import theirs
from asyncllm.compat._pydantic_ai_messages import (
    details_of,
    files_of,
    messages_of,
    parts_of,
    reason_of,
    usage_of,
)
from asyncllm.compat._pydantic_ai_request import (
    AsyncLLMModelSettings,
    parameters_of,
    profile_of,
)
from asyncllm.compat._turns import check_restart, checked_provider
from asyncllm.events import Reasoning, ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from pydantic_ai.messages import ModelMessage, ModelResponseStreamEvent
    from pydantic_ai.profiles import ModelProfile, ModelProfileSpec
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext

    from asyncllm.base import Provider
    from asyncllm.events import Item
    from asyncllm.stream import Stream

__all__ = ["AsyncLLMModel", "AsyncLLMModelSettings"]


@dataclass(init=False)
class AsyncLLMModel(Model[Any]):
    """A model of pydantic-ai's that asks a provider.

    Errors are pydantic-ai's, such as `ModelHTTPError` and `ModelRateLimitError`; the `__cause__`
    of each is asyncllm's, with its `reply`. `ConfigurationError` stays as it is.

    Args:
        provider: who answers.
        model_name: a short name or a full id; default: the provider's.
        settings: for its calls; see `AsyncLLMModelSettings` for what only asyncllm knows.
        profile: what the model can do, where that is not what the provider's format can carry.

    Raises:
        ConfigurationError: `provider` is none, or has no such model.

    """

    unsupported_settings = frozenset({"timeout", "extra_headers", "max_retries"})
    _relocates_tool_files = True

    _answering: Provider = field(repr=False)
    _model_name: str = field(repr=False)

    def __init__(
        self,
        provider: Provider,
        model_name: str | None = None,
        *,
        settings: ModelSettings | None = None,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        self._answering = checked_provider(provider)
        self._model_name = provider.resolve_model(model_name) if model_name else provider.model
        super().__init__(settings=settings, profile=profile)

    @property
    @override
    def model_name(self) -> str:
        """The full id of the model; the provider's name where its server decides."""
        return self._model_name or self.system

    @property
    @override
    def system(self) -> str:
        """The provider's name."""
        return self._answering.name

    @property
    @override
    def base_url(self) -> str | None:
        """Where the provider's server is; None where it is no one server."""
        return getattr(self._answering, "base_url", None)

    @override
    def _provider_model_profile(self) -> ModelProfile:
        return profile_of(self._answering)

    @override
    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the whole answer; see `Model`."""
        stream, _ = await self._ask(messages, model_settings, model_request_parameters)
        with theirs(self.model_name):
            async with stream:
                reply = await stream.collect()
        return ModelResponse(
            parts_of(reply),
            usage=usage_of(reply.usage),
            model_name=reply.model or self.model_name,
            provider_name=self.system,
            provider_url=self.base_url,
            provider_details=details_of(reply),
            provider_response_id=reply.id or None,
            finish_reason=reason_of(reply),
        )

    @override
    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse, None]:
        """Return the answer on its way, once it has begun; see `Model`."""
        stream, params = await self._ask(messages, model_settings, model_request_parameters)
        async with stream:
            items = stream.events()
            with theirs(self.model_name):
                first = await anext(items, None)
            yield _Answer(
                model_request_parameters=params,
                _model=self,
                _stream=stream,
                _first=first,
                _items=items,
            )

    async def _ask(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        params: ModelRequestParameters,
    ) -> tuple[Stream, ModelRequestParameters]:
        check_allow_model_requests()
        settings, params = self.prepare_request(settings, params)
        instructions = self._get_instruction_parts(messages, params) or []
        told = await messages_of(messages, [part.content for part in instructions])
        asked = parameters_of(settings or {}, params, self.profile)
        return self._answering.stream(told, model=self._model_name or None, **asked), params


@dataclass
class _Answer(StreamedResponse):
    """An answer on its way, as pydantic-ai reads it."""

    _model: AsyncLLMModel
    _stream: Stream
    _first: Item | None
    _items: AsyncIterator[Item]
    _answered_by: str = ""
    _timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))

    @override
    async def close_stream(self) -> None:
        await self._stream.aclose()

    @override
    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        item, self._first = self._first, None
        with theirs(self._model.model_name, in_stream=True):
            while item is not None:
                await check_restart(self._stream, item)
                for event in self._events(item):
                    yield event
                item = await anext(self._items, None)
        reply = self._stream.reply
        self._answered_by = reply.model
        self._usage = usage_of(reply.usage)
        self.finish_reason = reason_of(reply)
        self.provider_response_id = reply.id or None
        self.provider_details = details_of(reply)
        for part in files_of(reply):
            yield self._parts_manager.handle_part(vendor_part_id=None, part=part)

    def _events(self, item: Item) -> Iterator[ModelResponseStreamEvent]:
        parts = self._parts_manager
        match item:
            case str():
                yield from parts.handle_text_delta(vendor_part_id=None, content=item)
            case Reasoning():
                yield from parts.handle_thinking_delta(vendor_part_id=None, content=item.text)
            case ToolCall():
                yield parts.handle_tool_call_part(
                    vendor_part_id=None,
                    tool_name=item.name,
                    args=item.arguments,
                    tool_call_id=item.id,
                )
            case _:
                pass  # the reply has it at the end

    @property
    @override
    def model_name(self) -> str:
        return self._answered_by or self._model.model_name

    @property
    @override
    def provider_name(self) -> str:
        return self._model.system

    @property
    @override
    def provider_url(self) -> str | None:
        return self._model.base_url

    @property
    @override
    def timestamp(self) -> datetime:
        return self._timestamp
