"""The names of the provider classes, and where each of them is: `module:class`."""

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
