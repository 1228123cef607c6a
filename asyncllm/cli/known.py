"""What the command line knows of each provider: where its key stands, and which model is asked."""

from __future__ import annotations

import functools
import os
import re
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from asyncllm.providers.services import SERVICES
from asyncllm.registry import key_variables, provider_class, provider_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SANDBOX = "sandbox"
OPENAI_COMPATIBLE = "openai-compatible"

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

# Where the vendors' own programs look for another address.
_USUAL_ADDRESSES = MappingProxyType(
    {"ollama": "OLLAMA_HOST", "openai": "OPENAI_BASE_URL", "anthropic": "ANTHROPIC_BASE_URL"}
)

_CAN_NOT_CHAT = re.compile(
    r"embed|minilm|\bbge\b|rerank|whisper|transcri|\btts\b|speech|audio|realtime|voice|\blive\b|"
    r"dall-?e|imag|video|sora|\bocr\b|moderation|guard|davinci|babbage",
    re.IGNORECASE,
).search


class _Found(NamedTuple):
    """What the registry has: where the classes are, and which variables hold keys."""

    classes: Mapping[str, str]
    variables: Mapping[str, tuple[str, ...]]


@functools.lru_cache(maxsize=1)
def _found_on(_path: tuple[str, ...]) -> _Found:
    return _Found(provider_classes(), key_variables())


def _found() -> _Found:
    """Return what the registry has; to look once takes long, as it reads a file of each package."""
    return _found_on(tuple(sys.path))


def provider_names() -> list[str]:
    """Return the name of every provider and every service."""
    return list(_found().variables)


def key_variable_set(name: str) -> str | None:
    """Return the environment variable that holds a provider's key; None where none does."""
    return next((each for each in _found().variables.get(name, ()) if os.environ.get(each)), None)


def usual_key_variable(name: str) -> str:
    """Return the variable in which the vendor's own programs look for a key; "" for none."""
    ours, *customary = _found().variables.get(name) or ("",)
    return customary[0] if customary else ours


def key_advice(name: str) -> str:
    """Return what to type so that a provider has a key.

    Args:
        name: the provider's.

    """
    variable, whose = usual_key_variable(name), VARIANTS.get(name, name)
    return f"set {variable}, or type: asyncllm keys set {whose}"


def needs_key(name: str) -> bool:
    """Tell whether a provider's own server answers nobody without a key."""
    service = SERVICES.get(name)
    if service is not None and name not in _found().classes:
        return service.needs_auth
    return provider_class(name).needs_auth


def configured_providers() -> list[str]:
    """Return the names of the providers that the environment has a key for, or an address.

    A key that several could use is the first one's. An address counts where a server of one's own
    is meant, which needs no key.
    """
    found, used = [], set[str]()
    for name, variables in _found().variables.items():
        keys = {each for each in variables if os.environ.get(each)} - used
        used.update(variables)
        has_address = any(map(os.environ.get, _address_variables(name)))
        if keys or (has_address and not needs_key(name)):
            found.append(name)
    return found


def addressed_providers() -> list[str]:
    """Return the names of the providers that the environment has an address for, and no key.

    Their own servers want a key, and the one at that address may not: a sandbox, or a gateway.
    """
    return [
        name
        for name in _found().variables
        if name not in VARIANTS and any(map(os.environ.get, _address_variables(name)))
    ]


def _address_variables(name: str) -> tuple[str, ...]:
    """Return the environment variables that say where a server of one's own is."""
    usual = _USUAL_ADDRESSES.get(name, "")
    called = name
    if name not in SERVICES:
        place = _found().classes[name]
        called = name if place.startswith("asyncllm.") else place.rpartition(":")[2]
    return tuple(filter(None, (f"ASYNCLLM_{called.upper().replace('-', '_')}_BASE_URL", usual)))


def first_chat_model(models: Sequence[str]) -> str:
    """Return the first of a server's models that can chat, as far as its name tells; "" for none.

    Args:
        models: their ids, as the server lists them.

    """
    return next((model for model in models if not _CAN_NOT_CHAT(model)), "")
