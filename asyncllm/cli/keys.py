"""`asyncllm keys`: API keys that are kept in a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from asyncllm.cli.completing import complete_provider, complete_stored_key
from asyncllm.cli.group import group
from asyncllm.cli.text import say

if TYPE_CHECKING:
    from asyncllm.errors import ConfigurationError

_LONG = 20  # characters of a key of which the last four tell nobody anything
_SHOWN = 4

commands = group(
    "Keep API keys in a file that only you can read. Keys in the environment come first."
)


@commands.command(
    "set", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def set_key(
    context: typer.Context,
    provider: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER",
            help="The provider, as `asyncllm providers` names it.",
            autocompletion=complete_provider,
        ),
    ],
) -> None:
    """Keep the key of a provider; you are asked for it, or pipe it in."""
    from asyncllm.cli.keys_file import keys_path, store_key  # noqa: PLC0415 - as all of these are
    from asyncllm.cli.running import ending_well  # noqa: PLC0415 - heavy

    with ending_well():
        name, variable = _checked_name(provider)
        if context.args:
            raise _refused(
                "a key is not typed as an argument, as other programs and your shell's history "
                f"would see it: type asyncllm keys set {name}, and paste the key when asked"
            )
        store_key(name, _read_key(name))
        say(f"asyncllm: the key of {name} is in {keys_path()}")
        if variable:
            say(f"asyncllm: {variable} is set and comes first: unset it to use the key in the file")


@commands.command("list")
def list_keys() -> None:
    """List the keys, each with its last characters and its place."""
    from asyncllm.cli.keys_file import found_keys, stored_keys  # noqa: PLC0415
    from asyncllm.cli.running import ending_well  # noqa: PLC0415
    from asyncllm.cli.tables import print_table  # noqa: PLC0415

    with ending_well():
        stored, found = stored_keys(), found_keys()
        rows = [
            (
                name,
                _masked(key.value),
                f"environment variable {key.variable}" if key.variable else "keys file",
            )
            for name, key in found.items()
        ]
        for name, key in stored.items():
            if name not in found or found[name].variable:
                reason = "the environment comes first" if name in found else "no such provider"
                rows.append((name, _masked(key), f"keys file; not used: {reason}"))
        if rows:
            print_table(("provider", "key", "from"), rows)
        else:
            say("asyncllm: there are no keys; to keep one, type: asyncllm keys set PROVIDER")


@commands.command("remove")
def remove(
    provider: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER", help="The provider.", autocompletion=complete_stored_key
        ),
    ],
) -> None:
    """Take the key of a provider out of the file."""
    from asyncllm.cli.keys_file import remove_key, stored_keys  # noqa: PLC0415
    from asyncllm.cli.running import ending_well  # noqa: PLC0415
    from asyncllm.hints import nearest_match  # noqa: PLC0415

    with ending_well():
        if not remove_key(provider):
            hint = nearest_match(provider, stored_keys())
            raise _refused(f"the keys file has no key of {provider!r}{hint}")


@commands.command("path")
def path() -> None:
    """Print where the file is."""
    from asyncllm.cli.keys_file import keys_path  # noqa: PLC0415
    from asyncllm.cli.running import ending_well  # noqa: PLC0415

    with ending_well():
        typer.echo(keys_path())


def _checked_name(written: str) -> tuple[str, str]:
    """Return the name of a provider that takes a key, and the variable that holds one already.

    Raises:
        ConfigurationError: there is no such provider, or it takes no key.

    """
    import os  # noqa: PLC0415

    from asyncllm.registry import key_variables, provider_class  # noqa: PLC0415

    name, known = written.lower(), key_variables()
    if name not in known:
        provider_class(written)  # which says what there is
    if not known[name]:
        raise _refused(f"{name} takes no key")
    return name, next((each for each in known[name] if os.environ.get(each)), "")


def _read_key(name: str) -> str:
    """Return the key that is typed and not shown, or comes through a pipe.

    Raises:
        ConfigurationError: nothing is given, or it can't be a key.

    """
    if sys.stdin.isatty():
        import getpass  # noqa: PLC0415 - seldom needed

        try:
            given = getpass.getpass(f"Key of {name} (it is not shown): ")
        except EOFError:
            given = ""
    else:
        given = sys.stdin.read()
    key = given.strip()
    if not key:
        raise _refused("no key was given, and nothing was changed")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise _refused("this is no key: a key is one word of plain characters")
    return key


def _masked(key: str) -> str:
    return f"…{key[-_SHOWN:]}" if len(key) >= _LONG else "…"


def _refused(text: str) -> ConfigurationError:
    from asyncllm.cli.home import refused  # noqa: PLC0415

    return refused(text)
