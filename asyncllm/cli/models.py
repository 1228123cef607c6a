"""`asyncllm models`."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from asyncllm.cli.completing import complete_provider, models_path, read_silently
from asyncllm.cli.text import say

if TYPE_CHECKING:
    from asyncllm.base.server import AsyncGeneratorProvider

_SECONDS = 10.0


class _Models(NamedTuple):
    """The models of a provider, and the one that answers where none is named."""

    ids: list[str]
    default: str


def models(
    provider: Annotated[
        str | None,
        typer.Argument(
            metavar="PROVIDER",
            help="The provider; without it, each that you have a key for.",
            autocompletion=complete_provider,
        ),
    ] = None,
    *,
    base_url: Annotated[
        str | None,
        typer.Option("--base-url", metavar="URL", help="Where the provider's server is."),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option("--seconds", metavar="SECONDS", help="How long to wait for each provider."),
    ] = _SECONDS,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the models that you can ask, as you type them after -m."""
    from asyncllm.cli.running import FAILED, run  # noqa: PLC0415 - heavy

    if base_url and not provider:
        raise typer.BadParameter(
            "say which provider is there, such as: asyncllm models openai-compatible --base-url …"
        )
    if seconds <= 0:
        raise typer.BadParameter("write --seconds with a number above 0")

    async def ask() -> None:
        found = await _listed(_asked(provider, base_url), seconds)
        if not found:
            raise typer.Exit(FAILED)
        if not base_url:
            _remember(found)
        _print(found, as_json=as_json)

    run(ask)


def _asked(name: str | None, base_url: str | None) -> dict[str, AsyncGeneratorProvider]:
    """Return who is asked, by their names.

    Raises:
        ConfigurationError: there is no such provider, or nobody to be asked.

    """
    from asyncllm.cli.home import refused  # noqa: PLC0415 - as all of these are
    from asyncllm.cli.keys_file import found_keys  # noqa: PLC0415 - heavy
    from asyncllm.cli.known import addressed_providers, configured_providers  # noqa: PLC0415
    from asyncllm.errors import ConfigurationError  # noqa: PLC0415

    if name:
        return {name.lower(): _provider(name.lower(), base_url)}
    names = dict.fromkeys((*configured_providers(), *found_keys()) or addressed_providers())
    if not names:
        raise refused(
            "you have no key for any provider. To keep one, type: asyncllm keys set PROVIDER. "
            "To ask a provider that needs none, name it: asyncllm models ollama"
        )
    asked: dict[str, AsyncGeneratorProvider] = {}
    for each in names:
        try:
            asked[each] = _provider(each, None)
        except ConfigurationError as error:
            say(f"asyncllm: {each}: {error}")
    return asked


def _provider(name: str, base_url: str | None) -> AsyncGeneratorProvider:
    """Return a provider with its key, wherever that is.

    Raises:
        ConfigurationError: there is no such provider, it has no key, or an option can't be used.

    """
    from asyncllm.cli.choosing import with_key  # noqa: PLC0415
    from asyncllm.cli.home import refused  # noqa: PLC0415
    from asyncllm.cli.known import OPENAI_COMPATIBLE  # noqa: PLC0415
    from asyncllm.providers.openai import OpenAICompatible  # noqa: PLC0415

    if name == OPENAI_COMPATIBLE:
        if not base_url:
            raise refused(f"say where it is: asyncllm models {name} --base-url URL")
        return OpenAICompatible(base_url=base_url)
    return with_key(name, base_url=base_url)


async def _listed(asked: dict[str, AsyncGeneratorProvider], seconds: float) -> dict[str, _Models]:
    """Return the models of each provider; of one that fails a line on standard error says why."""
    import asyncio  # noqa: PLC0415 - heavy

    from asyncllm.errors import AsyncLLMError  # noqa: PLC0415

    found: dict[str, _Models] = {}

    async def ask(name: str, one: AsyncGeneratorProvider) -> None:
        try:
            async with asyncio.timeout(seconds):
                listed = await one.list_models()
        except TimeoutError:
            say(f"asyncllm: {name} did not answer within {seconds:g} s; --seconds gives it longer")
        except AsyncLLMError as error:
            say(f"asyncllm: {name}: {type(error).__name__}: {error}")
        else:
            found[name] = _Models(listed, _default(name, one, listed))

    async with asyncio.TaskGroup() as group:
        for name, one in asked.items():
            group.create_task(ask(name, one))
    return {name: found[name] for name in asked if name in found}


def _default(name: str, one: AsyncGeneratorProvider, listed: list[str]) -> str:
    """Return the model that answers where none is named."""
    from asyncllm.cli.known import DEFAULT_MODELS, first_chat_model  # noqa: PLC0415

    usual = one.model or DEFAULT_MODELS.get(name, "")
    return usual if usual in listed else first_chat_model(listed)


def _remember(found: dict[str, _Models]) -> None:
    """Keep what was listed for the shell's completion; where that can't be, do without."""
    from asyncllm.cli.home import locked, replace_private  # noqa: PLC0415
    from asyncllm.errors import ConfigurationError  # noqa: PLC0415

    path = models_path()
    with contextlib.suppress(ConfigurationError), locked(path):
        known = {**read_silently(path), **{name: each.ids for name, each in found.items()}}
        replace_private(path, json.dumps(known).encode())


def _print(found: dict[str, _Models], *, as_json: bool) -> None:
    from asyncllm.cli.tables import print_table  # noqa: PLC0415

    rows = [
        (name, model, model == each.default) for name, each in found.items() for model in each.ids
    ]
    if as_json:
        keys = ("provider", "model", "default")
        sys.stdout.write(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
        sys.stdout.write("\n")
    elif sys.stdout.isatty():
        marked = [
            (f"{name}/{model}", "default" if is_default else "") for name, model, is_default in rows
        ]
        print_table(("model", ""), marked)
    else:
        print_table((), [(f"{name}/{model}",) for name, model, _ in rows])
