"""`asyncllm providers`."""

from __future__ import annotations

import sys

from asyncllm.cli.text import harmless

_PIPED_WIDTH = 400  # a row a line, for grep


def providers() -> None:
    """List the providers."""
    from rich.console import Console  # noqa: PLC0415 - heavy, as all of these are
    from rich.table import Table  # noqa: PLC0415

    from asyncllm.providers.services import SERVICES  # noqa: PLC0415
    from asyncllm.registry import provider_class, provider_classes  # noqa: PLC0415

    table = Table("name", "wire", "default model", "models", "auth", "base URL", "notes")
    classes = provider_classes()
    for name in [name for name in classes if name not in SERVICES]:
        cls = provider_class(name)
        models, auth = ", ".join(cls.models), "API key" if cls.needs_auth else "none"
        cells = (name, cls.wire, cls.model, models, auth, cls.url, "")
        table.add_row(*(harmless(cell, sys.stdout) for cell in cells))
    for service in SERVICES.values():
        auth = service.key_variable or "none"
        wire = provider_class(service.name).wire if service.name in classes else "openai"
        table.add_row(service.name, wire, "", "", auth, service.base_url, service.notes)
    for column in table.columns:
        column.overflow = "fold"
    Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(table)
