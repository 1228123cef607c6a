"""asyncllm: an asyncio-first streaming SDK for LLM chat providers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncllm.base import AsyncGeneratorProvider, Request
    from asyncllm.conversation import ConversationProvider
    from asyncllm.errors import (
        AsyncLLMError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        HTTPStatusError,
        NotFoundError,
        ProtocolError,
        ProviderError,
        ProxyError,
        RateLimitError,
        ReplyTooLargeError,
        ServerError,
        StreamInterrupted,
        StreamTimeout,
        TransportError,
    )
    from asyncllm.events import Event, Finish, Item, Ping, Reasoning, Reply, ToolCall, Usage
    from asyncllm.http import Http
    from asyncllm.messages import Message, Messages, format_prompt
    from asyncllm.options import Retry, Timeouts
    from asyncllm.providers.gravityengine import Gravityengine
    from asyncllm.providers.h2o import H2o
    from asyncllm.providers.lockchat import Lockchat
    from asyncllm.providers.openai import OpenAI, OpenAICompatible
    from asyncllm.registry import provider
    from asyncllm.session import SessionManager
    from asyncllm.stream import Stream
    from asyncllm.sync import run_sync

__version__ = "0.1.0"

# Each name's room, opened when the name is first used: whoever has asyncllm installed pays for
# its pytest plugin in every test run, and whoever imports it for one provider pays for that one.
_ROOMS = {
    "AsyncGeneratorProvider": "base",
    "AsyncLLMError": "errors",
    "AuthenticationError": "errors",
    "BadRequestError": "errors",
    "ConfigurationError": "errors",
    "ConversationProvider": "conversation",
    "Event": "events",
    "Finish": "events",
    "Gravityengine": "providers.gravityengine",
    "H2o": "providers.h2o",
    "HTTPStatusError": "errors",
    "Http": "http",
    "Item": "events",
    "Lockchat": "providers.lockchat",
    "Message": "messages",
    "Messages": "messages",
    "NotFoundError": "errors",
    "OpenAI": "providers.openai",
    "OpenAICompatible": "providers.openai",
    "Ping": "events",
    "ProtocolError": "errors",
    "ProviderError": "errors",
    "ProxyError": "errors",
    "RateLimitError": "errors",
    "Reasoning": "events",
    "Reply": "events",
    "ReplyTooLargeError": "errors",
    "Request": "base",
    "Retry": "options",
    "ServerError": "errors",
    "SessionManager": "session",
    "Stream": "stream",
    "StreamInterrupted": "errors",
    "StreamTimeout": "errors",
    "Timeouts": "options",
    "ToolCall": "events",
    "TransportError": "errors",
    "Usage": "events",
    "format_prompt": "messages",
    "provider": "registry",
    "run_sync": "sync",
}

__all__ = [
    "AsyncGeneratorProvider",
    "AsyncLLMError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "ConversationProvider",
    "Event",
    "Finish",
    "Gravityengine",
    "H2o",
    "HTTPStatusError",
    "Http",
    "Item",
    "Lockchat",
    "Message",
    "Messages",
    "NotFoundError",
    "OpenAI",
    "OpenAICompatible",
    "Ping",
    "ProtocolError",
    "ProviderError",
    "ProxyError",
    "RateLimitError",
    "Reasoning",
    "Reply",
    "ReplyTooLargeError",
    "Request",
    "Retry",
    "ServerError",
    "SessionManager",
    "Stream",
    "StreamInterrupted",
    "StreamTimeout",
    "Timeouts",
    "ToolCall",
    "TransportError",
    "Usage",
    "format_prompt",
    "provider",
    "run_sync",
]


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
