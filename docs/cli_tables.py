# ruff: noqa: INP001 - it stands beside the pages, and is no package
"""Writes the tables of docs/cli.md from the commands themselves.

`python docs/cli_tables.py` puts each table between its two comments: `<!-- table: asyncllm -->` is
that of the commands, `<!-- table: ask -->` that of the arguments and options of a command, and
`<!-- table: keys -->` those of the commands of a group.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from asyncllm.cli.app import app

PAGE = Path(__file__).with_name("cli.md")
_PLACE = re.compile(r"(<!-- table: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEAD = ("argument or option", "meaning")


def commands() -> dict[str, Any]:
    """Return every command by what is typed after `asyncllm`, with the groups before their own."""
    found = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        found[name] = command
        found |= {f"{name} {each}": below for each, below in _below(command).items()}
    return found


def table(name: str) -> list[str]:
    """Return the table of a command, or of `asyncllm` itself.

    Args:
        name: what is typed after `asyncllm`, or "asyncllm".

    """
    command = get_command(app) if name == "asyncllm" else commands()[name]
    if not _below(command):
        return _table(_HEAD, [_row(param) for param in command.params])
    below = [(f"`asyncllm {_typed(each, name)}`", _help(each)) for each in _below(command).values()]
    rows = [
        (f"`{each.name}`", *_row(param)) for each in _below(command).values() for param in each.params
    ]
    if name == "asyncllm":
        rows = []
    lines = _table(("command", "what it does"), below)
    if command.params:
        lines += ["", *_table(_HEAD, [_row(param) for param in command.params])]
    return lines + (["", *_table(("command", *_HEAD), rows)] if rows else [])


def written(page: str) -> str:
    """Return the text of the page with its tables anew."""
    return _PLACE.sub(lambda match: f"{match[1]}{'\n'.join(table(match[2]))}\n{match[3]}", page)


def places(page: str) -> list[str]:
    """Return the names of the tables of a page, as they follow each other."""
    return [match[2] for match in _PLACE.finditer(page)]


def names_of(param: Any) -> str:
    """Return how a parameter is written."""
    if param.param_type_name == "argument":
        return f"`{param.metavar or param.name.upper()}`"
    return ", ".join(f"`{name}`" for name in sorted(param.opts, key=len))


def _row(param: Any) -> tuple[str, str]:
    text = " ".join((param.help or "").split())
    is_flag = getattr(param, "is_flag", False)
    if param.default not in (None, "", (), []) and not is_flag:
        text += f" Default: `{param.default}`."
    if getattr(param, "multiple", False):
        text += " May be repeated."
    return names_of(param), text.replace("|", r"\|")


def _below(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


def _help(command: Any) -> str:
    """Return the first paragraph of a command's help as one line."""
    return " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())


def _typed(command: Any, group: str) -> str:
    """Return a command with its arguments, as it is typed."""
    arguments = [
        param.metavar or param.name.upper()
        for param in command.params
        if param.param_type_name == "argument"
    ]
    shown = [
        name if param.required else f"[{name}]"
        for name, param in zip(
            arguments,
            (each for each in command.params if each.param_type_name == "argument"),
            strict=True,
        )
    ]
    return " ".join([*([] if group == "asyncllm" else [group]), command.name, *shown])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
