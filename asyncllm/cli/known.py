"""What the command line knows of each provider: where its key stands, and which model is asked."""

from __future__ import annotations

import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from asyncllm.providers.services import SERVICES
from asyncllm.registry import provider_class, provider_classes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Names that their vendors document, aliases of the newest model where there are such. A provider
# that is not here has a model of its own, or is asked which models it has.
DEFAULT_MODELS = MappingProxyType(
    {
        "openai": "gpt-5.4-mini",
        "openai-responses": "gpt-5.4-mini",
        "anthropic": "claude-sonnet-5",
        "anthropic-openai": "claude-sonnet-5",
        "gemini": "gemini-flash-latest",
        "gemini-openai": "gemini-flash-latest",
        "mistral": "mistral-small-latest",
        "cohere": "command-a-03-2025",
        "cohere-openai": "command-a-03-2025",
        "deepseek": "deepseek-v4-flash",
        "xai": "grok-4.5-latest",
        "openrouter": "openrouter/auto",
        "perplexity": "sonar",
        "groq": "openai/gpt-oss-120b",
        "together": "openai/gpt-oss-120b",
        "huggingface": "openai/gpt-oss-120b",
        "cerebras": "gpt-oss-120b",
        "bedrock": "openai.gpt-oss-120b-1:0",
    }
)

# Other endpoints of a vendor, which have the vendor's keys: only who names one asks it.
VARIANTS = MappingProxyType(
    {
        "openai-responses": "openai",
        "anthropic-openai": "anthropic",
        "gemini-openai": "gemini",
        "cohere-openai": "cohere",
        "ollama-openai": "ollama",
    }
)

_KEYS_OF_CLASSES = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "azure": ("AZURE_OPENAI_API_KEY",),
    "cohere": ("CO_API_KEY", "COHERE_API_KEY"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "ollama": ("OLLAMA_API_KEY",),
    "openai-responses": ("OPENAI_API_KEY",),
}
_HOSTS = {"ollama": "OLLAMA_HOST"}

_CAN_NOT_CHAT = re.compile(
    r"embed|minilm|\bbge\b|rerank|whisper|transcri|\btts\b|speech|audio|realtime|voice|\blive\b|"
    r"dall-?e|imag|video|sora|\bocr\b|moderation|guard|davinci|babbage",
    re.IGNORECASE,
).search


def provider_names() -> list[str]:
    """Return the name of every provider and every service."""
    return list(dict.fromkeys((*provider_classes(), *SERVICES)))


def own_variable(name: str, option: str) -> str:
    """Return the environment variable that holds an option of one provider alone.

    Args:
        name: the provider's.
        option: "API_KEY" or "BASE_URL".

    """
    return f"ASYNCLLM_{name.upper().replace('-', '_')}_{option}"


def customary_key_variables(name: str) -> tuple[str, ...]:
    """Return the variables in which the vendor's own programs look for a key, the first first."""
    service = SERVICES.get(name)
    return _KEYS_OF_CLASSES.get(name) or (service.key_variables if service else ())


def key_variables(name: str) -> tuple[str, ...]:
    """Return the environment variables that may hold a provider's key, the first that counts first.

    Args:
        name: the provider's.

    """
    return (own_variable(name, "API_KEY"), *customary_key_variables(name))


def key_variable_set(name: str) -> str | None:
    """Return the environment variable that does hold a provider's key; None where none does."""
    return next((each for each in key_variables(name) if os.environ.get(each)), None)


def needs_key(name: str) -> bool:
    """Tell whether a provider's own server answers nobody without a key."""
    service = SERVICES.get(name)
    if service is not None and name not in provider_classes():
        return service.needs_auth
    return provider_class(name).needs_auth


def configured_providers() -> Iterator[str]:
    """Yield the names of the providers that the environment has a key for, or an address.

    An address counts where a server of one's own is meant: the provider needs no key.
    """
    for name in provider_names():
        told = [own_variable(name, "API_KEY")]
        if name not in VARIANTS:
            told += customary_key_variables(name)
        if not needs_key(name):
            told += [own_variable(name, "BASE_URL"), _HOSTS.get(name, "")]
        if any(os.environ.get(each) for each in told if each):
            yield name


def first_chat_model(models: Sequence[str]) -> str:
    """Return the first of a server's models that can chat, as far as its name tells; "" for none.

    Args:
        models: their ids, as the server lists them.

    """
    return next((model for model in models if not _CAN_NOT_CHAT(model)), "")
