"""The command line: `asyncllm ask`, `asyncllm providers`, `asyncllm sandbox`."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

from asyncllm import registry
from asyncllm import sandbox as sandboxes
from asyncllm.cli import INTERRUPTED
from asyncllm.errors import AsyncLLMError, ConfigurationError, TransportError
from asyncllm.providers.services import SERVICES
from asyncllm.registry import provider_class, provider_classes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

    from asyncllm.base.server import AsyncGeneratorProvider
    from asyncllm.stream.stream import Stream

app = typer.Typer(
    name="asyncllm",
    help="Stream answers from LLM chat providers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_DEFAULT_PROVIDER = "h2o"
_LOCAL_MODEL = "ASYNCLLM_MODEL"
_SANDBOX_TOKENS_PER_SECOND = 40.0  # slow enough to see that it streams
_FAILED, _WRONG_USAGE, _BROKEN_PIPE = 1, 2, 141
_OWN_OPTIONS = {"model", "proxy", "system"}
_NO_PARAMETERS = _OWN_OPTIONS | {"messages", "self", "keep", "extra"}
_PIPED_WIDTH = 400  # a row a line, for grep
# What a terminal obeys: all control characters but line feed and tab. A sequence is harmless once
# its first character is, so that it makes no difference how tokens cut it.
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")}
_SHOWN = {code: f"\\x{code:02x}" for code in _CONTROLS}


@app.command()
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
    messages = [{"role": "user", "content": _prompt(prompt)}]
    params = dict(_name_and_value(text) for text in param or [])
    for name in _NO_PARAMETERS & params.keys():
        hint = f"write --{name}" if name in _OWN_OPTIONS else "it is no parameter for the wire"
        raise typer.BadParameter(f"{name} can't be given by --param: {hint}")

    async def answer() -> None:
        async with _provider(provider, base_url) as chosen:
            stream = chosen.stream(messages, model=model, system=system, proxy=proxy, **params)
            async with stream:
                await _print(stream, stats=stats)

    _run(answer)


@app.command()
def providers() -> None:
    """List the providers."""
    table = Table("name", "wire", "default model", "models", "auth", "base URL", "notes")
    classes = provider_classes()
    for name in [name for name in classes if name not in SERVICES]:
        cls = provider_class(name)
        models, auth = ", ".join(cls.models), "API key" if cls.needs_auth else "none"
        cells = (name, cls.wire, cls.model, models, auth, cls.url, "")
        table.add_row(*(_harmless(cell, sys.stdout) for cell in cells))
    for service in SERVICES.values():
        auth = service.key_variable or "none"
        wire = provider_class(service.name).wire if service.name in classes else "openai"
        table.add_row(service.name, wire, "", "", auth, service.base_url, service.notes)
    for column in table.columns:
        column.overflow = "fold"
    Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(table)


@app.command()
def sandbox(  # noqa: PLR0917 - as above
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes a free port.")] = 3000,
    rtt: Annotated[float, typer.Option(help="Seconds before each answer.")] = 0.0,
    token_rate: Annotated[float | None, typer.Option(help="Tokens per second.")] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens in each answer.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A fault to show, such as Drop:after=3,times=1; see asyncllm.sandbox."),
    ] = None,
) -> None:
    """Serve the built-in sandbox until Ctrl-C: every supported wire, and no model."""
    faults = [_fault(text) for text in fault or []]

    async def serve() -> None:
        running = sandboxes.Sandbox(
            host=host, port=port, rtt=rtt, token_rate=token_rate, tokens=tokens, faults=faults
        )
        try:
            await running.start()
        except (OSError, OverflowError) as error:  # the latter of a number that is no port
            reason = error.strerror if isinstance(error, OSError) else None
            _say(f"asyncllm: {reason or error} (--host, --port)")
            raise typer.Exit(_FAILED) from None
        async with contextlib.aclosing(running):
            typer.echo(running.url)
            _say(f"try: asyncllm ask --provider h2o --base-url {running.url} 'Hello'")
            await asyncio.Event().wait()

    _run(serve)


def _prompt(prompt: str | None) -> str:
    if prompt is None and sys.stdin.isatty():
        raise typer.BadParameter("say what to ask: asyncllm ask 'Hello'")
    return sys.stdin.read() if prompt in (None, "-") else str(prompt)


def _name_and_value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"write it as name=value, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _fault(text: str) -> sandboxes.Fault:
    """Return the fault that `Name:field=value,field=value` describes."""
    name, _, fields = text.partition(":")
    cls = getattr(sandboxes, name, None) if name in sandboxes.__all__ else None
    if not (isinstance(cls, type) and issubclass(cls, sandboxes.Fault)):
        raise typer.BadParameter(f"there is no fault {name!r}; see asyncllm.sandbox")
    try:
        return cls(
            **dict(_name_and_value(field) for field in re.split(r",(?=\w+=)", fields) if field)
        )
    except TypeError:
        known = ", ".join(field.name for field in dataclasses.fields(cls))
        raise typer.BadParameter(f"{name} takes {known}; it was given {fields!r}") from None


@contextlib.asynccontextmanager
async def _provider(
    name: str | None, base_url: str | None
) -> AsyncGenerator[AsyncGeneratorProvider]:
    """Give the provider to ask: the chosen one, or with nothing configured one on the sandbox."""
    variable = f"ASYNCLLM_{_DEFAULT_PROVIDER.upper()}_BASE_URL"
    if not (name or base_url) and os.environ.get(_LOCAL_MODEL):
        name = "llamacpp"
    if name or base_url or os.environ.get(variable):
        given = {} if base_url is None else {"base_url": base_url}
        yield registry.provider(name or _DEFAULT_PROVIDER, **given)
        return
    _say(
        "asyncllm: nothing is configured, so the built-in sandbox answers; "
        f"for a real server give --base-url or set {variable}, for a model of your own "
        f"set {_LOCAL_MODEL} to a GGUF file"
    )
    async with sandboxes.Sandbox(token_rate=_SANDBOX_TOKENS_PER_SECOND) as running:
        yield registry.provider(_DEFAULT_PROVIDER, base_url=running.url)


async def _print(stream: Stream, *, stats: bool) -> None:
    start = time.perf_counter()
    first, pieces = None, 0
    try:
        async for token in stream:
            first = first or time.perf_counter()
            pieces += 1
            sys.stdout.write(_harmless(token, sys.stdout))
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
    _say(
        f"first token {first - start:.3f} s, {tokens} tokens, "
        f"{tokens / max(end - first, 1e-6):.1f} tokens/s, "
        f"ended: {reply.finish_reason or 'failed'}"
    )


def _say(text: str) -> None:
    """Write a line to standard error."""
    typer.echo(_harmless(text, sys.stderr), err=True)


def _harmless(text: str, output: TextIO) -> str:
    """Return `text` as it may be written: for a terminal with nothing in it that it would obey."""
    return text.translate(_SHOWN) if output.isatty() else text


def _run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run `work` to its end, and exit with the status that says how it ended."""
    try:
        with asyncio.Runner() as runner, _woken_by_signals(runner.get_loop()):
            runner.run(work())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has gone, `| head` say; nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_BROKEN_PIPE) from None
    except AsyncLLMError as error:
        hint = ""
        if isinstance(error, TransportError):
            hint = "; is it the right server? --base-url says where it is"
        _say(f"asyncllm: {type(error).__name__}: {error}{hint}")
        status = _WRONG_USAGE if isinstance(error, ConfigurationError) else _FAILED
        raise typer.Exit(status) from None


@contextlib.contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have Ctrl-C wake the loop also where it comes the moment before the loop begins to wait.

    Python handles a signal between two of its instructions. One that comes behind the last of them
    would be handled with the next event, which may never come: here the signal itself is one.
    """
    if sys.platform == "win32":  # its loop does so by itself
        yield
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(0)
        loop.add_reader(ours, ours.recv, 4096)
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(ours)
