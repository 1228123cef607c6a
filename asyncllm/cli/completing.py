"""What the shell offers while a command is typed: from our files and tables, never a network."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from asyncllm.cli.home import has_home, home

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, MutableMapping
    from pathlib import Path

_MODELS = "models.json"


def models_path() -> Path:
    """Return the file of the models that `asyncllm models` saw last, by provider."""
    return home() / _MODELS


def complete_provider(incomplete: str) -> list[str]:
    """Return the names of providers that begin so."""
    return _beginning(incomplete, _provider_names())


def complete_stored_key(incomplete: str) -> list[str]:
    """Return the names in the keys file that begin so."""
    return _beginning(incomplete, _ours("keys.json"))


def complete_alias(incomplete: str) -> list[str]:
    """Return the aliases that begin so."""
    return _beginning(incomplete, _ours("aliases.json"))


def complete_model(incomplete: str) -> list[str]:
    """Return what `-m` takes and begins so: aliases, providers, and models that were listed."""
    listed = [
        f"{name}/{model}"
        for name, models in _ours(_MODELS).items()
        if isinstance(models, list)
        for model in models
    ]
    return _beginning(incomplete, [*_ours("aliases.json"), *_provider_names(), *listed])


def _ours(name: str) -> Mapping[str, object]:
    return read_silently(home() / name) if has_home() else {}


def complete_bare(environment: MutableMapping[str, str], own: Container[str]) -> None:
    """Have the shell complete `asyncllm -m …` as it does `asyncllm ask -m …`.

    Args:
        environment: what the shell has put there.
        own: the commands, and the options of asyncllm itself: they need nothing before them.

    """
    if "COMP_WORDS" in environment:  # bash
        program, *words = environment["COMP_WORDS"].split("\n")
        place = int(environment["COMP_CWORD"])
        if place > 1 and words[0] not in own:
            environment["COMP_WORDS"] = "\n".join((program, "ask", *words))
            environment["COMP_CWORD"] = str(place + 1)
    elif "_TYPER_COMPLETE_ARGS" in environment:  # the others
        program, _, rest = environment["_TYPER_COMPLETE_ARGS"].partition(" ")
        first, space, _ = rest.lstrip().partition(" ")
        if space and first not in own:
            environment["_TYPER_COMPLETE_ARGS"] = f"{program} ask {rest}"


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _provider_names() -> list[str]:
    from asyncllm.providers.names import OF_SERVICES, OWN  # noqa: PLC0415 - needed here alone

    return [*OWN, *OF_SERVICES]


def read_silently(path: Path) -> Mapping[str, object]:
    """Return what a JSON file of ours holds; nothing where it can't be had, without a word."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_bytes())
        if isinstance(found, dict):
            return found
    return {}
