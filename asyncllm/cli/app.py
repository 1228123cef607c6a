"""`asyncllm`: its commands, and what it does where none of them is named."""

from __future__ import annotations

import difflib
import os
import sys
from typing import Annotated

import typer
from typer.main import get_command

from asyncllm import __version__
from asyncllm.cli import aliases, keys, logs
from asyncllm.cli.ask import ask
from asyncllm.cli.chat import chat
from asyncllm.cli.completing import complete_bare
from asyncllm.cli.light_values import lighten
from asyncllm.cli.models import models
from asyncllm.cli.providers import providers
from asyncllm.cli.sandbox import sandbox
from asyncllm.cli.standard_input import is_piped
from asyncllm.cli.streams import open_closed, written_or_told

_OF_ASYNCLLM_ITSELF = {"-h", "--help", "--version", "--install-completion", "--show-completion"}
_MIND_CLOSED = (["ask"], ["chat"])  # which ask nobody where no answer can be written
_COMPLETE = "_ASYNCLLM_COMPLETE"  # by which the shell asks what to offer

app = typer.Typer(
    name="asyncllm",
    help='Ask language models, and stream their answers: asyncllm "Hello"',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

GROUPS = {"keys": keys.commands, "aliases": aliases.commands, "logs": logs.commands}
COMMANDS = {command.__name__: command for command in (ask, chat, models, providers, sandbox)}
_NAMES = (*COMMANDS, *GROUPS)


def run(arguments: list[str]) -> None:
    """Run the command line, and exit with its status.

    Args:
        arguments: what was typed, less the name of the program.

    """
    command = get_command(app)
    lighten(command)
    if _COMPLETE in os.environ:
        # To look for markup in help texts, which have none, typer would import it for most shells.
        sys.modules["rich"] = None  # type: ignore[assignment]
        complete_bare(os.environ, {*_NAMES, *_OF_ASYNCLLM_ITSELF})
        command(prog_name="asyncllm")
    arguments = with_command(arguments)
    if arguments[:1] not in _MIND_CLOSED:
        open_closed()
    with written_or_told():
        command(arguments, prog_name="asyncllm")


def with_command(arguments: list[str]) -> list[str]:
    """Return the arguments with a command before them: `ask` where they name none.

    Args:
        arguments: what was typed, less the name of the program.

    Raises:
        SystemExit: there is one word alone, which nearly is a command.

    """
    if not arguments:
        return ["ask"] if is_piped() else arguments
    first = arguments[0]
    if first == "help" and set(arguments[1:]) <= set(_NAMES):
        return [*arguments[1:2], "--help"]
    if first in _NAMES or first.partition("=")[0] in _OF_ASYNCLLM_ITSELF:
        return arguments
    near = difflib.get_close_matches(first, _NAMES, n=1, cutoff=0.75)
    if len(arguments) == 1 and near:
        typer.echo(
            f"asyncllm: there is no command {first!r}: did you mean {near[0]!r}? "
            f"To ask it, type: asyncllm ask {first}",
            err=True,
        )
        raise SystemExit(2)
    return ["ask", *arguments]


def _print_version(is_wanted: bool) -> None:  # noqa: FBT001 - typer's way
    if is_wanted:
        typer.echo(f"asyncllm {__version__}")
        raise typer.Exit


@app.callback()
def _asyncllm(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


for command in COMMANDS.values():
    app.command()(command)
for name, commands in GROUPS.items():
    app.add_typer(commands, name=name)
