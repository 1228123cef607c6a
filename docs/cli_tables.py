# ruff: noqa: INP001 - it stands beside the pages, and is no package
"""Writes the tables of docs/cli.md from the commands themselves.

`python docs/cli_tables.py` puts each table between its two comments: `<!-- table: asyncllm -->` is
that of the commands, `<!-- table: ask -->` that of the arguments and options of a command, and
`<!-- table: keys -->` those of the commands of a group.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from asyncllm.cli.app import app

PAGE = Path(__file__).with_name("cli.md")
_PLACE = re.compile(r"(<!-- table: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def commands() -> dict[str, Any]:
    """Return every command by what is typed after `asyncllm`, a group before its own commands."""
    found = {}
    for name, command in below(get_command(app)).items():
        found[name] = command
        found |= {f"{name} {each}": one for each, one in below(command).items()}
    return found


def below(command: Any) -> dict[str, Any]:
    """Return the commands of a group by their names; none of a command that is no group."""
    return dict(getattr(command, "commands", {}))


def parameters(command: Any) -> list[Any]:
    """Return the arguments and the options of a command, without --help."""
    return list(command.params)


def names_of(param: Any) -> list[str]:
    """Return how an argument or an option is written, the short way first."""
    if param.param_type_name == "argument":
        return [param.metavar or param.name.upper()]
    return sorted(param.opts, key=len)


def meaning(param: Any) -> str:
    """Return what an argument or an option means, and its default."""
    text = " ".join((param.help or "").split())
    if param.default not in (None, "", (), []) and not getattr(param, "is_flag", False):
        text += f" Default: `{param.default}`."
    if getattr(param, "multiple", False):
        text += " May be repeated."
    return text


def said(command: Any) -> str:
    """Return what a command does, as one line."""
    return " ".join((command.help or "").partition("\n\n")[0].split())


def table(name: str) -> list[str]:
    """Return the lines of a command's tables.

    Args:
        name: what is typed after `asyncllm`; "asyncllm" for that itself.

    """
    command = get_command(app) if name == "asyncllm" else commands()[name]
    own = [_row(param) for param in parameters(command)]
    tables = [_table(("argument or option", "meaning"), own)] if own else []
    if each := below(command):
        prefix = "asyncllm" if name == "asyncllm" else f"asyncllm {name}"
        rows = [(f"`{_typed(prefix, one)}`", said(one)) for one in each.values()]
        tables.insert(0, _table(("command", "what it does"), rows))
    if each and name != "asyncllm":
        rows = [(f"`{one.name}`", *_row(param)) for one in each.values() for param in one.params]
        tables += [_table(("of", "argument or option", "meaning"), rows)] if rows else []
    return "\n\n".join("\n".join(lines) for lines in tables).splitlines()


def places(page: str) -> list[str]:
    """Return the names of a page's tables, in their order."""
    return [found[2] for found in _PLACE.finditer(page)]


def written(page: str) -> str:
    """Return the text of the page with its tables anew."""

    def anew(found: re.Match[str]) -> str:
        return "\n".join((found[1].rstrip("\n"), *table(found[2]), found[3]))

    return _PLACE.sub(anew, page)


def _row(param: Any) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in names_of(param))
    return names, meaning(param).replace("|", r"\|")


def _typed(prefix: str, command: Any) -> str:
    """Return a command with its arguments, as it is typed."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    shown = [names_of(each)[0] if each.required else f"[{names_of(each)[0]}]" for each in arguments]
    return " ".join((prefix, command.name, *shown))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
