"""asyncllm: an asyncio-first streaming SDK for LLM chat providers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncllm.base import (
        Ask,
        AsyncGeneratorProvider,
        ConversationProvider,
        Next,
        Provider,
        ProviderOptions,
        ProviderParams,
        Question,
        Request,
        ServerProvider,
    )
    from asyncllm.compose import Fallback
    from asyncllm.errors import (
        AsyncLLMError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        ContentFilterError,
        ContextLengthError,
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
    from asyncllm.events import (
        About,
        Citation,
        Event,
        Finish,
        Item,
        Logprob,
        Logprobs,
        Media,
        Ping,
        Reasoning,
        Refusal,
        Restart,
        ToolCall,
        ToolResult,
        Usage,
    )
    from asyncllm.framing import NamedEvent, Payload
    from asyncllm.http import Entry, Http, Proxy, Response, Step, Way, path_segment
    from asyncllm.messages import Message, Messages, format_prompt
    from asyncllm.options import Retry, Timeouts
    from asyncllm.parts import FilePart, ImagePart, TextPart, file, image, text
    from asyncllm.providers.anthropic import Anthropic
    from asyncllm.providers.azure import AzureOpenAI
    from asyncllm.providers.chatui import ChatUI
    from asyncllm.providers.cohere import Cohere
    from asyncllm.providers.gemini import Gemini
    from asyncllm.providers.gravityengine import Gravityengine
    from asyncllm.providers.h2o import H2o
    from asyncllm.providers.llamacpp import LlamaCpp
    from asyncllm.providers.lockchat import Lockchat
    from asyncllm.providers.mistral import Mistral
    from asyncllm.providers.ollama import Ollama
    from asyncllm.providers.openai import OpenAI, OpenAICompatible
    from asyncllm.providers.openai_responses import OpenAIResponses
    from asyncllm.providers.services import Service
    from asyncllm.providers.tgi import TGI
    from asyncllm.registry import provider
    from asyncllm.reply import Reply
    from asyncllm.session import ConversationServer, SessionManager
    from asyncllm.stream import Begun, Stream
    from asyncllm.sync import SyncIterator, SyncStream, run_sync
    from asyncllm.wires import JSONTranslator, Translator
    from asyncllm.wires.ollama import PullProgress

__version__ = "0.1.0"

# A module is imported when one of its names is first used: whoever has asyncllm installed pays for
# its pytest plugin in every test run, and whoever imports it for one provider pays for that one.
_NAMES_OF = {
    "base": (
        "Ask AsyncGeneratorProvider ConversationProvider Next Provider ProviderOptions "
        "ProviderParams Question Request ServerProvider"
    ),
    "compose": "Fallback",
    "errors": (
        "AsyncLLMError AuthenticationError BadRequestError ConfigurationError ContentFilterError "
        "ContextLengthError HTTPStatusError NotFoundError ProtocolError ProviderError ProxyError "
        "RateLimitError ReplyTooLargeError ServerError StreamInterrupted StreamTimeout "
        "TransportError"
    ),
    "events": (
        "About Citation Event Finish Item Logprob Logprobs Media Ping Reasoning Refusal Restart "
        "ToolCall ToolResult Usage"
    ),
    "framing": "NamedEvent Payload",
    "http": "Entry Http Proxy Response Step Way path_segment",
    "messages": "Message Messages format_prompt",
    "options": "Retry Timeouts",
    "parts": "FilePart ImagePart TextPart file image text",
    "providers.anthropic": "Anthropic",
    "providers.azure": "AzureOpenAI",
    "providers.chatui": "ChatUI",
    "providers.cohere": "Cohere",
    "providers.gemini": "Gemini",
    "providers.gravityengine": "Gravityengine",
    "providers.h2o": "H2o",
    "providers.llamacpp": "LlamaCpp",
    "providers.lockchat": "Lockchat",
    "providers.ollama": "Ollama",
    "providers.mistral": "Mistral",
    "providers.openai": "OpenAI OpenAICompatible",
    "providers.openai_responses": "OpenAIResponses",
    "providers.services": "Service",
    "providers.tgi": "TGI",
    "registry": "provider",
    "reply": "Reply",
    "session": "ConversationServer SessionManager",
    "stream": "Begun Stream",
    "sync": "SyncIterator SyncStream run_sync",
    "wires": "JSONTranslator Translator",
    "wires.ollama": "PullProgress",
}
_MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names.split()}

__all__ = [
    "TGI",
    "About",
    "Anthropic",
    "Ask",
    "AsyncGeneratorProvider",
    "AsyncLLMError",
    "AuthenticationError",
    "AzureOpenAI",
    "BadRequestError",
    "Begun",
    "ChatUI",
    "Citation",
    "Cohere",
    "ConfigurationError",
    "ContentFilterError",
    "ContextLengthError",
    "ConversationProvider",
    "ConversationServer",
    "Entry",
    "Event",
    "Fallback",
    "FilePart",
    "Finish",
    "Gemini",
    "Gravityengine",
    "H2o",
    "HTTPStatusError",
    "Http",
    "ImagePart",
    "Item",
    "JSONTranslator",
    "LlamaCpp",
    "Lockchat",
    "Logprob",
    "Logprobs",
    "Media",
    "Message",
    "Messages",
    "Mistral",
    "NamedEvent",
    "Next",
    "NotFoundError",
    "Ollama",
    "OpenAI",
    "OpenAICompatible",
    "OpenAIResponses",
    "Payload",
    "Ping",
    "ProtocolError",
    "Provider",
    "ProviderError",
    "ProviderOptions",
    "ProviderParams",
    "Proxy",
    "ProxyError",
    "PullProgress",
    "Question",
    "RateLimitError",
    "Reasoning",
    "Refusal",
    "Reply",
    "ReplyTooLargeError",
    "Request",
    "Response",
    "Restart",
    "Retry",
    "ServerError",
    "ServerProvider",
    "Service",
    "SessionManager",
    "Step",
    "Stream",
    "StreamInterrupted",
    "StreamTimeout",
    "SyncIterator",
    "SyncStream",
    "TextPart",
    "Timeouts",
    "ToolCall",
    "ToolResult",
    "Translator",
    "TransportError",
    "Usage",
    "Way",
    "file",
    "format_prompt",
    "image",
    "path_segment",
    "provider",
    "run_sync",
    "text",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{_hint(name)}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    return found


def _hint(name: str) -> str:
    """Return what may be meant by a name that there is not; importing a module asks here first."""
    if name.startswith("_"):
        return ""
    written = name.lower()
    meant = {written, written.removeprefix("async")}  # as vendors call their asynchronous clients
    if near := [each for each in __all__ if each.lower() in meant]:
        return f": did you mean asyncllm.{near[0]}?"
    return f": if it is a provider, write asyncllm.provider({name.lower()!r})"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
