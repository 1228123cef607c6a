"""`asyncllm sandbox`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from asyncllm.cli.text import say
from asyncllm.cli.values import name_and_value

if TYPE_CHECKING:
    from asyncllm.sandbox import Fault


def sandbox(  # noqa: PLR0917 - typer's way to declare options
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="The address to listen at.")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", metavar="PORT", help="The port to listen at; 0 takes a free one."),
    ] = 3000,
    rtt: Annotated[
        float, typer.Option("--rtt", metavar="SECONDS", help="Seconds before each answer.")
    ] = 0.0,
    token_rate: Annotated[
        float | None,
        typer.Option(
            "--token-rate", metavar="RATE", help="Tokens per second; without it, all at once."
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option(
            "--tokens",
            metavar="NUMBER",
            help="Tokens in each answer; without it, as many as there are.",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="FAULT",
            help="A fault to show, such as Drop:after=3,times=1; see asyncllm.sandbox.",
        ),
    ] = None,
) -> None:
    """Serve the built-in sandbox, which has no model, until Ctrl-C."""
    import asyncio  # noqa: PLC0415 - it makes half of the time of --help
    import contextlib  # noqa: PLC0415

    from asyncllm.cli.running import FAILED, run  # noqa: PLC0415 - heavy, as all of these are
    from asyncllm.sandbox import Sandbox  # noqa: PLC0415

    faults = [_fault(text) for text in fault or []]

    try:
        running = Sandbox(
            host=host, port=port, rtt=rtt, token_rate=token_rate, tokens=tokens, faults=faults
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None

    async def serve() -> None:
        try:
            await running.start()
        except (OSError, OverflowError) as error:  # the latter of a number that is no port
            reason = error.strerror if isinstance(error, OSError) else None
            say(f"asyncllm: {reason or error} (--host, --port)")
            raise typer.Exit(FAILED) from None
        async with contextlib.aclosing(running):
            typer.echo(running.url)
            say(f'try: asyncllm --base-url {running.url}/v1 "Hello"')
            say(f"for programs: export OPENAI_BASE_URL={running.url}/v1")
            await asyncio.Event().wait()

    run(serve)


def _fault(text: str) -> Fault:
    """Return the fault that `Name:field=value,field=value` describes."""
    import dataclasses  # noqa: PLC0415 - heavy

    from asyncllm import sandbox as sandboxes  # noqa: PLC0415

    name, _, fields = text.partition(":")
    cls = getattr(sandboxes, name, None) if name in sandboxes.__all__ else None
    if not (isinstance(cls, type) and issubclass(cls, sandboxes.Fault)):
        raise typer.BadParameter(f"there is no fault {name!r}; see asyncllm.sandbox")
    try:
        return cls(
            **dict(name_and_value(field) for field in re.split(r",(?=\w+=)", fields) if field)
        )
    except TypeError:
        known = ", ".join(field.name for field in dataclasses.fields(cls))
        raise typer.BadParameter(f"{name} takes {known}; it was given {fields!r}") from None
