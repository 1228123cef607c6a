"""API keys: those that `asyncllm keys` keeps in a file, and those in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asyncllm.cli.home import change_texts, has_home, home, read_texts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class FoundKey:
    """A key, and where it was found.

    Attributes:
        provider: the name of the provider that it is for.
        value: the key.
        variable: the environment variable that holds it, where the provider finds it by itself;
            "" where the keys file does, and it must be given as `api_key=`.

    """

    provider: str
    value: str = field(repr=False)
    variable: str = ""


def keys_path() -> Path:
    """Return where the keys file is, or would be."""
    return home() / "keys.json"


def stored_keys() -> Mapping[str, str]:
    """Return the keys in the keys file, by the names of their providers.

    Raises:
        ConfigurationError: the file can't be used.

    """
    stored = read_texts(keys_path()) if has_home() else {}
    return {name.lower(): key for name, key in stored.items() if key}


def stored_key(name: str) -> str | None:
    """Return the key of a provider in the keys file, if it has one there.

    Raises:
        ConfigurationError: the file can't be used.

    """
    return stored_keys().get(name.lower())


def store_key(name: str, key: str) -> None:
    """Keep the key of a provider in the keys file.

    Raises:
        ConfigurationError: the file can't be used.

    """

    def keep(keys: dict[str, str]) -> None:
        _drop(keys, name)
        keys[name.lower()] = key

    change_texts(keys_path(), keep)


def remove_key(name: str) -> bool:
    """Take the key of a provider out of the keys file, and tell whether there was one.

    Raises:
        ConfigurationError: the file can't be used.

    """
    dropped: list[str] = []
    change_texts(keys_path(), lambda keys: dropped.extend(_drop(keys, name)))
    return bool(dropped)


def found_keys() -> Mapping[str, FoundKey]:
    """Return the key of each provider that has one, in the environment or in the keys file.

    The environment comes first. A variable that several providers read, such as `OPENAI_API_KEY`,
    counts for the first of them alone.

    Raises:
        ConfigurationError: the keys file can't be used.

    """
    from asyncllm.registry import key_variables  # noqa: PLC0415 - heavy

    stored, seen = stored_keys(), set[str]()
    found: dict[str, FoundKey] = {}
    for name, variables in key_variables().items():
        for variable in variables:
            if variable not in seen and (key := os.environ.get(variable)):
                seen.add(variable)
                found.setdefault(name, FoundKey(name, key, variable))
        if name not in found and name in stored:
            found[name] = FoundKey(name, stored[name])
    return found


def _drop(keys: dict[str, str], name: str) -> list[str]:
    """Take out what a name has, in whatever case it was written, and return that."""
    return [keys.pop(each) for each in list(keys) if each.lower() == name.lower()]
