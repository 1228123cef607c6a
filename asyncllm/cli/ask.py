"""`asyncllm ask`: its options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asyncllm.cli.options import (  # noqa: TC001 - typer reads the annotations
    BaseURL,
    Continue,
    EnvFile,
    Key,
    Model,
    Param,
    Provider,
    Proxy,
    System,
)
from asyncllm.cli.values import name_and_value

if TYPE_CHECKING:
    from collections.abc import Coroutine

_OWN_OPTIONS = {"model", "proxy", "system"}
_NO_PARAMETERS = _OWN_OPTIONS | {"messages", "self", "keep", "extra"}


def ask(  # noqa: PLR0917 - typer's way to declare options
    prompt: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROMPT",
            help="What to ask. Piped text comes before it; '-' or no prompt asks that alone.",
            show_default=False,
        ),
    ] = None,
    model: Model = None,
    system: System = None,
    attach: Annotated[
        list[str] | None,
        typer.Option(
            "--attach",
            "-a",
            metavar="FILE|URL",
            help="An image, a document or a text to send along; '-' is standard input.",
        ),
    ] = None,
    param: Param = None,
    go_on: Continue = False,  # noqa: FBT002 - typer's way
    as_json: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--json", help="Print the answer as one JSON object, at the end.")
    ] = False,
    events: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--events", help="Print a line of JSON for each event, as it comes.")
    ] = False,
    reasoning: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--reasoning", help="Show the model's thinking, on standard error.")
    ] = False,
    stats: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--stats", help="Say on standard error how fast it was.")
    ] = False,
    provider: Provider = None,
    base_url: BaseURL = None,
    key: Key = None,
    env_file: EnvFile = None,
    proxy: Proxy = None,
) -> None:
    """Stream the answer to standard output."""
    from asyncllm.cli.answers import Lines, Object, Text  # noqa: PLC0415 - heavy, as all of these
    from asyncllm.cli.asking import answer, asked  # noqa: PLC0415
    from asyncllm.cli.choosing import Choice  # noqa: PLC0415
    from asyncllm.cli.env_file import read_env_file  # noqa: PLC0415
    from asyncllm.cli.home import refused  # noqa: PLC0415
    from asyncllm.cli.running import run  # noqa: PLC0415

    params = dict(name_and_value(text) for text in param or [])
    _check_params(params)
    choice = Choice.typed(model=model, provider=provider, base_url=base_url, key=key, proxy=proxy)
    output = Lines() if events else Object() if as_json else Text(shows_reasoning=reasoning)

    def work() -> Coroutine[object, object, None]:
        if sys.stdout is None:
            raise refused("standard output is closed: there is nowhere to write the answer")
        if env_file is not None:
            read_env_file(Path(env_file))
        what = asked(
            prompt or [], attach or [], system=system, params=params, choice=choice, go_on=go_on
        )
        return answer(what, output, stats=stats)

    run(work)


def _check_params(params: dict[str, object]) -> None:
    for name in _NO_PARAMETERS & params.keys():
        hint = f"write --{name}" if name in _OWN_OPTIONS else "it would not be sent"
        raise typer.BadParameter(f"{name} can't be given by --param: {hint}")
