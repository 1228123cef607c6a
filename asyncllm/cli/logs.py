"""`asyncllm logs`: questions and answers that are kept, where that is wanted."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from asyncllm.cli.group import group
from asyncllm.cli.text import JSON_CONTROLS, harmless, say, write

if TYPE_CHECKING:
    from asyncllm.cli.log_reading import Row

commands = group(
    "Keep questions and answers in a file, once you turn this on. Only you can read it."
)

_QUESTION = 60  # cells of a question in a list
_Count = Annotated[
    int, typer.Option("-n", "--number", metavar="NUMBER", help="How many answers at most.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print all that is kept, as JSON.")]


@commands.command("on")
def on() -> None:
    """Keep every question and its answer from now on."""
    from asyncllm.cli.log_file import log_path, switch  # noqa: PLC0415 - as all of these are
    from asyncllm.cli.running import ending_well  # noqa: PLC0415 - heavy

    with ending_well():
        switch(on=True)
        say(f"asyncllm: logs are on: answers are kept in {log_path()}")


@commands.command("off")
def off() -> None:
    """Keep nothing from now on; what the log holds stays."""
    from asyncllm.cli.log_file import switch  # noqa: PLC0415
    from asyncllm.cli.running import ending_well  # noqa: PLC0415

    with ending_well():
        switch(on=False)
        say("asyncllm: logs are off")


@commands.command("status")
def status() -> None:
    """Say whether logs are on, and how much the log holds."""
    from asyncllm.cli.log_file import is_on, log_path  # noqa: PLC0415
    from asyncllm.cli.log_reading import size  # noqa: PLC0415
    from asyncllm.cli.running import ending_well  # noqa: PLC0415

    with ending_well():
        count, taken = size()
        typer.echo(f"logs: {'on' if is_on() else 'off'}")
        typer.echo(f"file: {log_path()}")
        typer.echo(f"answers: {count}")
        typer.echo(f"size: {taken / 1024:.0f} KiB")


@commands.command("list")
def list_answers(*, number: _Count = 20, as_json: _Json = False) -> None:
    """List the last answers, the latest first."""
    from asyncllm.cli.log_reading import last_answers  # noqa: PLC0415
    from asyncllm.cli.running import ending_well  # noqa: PLC0415

    with ending_well():
        _print(last_answers(_at_least_one(number)), as_json=as_json)


@commands.command("search")
def search(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORDS", help="Words of the question or the answer; all must be there."
        ),
    ],
    *,
    number: _Count = 20,
    as_json: _Json = False,
) -> None:
    """List the answers that have these words, or words that begin so."""
    from asyncllm.cli.log_reading import found  # noqa: PLC0415
    from asyncllm.cli.running import FAILED, ending_well  # noqa: PLC0415

    with ending_well():
        rows = found(" ".join(words), _at_least_one(number))
        _print(rows, as_json=as_json)
        if not rows:
            say("asyncllm: nothing in the log has these words")
            raise typer.Exit(FAILED)


@commands.command("show")
def show(
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="ID", help="The id, as the list shows it; without it, the last answer."
        ),
    ] = None,
    *,
    as_json: _Json = False,
) -> None:
    """Print an answer and what was asked, as Markdown."""
    from asyncllm.cli.log_markdown import as_markdown  # noqa: PLC0415
    from asyncllm.cli.log_reading import answer  # noqa: PLC0415
    from asyncllm.cli.running import FAILED, ending_well  # noqa: PLC0415

    with ending_well():
        row = answer(number)
        if row is None:
            which = "no answer" if number is None else f"no answer {number}"
            say(f"asyncllm: the log has {which}; asyncllm logs list says what it has")
            raise typer.Exit(FAILED)
        text = _as_json(row) if as_json else as_markdown(row)
        write(harmless(text, sys.stdout), sys.stdout)


@commands.command("clear")
def clear(
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask whether you mean it.")
    ] = False,
) -> None:
    """Delete all answers in the log."""
    from asyncllm.cli import log_reading  # noqa: PLC0415
    from asyncllm.cli.home import refused  # noqa: PLC0415
    from asyncllm.cli.running import FAILED, ending_well  # noqa: PLC0415

    with ending_well():
        if not yes:
            if not sys.stdin.isatty():
                raise refused("to delete all answers without being asked, type --yes")
            sys.stderr.write("Delete all answers in the log? Type y for yes: ")
            sys.stderr.flush()
            if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
                say("asyncllm: nothing was deleted")
                raise typer.Exit(FAILED)
        count = log_reading.clear()
        say(f"asyncllm: {count} answer{'' if count == 1 else 's'} deleted")


@commands.command("path")
def path() -> None:
    """Print where the log is."""
    from asyncllm.cli.log_file import log_path  # noqa: PLC0415
    from asyncllm.cli.running import ending_well  # noqa: PLC0415

    with ending_well():
        typer.echo(log_path())


def _at_least_one(number: int) -> int:
    if number < 1:
        raise typer.BadParameter("write -n with a number from 1 on")
    return number


def _print(rows: list[Row], *, as_json: bool) -> None:
    from asyncllm.cli.log_markdown import local_time  # noqa: PLC0415
    from asyncllm.cli.tables import print_table, shortened  # noqa: PLC0415

    if as_json:
        write(_as_json(rows), sys.stdout)
        return
    if not rows:
        return
    table = [
        (
            str(row["id"]),
            local_time(row),
            f"{row['provider']}/{row['model']}",
            shortened(str(row["question"]), _QUESTION),
        )
        for row in rows
    ]
    print_table(("id", "asked", "model", "question"), table)


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False).translate(JSON_CONTROLS) + "\n"
