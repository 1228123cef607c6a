"""The names of the providers and services, for whoever needs no more of them than that."""

from __future__ import annotations

OWN = {
    "chatui": "asyncllm.providers.chatui:ChatUI",
    "h2o": "asyncllm.providers.h2o:H2o",
    "llamacpp": "asyncllm.providers.llamacpp:LlamaCpp",
    "gravityengine": "asyncllm.providers.gravityengine:Gravityengine",
    "lockchat": "asyncllm.providers.lockchat:Lockchat",
    "openai": "asyncllm.providers.openai:OpenAI",
    "openai-responses": "asyncllm.providers.openai_responses:OpenAIResponses",
    "azure": "asyncllm.providers.azure:AzureOpenAI",
    "mistral": "asyncllm.providers.mistral:Mistral",
    "anthropic": "asyncllm.providers.anthropic:Anthropic",
    "gemini": "asyncllm.providers.gemini:Gemini",
    "ollama": "asyncllm.providers.ollama:Ollama",
    "cohere": "asyncllm.providers.cohere:Cohere",
    "tgi": "asyncllm.providers.tgi:TGI",
}
"""Where each provider class is, by its name: `module:class`."""

OF_SERVICES = (
    "openai",
    "openrouter",
    "groq",
    "together",
    "deepseek",
    "mistral",
    "xai",
    "fireworks",
    "cerebras",
    "huggingface",
    "cohere-openai",
    "perplexity",
    "bedrock",
    "gemini-openai",
    "anthropic-openai",
    "ollama-openai",
    "lmstudio",
    "vllm",
    "sglang",
    "llamacpp-server",
    "litellm",
)
"""The names in `asyncllm.providers.services`, which brings msgspec and more."""
