"""Services that speak OpenAI's chat wire: where they are, and where their keys come from."""

from __future__ import annotations

import msgspec


class Service(msgspec.Struct, frozen=True):
    """One service.

    Attributes:
        name: what `asyncllm.provider` and the environment call it.
        base_url: where it is.
        key_variable: the environment variable that customarily holds its API key; "" for a local
            server that needs none.
        notes: what is worth knowing.

    """

    name: str
    base_url: str
    key_variable: str = ""
    notes: str = ""

    @property
    def needs_auth(self) -> bool:
        """Whether it answers nobody without an API key."""
        return bool(self.key_variable) and not self.base_url.startswith("http://localhost")


SERVICES = {
    service.name: service
    for service in (
        Service("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        Service("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "many vendors"),
        Service("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        Service("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        Service("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
        Service("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        Service("xai", "https://api.x.ai/v1", "XAI_API_KEY", "Grok"),
        Service("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
        Service("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
        Service("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN", "router"),
        Service(
            "github",
            "https://models.github.ai/inference",
            "GITHUB_TOKEN",
            "GitHub Models; it lists its models elsewhere, at /catalog/models",
        ),
        Service(
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GEMINI_API_KEY",
            "Google's OpenAI endpoint",
        ),
        Service(
            "anthropic",
            "https://api.anthropic.com/v1",
            "ANTHROPIC_API_KEY",
            "Anthropic's OpenAI endpoint",
        ),
        Service("ollama", "http://localhost:11434/v1", notes="local: ollama serve"),
        Service("lmstudio", "http://localhost:1234/v1", notes="local: lms server start"),
        Service("vllm", "http://localhost:8000/v1", notes="local: vllm serve MODEL"),
        Service("llamacpp", "http://localhost:8080/v1", notes="local: llama-server -m MODEL.gguf"),
        Service("litellm", "http://localhost:4000/v1", "LITELLM_API_KEY", "local: litellm proxy"),
    )
}
