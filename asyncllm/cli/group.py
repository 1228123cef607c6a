"""A command that is a group of commands, such as `asyncllm keys`."""

from __future__ import annotations

import typer


def group(help_text: str) -> typer.Typer:
    """Return a group without commands; alone it prints its help.

    Args:
        help_text: what its commands are for.

    """
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        add_completion=False,
    )
