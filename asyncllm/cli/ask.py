"""`asyncllm ask`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from asyncllm.cli.text import harmless, say
from asyncllm.cli.values import name_and_value

if TYPE_CHECKING:
    from asyncllm.stream.stream import Stream

_OWN_OPTIONS = {"model", "proxy", "system"}
_NO_PARAMETERS = _OWN_OPTIONS | {"messages", "self", "keep", "extra"}


def ask(  # noqa: PLR0917 - typer's way to declare options
    prompt: Annotated[
        str | None, typer.Argument(help="What to ask; '-' or nothing reads standard input.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Which provider, as `asyncllm providers` names it.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A short name or a full id.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Where the provider's server is.")] = None,
    proxy: Annotated[str | None, typer.Option(help="As scheme://user:password@host:port.")] = None,
    system: Annotated[str | None, typer.Option(help="A system message before the prompt.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(help="A parameter for the wire as name=value, the value as JSON or text."),
    ] = None,
    stats: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--stats", help="Say on standard error how fast it was.")
    ] = False,
) -> None:
    """Stream the answer to standard output."""
    from asyncllm.cli.choosing import Choice, chosen  # noqa: PLC0415 - heavy, as it knows all providers
    from asyncllm.cli.running import run  # noqa: PLC0415

    messages = [{"role": "user", "content": _prompt(prompt)}]
    params = dict(name_and_value(text) for text in param or [])
    for name in _NO_PARAMETERS & params.keys():
        hint = f"write --{name}" if name in _OWN_OPTIONS else "it is no parameter for the wire"
        raise typer.BadParameter(f"{name} can't be given by --param: {hint}")

    async def answer() -> None:
        choice = Choice(model=model or "", provider=provider or "", base_url=base_url or "")
        async with chosen(choice) as found:
            stream = found.provider.stream(
                messages, model=found.model or None, system=system, proxy=proxy, **params
            )
            async with stream:
                await _print(stream, stats=stats)

    run(answer)


def _prompt(prompt: str | None) -> str:
    if prompt is None and sys.stdin.isatty():
        raise typer.BadParameter("say what to ask: asyncllm ask 'Hello'")
    return sys.stdin.read() if prompt in (None, "-") else str(prompt)


async def _print(stream: Stream, *, stats: bool) -> None:
    start = time.perf_counter()
    first, pieces = None, 0
    try:
        async for token in stream:
            first = first or time.perf_counter()
            pieces += 1
            sys.stdout.write(harmless(token, sys.stdout))
            sys.stdout.flush()
    finally:
        if pieces:
            sys.stdout.write("\n")
            sys.stdout.flush()
        if stats:
            _print_stats(stream, start, first or time.perf_counter(), pieces)


def _print_stats(stream: Stream, start: float, first: float, pieces: int) -> None:
    reply, end = stream.reply, time.perf_counter()
    tokens = (reply.usage and reply.usage.completion_tokens) or pieces
    say(
        f"first token {first - start:.3f} s, {tokens} tokens, "
        f"{tokens / max(end - first, 1e-6):.1f} tokens/s, "
        f"ended: {reply.finish_reason or 'failed'}"
    )
