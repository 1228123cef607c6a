"""What the authors of providers subclass."""

from asyncllm.base.ask import Ask, Next
from asyncllm.base.conversation import ConversationProvider
from asyncllm.base.params import ProviderParams
from asyncllm.base.provider import Provider
from asyncllm.base.request import ProviderOptions, Question, Request
from asyncllm.base.server import AsyncGeneratorProvider
from asyncllm.base.wire import ServerProvider

__all__ = [
    "Ask",
    "AsyncGeneratorProvider",
    "ConversationProvider",
    "Next",
    "Provider",
    "ProviderOptions",
    "ProviderParams",
    "Question",
    "Request",
    "ServerProvider",
]
