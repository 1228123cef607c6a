"""`asyncllm providers`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

_NOTHING = "-"
_GONE = "its public server no longer responds"
_ABOUT = {
    "chatui": "a chat-ui server of today",
    "h2o": "the chat-ui server of 2023, such as H2O's; set ASYNCLLM_H2O_BASE_URL",
    "llamacpp": "a GGUF file, in this process",
    "gravityengine": _GONE,
    "openai-responses": "OpenAI by its Responses API",
    "azure": "OpenAI's models at Azure; set AZURE_OPENAI_ENDPOINT",
    "ollama": "local: ollama serve",
    "lockchat": _GONE,
    "tgi": "a text-generation-inference server; set ASYNCLLM_TGI_BASE_URL",
}


@dataclass(frozen=True)
class _Row:
    """What is told of a provider.

    Attributes:
        name: what `--provider` and `-m` take.
        needs_key: whether its own server answers nobody without a key.
        key_variables: the environment variables that its key is taken from, the first one first.
        key_found: the one that holds its key, or "keys file"; "" where it has no key.
        format: what its API is called.
        base_url: where it is.
        default_model: the model that answers where none is named; "" where the server decides.
        models: short names of models.
        about: what else is worth knowing.

    """

    name: str
    needs_key: bool
    key_variables: tuple[str, ...]
    key_found: str
    format: str
    base_url: str
    default_model: str
    models: tuple[str, ...]
    about: str

    @property
    def usual_variable(self) -> str:
        """The variable that people know its key by, in brackets where it needs none."""
        _, *customary = self.key_variables or ("",)
        name = customary[0] if customary else ""
        if self.needs_key:
            return name or self.key_variables[0]
        return f"({name})" if name else "none"


def providers(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print them as JSON, with all that is known of each.")
    ] = False,
) -> None:
    """List the providers; a star marks those that you have a key for."""
    from asyncllm.cli.running import ending_well  # noqa: PLC0415 - heavy, as all of these are

    with ending_well():
        rows = _rows()
        if as_json:
            sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
        else:
            _print(rows)


def _print(rows: list[_Row]) -> None:
    from asyncllm.cli.tables import print_table  # noqa: PLC0415 - as above

    if not sys.stdout.isatty():
        heads = "provider", "key", "found", "format", "address", "default", "models", "about"
        print_table(heads, [tuple(cell or _NOTHING for cell in _all_cells(row)) for row in rows])
        return
    columns = _for_a_terminal(rows)
    print_table([*columns], [*zip(*columns.values(), strict=True)])
    sys.stdout.write("\nA star: you have a key for it. To keep one: asyncllm keys set NAME\n")


def _all_cells(row: _Row) -> tuple[str, ...]:
    models = ", ".join(row.models)
    key = row.usual_variable, row.key_found
    return (row.name, *key, row.format, row.base_url, row.default_model, models, row.about)


def _for_a_terminal(rows: list[_Row]) -> dict[str, list[str]]:
    """Return the columns that a terminal has room for, by their heads."""
    import shutil  # noqa: PLC0415 - as above

    from asyncllm.cli.tables import GAP, LEAST_OF_LAST, width_of  # noqa: PLC0415

    columns = {
        "  provider": [f"{'*' if row.key_found else ' '} {row.name}" for row in rows],
        "key": [row.usual_variable for row in rows],
    }
    room = shutil.get_terminal_size().columns - LEAST_OF_LAST
    for more in (
        {"format": [row.format for row in rows], "address": [row.base_url for row in rows]},
        {
            "default": [row.default_model for row in rows],
            "models": [", ".join(row.models) for row in rows],
        },
    ):
        wider = {**columns, **more}
        widths = [max(map(width_of, (head, *cells))) for head, cells in wider.items()]
        if sum(widths) + len(GAP) * len(widths) <= room:
            columns = wider
    return {**columns, "about": [row.about for row in rows]}


def _rows() -> list[_Row]:
    """Return what is told of each: first those with a key, last those that nobody runs any more."""
    from asyncllm.cli.keys_file import stored_keys  # noqa: PLC0415
    from asyncllm.cli.known import VARIANTS  # noqa: PLC0415
    from asyncllm.registry import key_variables, provider_classes  # noqa: PLC0415

    stored, classes = stored_keys(), provider_classes()
    rows: list[_Row] = []
    for name, variables in key_variables().items():
        found = next(filter(os.environ.get, variables), "")
        if not found and variables and not stored.keys().isdisjoint({name, VARIANTS.get(name)}):
            found = "keys file"
        rows.append(_row(name, variables, found, has_class=name in classes))
    return sorted(rows, key=lambda row: (not row.key_found, not row.needs_key, row.about == _GONE))


def _row(name: str, variables: tuple[str, ...], found: str, *, has_class: bool) -> _Row:
    from asyncllm.cli.known import DEFAULT_MODELS  # noqa: PLC0415
    from asyncllm.errors import ConfigurationError  # noqa: PLC0415
    from asyncllm.providers.services import SERVICES  # noqa: PLC0415
    from asyncllm.registry import provider_class  # noqa: PLC0415

    service = SERVICES.get(name)
    about = _ABOUT.get(name) or (service.notes if service else "")
    wire, model, models, url, needs_key = "openai", "", tuple[str, ...](), "", False
    if service:
        url, needs_key = service.base_url, service.needs_auth
    if has_class:
        try:
            cls = provider_class(name)
        except (ConfigurationError, ImportError) as error:  # of somebody else's package
            about = f"it can't be used: {error}"
        else:
            wire, model, models = cls.wire, cls.model, tuple(cls.models)
            url, needs_key = cls.url, cls.needs_auth
    model = model or DEFAULT_MODELS.get(name, "")
    return _Row(name, needs_key, variables, found, wire, url, model, models, about)
