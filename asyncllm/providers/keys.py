"""Which environment variables hold the API key of which provider."""

from __future__ import annotations

from asyncllm.providers.services import SERVICES

KEY_VARIABLES: dict[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "azure": ("AZURE_OPENAI_API_KEY",),
    "cohere": ("CO_API_KEY", "COHERE_API_KEY"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "lockchat": (),
    "mistral": SERVICES["mistral"].key_variables,
    "ollama": ("OLLAMA_API_KEY",),
    "openai": SERVICES["openai"].key_variables,
    "tgi": (),
}
"""The customary variables of our own providers, the first one first.

They come after `ASYNCLLM_<NAME>_API_KEY`. A provider that is not here takes no key.
"""
