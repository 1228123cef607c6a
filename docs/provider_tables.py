# ruff: noqa: INP001 - it stands beside the pages, and is no package
"""Writes the tables of docs/providers.md from the providers themselves.

`python docs/provider_tables.py` puts each table between its two comments.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from asyncllm import (
    TGI,
    Anthropic,
    AzureOpenAI,
    ChatUI,
    Cohere,
    Gemini,
    Gravityengine,
    H2o,
    LlamaCpp,
    Lockchat,
    Mistral,
    Ollama,
    OpenAI,
    OpenAICompatible,
    OpenAIResponses,
)
from asyncllm.base.carried import CARRIED
from asyncllm.providers.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm import Provider

PAGE = Path(__file__).with_name("providers.md")
PROVIDERS: tuple[type[Provider], ...] = (
    ChatUI,
    H2o,
    LlamaCpp,
    Gravityengine,
    Lockchat,
    OpenAI,
    OpenAIResponses,
    AzureOpenAI,
    Mistral,
    OpenAICompatible,
    Anthropic,
    Gemini,
    Ollama,
    Cohere,
    TGI,
)
_PAGES = {
    ChatUI: "providers/chatui.md",
    LlamaCpp: "providers/llamacpp.md",
    H2o: "providers/h2o.md",
    Gravityengine: "providers/gravityengine.md",
    Lockchat: "providers/lockchat.md",
    OpenAI: "providers/openai-compatible.md",
    OpenAIResponses: "providers/openai-responses.md",
    AzureOpenAI: "providers/openai-compatible.md",
    Mistral: "providers/mistral.md",
    OpenAICompatible: "providers/openai-compatible.md",
    Anthropic: "providers/anthropic.md",
    Gemini: "providers/gemini.md",
    Ollama: "providers/ollama.md",
    Cohere: "providers/cohere.md",
    TGI: "providers/tgi.md",
}
_NAMES = {
    AzureOpenAI: "AZURE",
    OpenAIResponses: "OPENAI",
}  # of those that the environment calls by another name
_MODELS = {LlamaCpp: "a GGUF file"}
_CUSTOMARY = {
    Anthropic: ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    AzureOpenAI: ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION"),
    Gemini: ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
    Ollama: ("OLLAMA_HOST", "OLLAMA_API_KEY"),
    Cohere: ("CO_API_URL", "CO_API_KEY", "COHERE_API_KEY"),
}
_KEYS = {
    Ollama: "`api_key=`, for its cloud",
    Cohere: "`api_key=`",
    Anthropic: "`api_key=`",
    TGI: "`api_key=`, where the server wants one",
    Gemini: "`api_key=`; for Vertex AI `token=`",
}


def providers() -> list[str]:
    """Return the table of the provider classes."""
    rows = []
    for cls in PROVIDERS:
        models = [
            f"{_code(name)}{' (default)' if full == cls.model else ''}"
            for name, full in cls.models.items()
        ]
        rows.append(
            (
                f"[`{cls.__name__}`]({_PAGES[cls]})",
                cls.wire,
                ", ".join(models) or _MODELS.get(cls, "those of the server"),
                _auth(cls),
                _variables(cls),
            )
        )
    return _table(("provider", "API", "models", "key", "environment"), rows)


def supports() -> list[str]:
    """Return the table of what each provider's wire carries."""
    rows = [
        (f"`{cls.__name__}`", *("yes" if each in cls.carries else "no" for each in CARRIED))
        for cls in PROVIDERS
    ]
    return _table(("provider", *CARRIED), rows)


def services() -> list[str]:
    """Return the table of the services that go by a name."""
    rows = [
        (
            _code(service.name),
            _code(service.base_url),
            " or ".join(map(_code, service.key_variables)) or "none",
            "".join(map(_code, filter(None, (service.url_variable, service.host_variable)))),
            service.notes,
        )
        for service in SERVICES.values()
    ]
    return _table(("name", "base URL", "key", "another address", "notes"), rows)


def written(page: str) -> str:
    """Return the text of the page with its tables anew."""
    for table in (providers, supports, services):
        name = table.__name__
        between = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        lines = "\n".join(table())
        page, count = between.subn(lambda match: f"{match[1]}{lines}\n{match[2]}", page)  # noqa: B023
        if count != 1:
            raise ValueError(f"{PAGE.name} has {count} places for the table {name!r}")
    return page


def _auth(cls: type[Provider]) -> str:
    if cls in _KEYS:
        return _KEYS[cls]
    if cls is Lockchat:
        return "`auth=`; a public one by default"
    if issubclass(cls, OpenAICompatible) and not cls.models:
        return "`api_key=`" if cls.needs_auth else "`api_key=`, where the server wants one"
    return "none"


def _variables(cls: type[Provider]) -> str:
    if cls is LlamaCpp:
        return _code("ASYNCLLM_MODEL")
    prefix = f"ASYNCLLM_{_NAMES.get(cls, cls.__name__.upper())}"
    names = [f"{prefix}_BASE_URL"]
    if _auth(cls) != "none":
        names.append(f"{prefix}_API_KEY")
    names += _CUSTOMARY.get(cls, ())
    if issubclass(cls, OpenAICompatible) and (service := cls.service) is not None:
        names += filter(None, (service.url_variable, *service.key_variables))
    return ", ".join(map(_code, names))


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
