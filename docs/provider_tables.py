# ruff: noqa: INP001 - it stands beside the pages, and is no package
"""Writes the tables of docs/providers.md from the providers themselves.

`python docs/provider_tables.py` puts each table between its two comments.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from asyncllm import Gravityengine, H2o, Lockchat, OpenAI, OpenAICompatible
from asyncllm.providers.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm import AsyncGeneratorProvider

PAGE = Path(__file__).with_name("providers.md")
PROVIDERS: tuple[type[AsyncGeneratorProvider], ...] = (
    H2o,
    Gravityengine,
    Lockchat,
    OpenAI,
    OpenAICompatible,
)
_PAGES = {
    H2o: "providers/h2o.md",
    Gravityengine: "providers/gravityengine.md",
    Lockchat: "providers/lockchat.md",
    OpenAI: "providers/openai-compatible.md",
    OpenAICompatible: "providers/openai-compatible.md",
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
                ", ".join(models) or "those of the server",
                _auth(cls),
                _variables(cls),
            )
        )
    return _table(("provider", "wire", "models", "key", "environment"), rows)


def supports() -> list[str]:
    """Return the table of what each provider can do."""
    rows = []
    for cls in PROVIDERS:
        yes, usage = "no", "where the server tells it"
        if issubclass(cls, OpenAICompatible):
            yes, usage = "yes", "asked for" if cls.asks_usage else usage
        rows.append((f"`{cls.__name__}`", "yes", yes, yes, usage, yes))
    return _table(("provider", "text", "reasoning", "tool calls", "usage", "images"), rows)


def services() -> list[str]:
    """Return the table of the services that go by a name."""
    rows = [
        (
            _code(service.name),
            _code(service.base_url),
            _code(service.key_variable) if service.key_variable else "none",
            service.notes,
        )
        for service in SERVICES.values()
    ]
    return _table(("name", "base URL", "key", "notes"), rows)


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


def _auth(cls: type[AsyncGeneratorProvider]) -> str:
    if cls is Lockchat:
        return "`auth=`; a public one by default"
    if issubclass(cls, OpenAICompatible) and not cls.models:
        return "`api_key=`" if cls.needs_auth else "`api_key=`, where the server wants one"
    return "none"


def _variables(cls: type[AsyncGeneratorProvider]) -> str:
    names = [f"ASYNCLLM_{cls.__name__.upper()}_BASE_URL"]
    if _auth(cls) != "none":
        names.append(f"ASYNCLLM_{cls.__name__.upper()}_API_KEY")
    if issubclass(cls, OpenAICompatible) and cls.service is not None:
        names.append(cls.service.key_variable)
    return ", ".join(map(_code, names))


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
