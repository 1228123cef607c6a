"""Aliases: short names for models, kept in a file of ours, and `asyncllm aliases`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from asyncllm.cli.completing import complete_alias, complete_model
from asyncllm.cli.group import group
from asyncllm.cli.home import change_texts, has_home, home, read_texts, refused
from asyncllm.cli.text import say

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

commands = group("Give models short names, to type after -m.")


def aliases_path() -> Path:
    """Return where the file of the aliases is, or would be."""
    return home() / "aliases.json"


def aliases() -> Mapping[str, str]:
    """Return what each alias stands for: anything that `-m` takes, but no other alias.

    Raises:
        ConfigurationError: the file can't be used.

    """
    return read_texts(aliases_path()) if has_home() else {}


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


@commands.command("set")
def set_alias(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The short name.")],
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="What it stands for: anything that -m takes.",
            autocompletion=complete_model,
        ),
    ],
) -> None:
    """Give a model a short name, or give a short name another model."""
    from asyncllm.cli.running import ending_well  # noqa: PLC0415 - heavy, as all of these are

    with ending_well():
        if not name or name != "".join(name.split()) or name.startswith("-"):
            raise refused("an alias is one word, and does not begin with a hyphen")
        if not model.strip():
            raise refused(f"what does {name} stand for? Type: asyncllm aliases set {name} MODEL")
        say(f"asyncllm: {name} stands for {store_alias(name, model.strip())}")


@commands.command("list")
def list_aliases() -> None:
    """List the aliases and what they stand for."""
    from asyncllm.cli.running import ending_well  # noqa: PLC0415
    from asyncllm.cli.tables import print_table  # noqa: PLC0415

    with ending_well():
        known = aliases()
        if not known:
            say(
                "asyncllm: there are no aliases; to make one, type: asyncllm aliases set NAME MODEL"
            )
        else:
            print_table(("alias", "model"), [*known.items()])


@commands.command("remove")
def remove(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The alias.", autocompletion=complete_alias)
    ],
) -> None:
    """Forget an alias."""
    from asyncllm.cli.running import ending_well  # noqa: PLC0415
    from asyncllm.hints import nearest_match  # noqa: PLC0415

    with ending_well():
        if not remove_alias(name):
            raise refused(f"there is no alias {name!r}{nearest_match(name, aliases())}")
