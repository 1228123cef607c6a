"""Aliases: short names for models, kept in a file of ours, and `asyncllm aliases`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.cli.home import change_texts, home, read_texts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def aliases_path() -> Path:
    """Return where the file of the aliases is, or would be."""
    return home() / "aliases.json"


def aliases() -> Mapping[str, str]:
    """Return what each alias stands for: anything that `-m` takes, but no other alias.

    Raises:
        ConfigurationError: the file can't be used.

    """
    return read_texts(aliases_path())


def store_alias(name: str, model: str) -> str:
    """Keep an alias, and return what it stands for.

    Args:
        name: the alias.
        model: anything that `-m` takes; for another alias, what that one stands for is kept.

    Raises:
        ConfigurationError: the file can't be used.

    """
    kept: list[str] = []

    def keep(known: dict[str, str]) -> None:
        kept.append(model if model == name else known.get(model, model))
        known[name] = kept[0]

    change_texts(aliases_path(), keep)
    return kept[0]


def remove_alias(name: str) -> bool:
    """Take an alias away, and tell whether there was one.

    Raises:
        ConfigurationError: the file can't be used.

    """
    removed: list[str | None] = []
    change_texts(aliases_path(), lambda known: removed.append(known.pop(name, None)))
    return removed[0] is not None
