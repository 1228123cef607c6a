"""The options that `asyncllm ask` and `asyncllm chat` share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from asyncllm.cli.completing import complete_model, complete_provider

# Named in full, as typer 0.27 takes a metavar for the name where there is none.
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A model, provider/model, a provider, an alias or a GGUF file.",
        autocompletion=complete_model,
    ),
]
System: TypeAlias = Annotated[
    str | None, typer.Option("--system", "-s", metavar="TEXT", help="A system message.")
]
Param: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter such as temperature=0.2, the value as JSON or text.",
    ),
]
Continue: TypeAlias = Annotated[
    bool, typer.Option("--continue", "-c", help="Continue the last conversation.")
]
Provider: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Which provider answers, as `asyncllm providers` names it.",
        autocompletion=complete_provider,
    ),
]
BaseURL: TypeAlias = Annotated[
    str | None,
    typer.Option("--base-url", metavar="URL", help="Where the provider's server is."),
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="The API key. Other users may see it; `asyncllm keys set` is safer.",
    ),
]
EnvFile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--env-file",
        metavar="PATH",
        help="Read variables from a .env file; those already set stay.",
    ),
]
Proxy: TypeAlias = Annotated[
    str | None,
    typer.Option("--proxy", metavar="URL", help="A proxy, as scheme://user:password@host:port."),
]
