"""Services that speak OpenAI's chat wire: where they are, and where their keys come from."""

from __future__ import annotations

from ipaddress import IPv6Address
from urllib.parse import urlsplit

import msgspec


class Service(msgspec.Struct, frozen=True):
    """One service.

    Attributes:
        name: its name in `asyncllm.provider` and in the environment.
        base_url: its address.
        key_variable: the environment variable that usually holds its API key; "" for a local server
            that needs none.
        notes: what is worth knowing.
        other_key_variables: other variables that may hold its key, in order.
        url_variable: the environment variable that usually holds another address; "" for none.
        host_variable: the one that usually holds only its host, or its host and port.

    """

    name: str
    base_url: str
    key_variable: str = ""
    notes: str = ""
    other_key_variables: tuple[str, ...] = ()
    url_variable: str = ""
    host_variable: str = ""

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The environment variables that may hold its key, in order."""
        return tuple(filter(None, (self.key_variable, *self.other_key_variables)))

    @property
    def needs_auth(self) -> bool:
        """Whether it requires an API key."""
        return bool(self.key_variable) and not self.base_url.startswith("http://localhost")


SERVICES = {
    service.name: service
    for service in (
        Service(
            "openai",
            "https://api.openai.com/v1",
            "OPENAI_API_KEY",
            url_variable="OPENAI_BASE_URL",
        ),
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
            "cohere-openai",
            "https://api.cohere.ai/compatibility/v1",
            "CO_API_KEY",
            "Cohere's OpenAI endpoint",
            other_key_variables=("COHERE_API_KEY",),
        ),
        Service(
            "perplexity",
            "https://api.perplexity.ai",
            "PERPLEXITY_API_KEY",
            "searches the web; it has no list of models",
            other_key_variables=("PPLX_API_KEY",),
        ),
        Service(
            "bedrock",
            "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1",
            "AWS_BEARER_TOKEN_BEDROCK",
            "Amazon's OpenAI endpoint, with a Bedrock API key; for another region: base_url=",
        ),
        Service(
            "gemini-openai",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GEMINI_API_KEY",
            "Google's OpenAI endpoint",
            other_key_variables=("GOOGLE_API_KEY",),
        ),
        Service(
            "anthropic-openai",
            "https://api.anthropic.com/v1",
            "ANTHROPIC_API_KEY",
            "Anthropic's OpenAI endpoint",
        ),
        Service(
            "ollama-openai",
            "http://localhost:11434/v1",
            notes="Ollama's OpenAI endpoint, local: ollama serve",
            host_variable="OLLAMA_HOST",
        ),
        Service("lmstudio", "http://localhost:1234/v1", notes="local: lms server start"),
        Service("vllm", "http://localhost:8000/v1", notes="local: vllm serve MODEL"),
        Service("sglang", "http://localhost:30000/v1", notes="local: sglang.launch_server"),
        Service(
            "llamacpp-server", "http://localhost:8080/v1", notes="local: llama-server -m MODEL.gguf"
        ),
        Service("litellm", "http://localhost:4000/v1", "LITELLM_API_KEY", "local: litellm proxy"),
    )
}

RETIRED = {
    "github": "GitHub Models was retired on 30 July 2026, and no longer responds",
}
"""Why a name that was once in the table is there no longer."""

_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where servers listen, not clients

_LAST_PORT = 65535


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def url_of_host(host: str, home: str) -> str:
    """Return the URL that Ollama's clients take a host for; what can't be one as it is.

    Args:
        host: a host, host:port, :port, or a URL.
        home: the service's own URL, for the port and the path that `host` does not name.

    """
    own, text = urlsplit(home), host.strip().strip("\"'").strip()
    if text.count(":") > 1 and _is_ipv6(text):
        text = f"[{text}]"
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        name_of_port = url.netloc.rpartition(":")[2]
        is_out_of_range = name_of_port.isdecimal() and int(name_of_port[:6]) > _LAST_PORT
        given = None if is_out_of_range else url.port
    except ValueError:
        return host
    port = given or (None if "://" in text else own.port)
    if "@" in url.netloc or url.query or url.fragment:
        return host  # refused as every such base URL is
    name = url.hostname or "127.0.0.1"
    name = _ANY_HOST.get(name, name)
    place = f"[{name}]" if ":" in name else name
    path = url.path.rstrip("/").removesuffix(own.path)
    return f"{url.scheme}://{place}{f':{port}' if port else ''}{path}{own.path}"
