"""What the authors of providers subclass."""

from asyncllm.base.conversation import ConversationProvider
from asyncllm.base.provider import AsyncGeneratorProvider, ProviderOptions, Request
from asyncllm.base.reading import Reading

__all__ = [
    "AsyncGeneratorProvider",
    "ConversationProvider",
    "ProviderOptions",
    "Reading",
    "Request",
]
