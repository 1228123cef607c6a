"""Tables and drawings of the pages, compared with what they describe, both ways."""

import ast
import dataclasses
import re
import runpy

import pytest
from page_runner import ROOT

import asyncllm
import asyncllm.sandbox
from asyncllm import AsyncLLMError
from asyncllm.providers.services import SERVICES
from asyncllm.registry import provider_classes
from asyncllm.sandbox import Fault

DOCS = ROOT / "docs"
TABLES = runpy.run_path(str(DOCS / "provider_tables.py"))
DIAGRAMS = runpy.run_path(str(DOCS / "diagrams.py"))
ERRORS = {
    name
    for name in asyncllm.__all__
    if isinstance(getattr(asyncllm, name), type) and issubclass(getattr(asyncllm, name), Exception)
}
FAULTS = {
    name: getattr(asyncllm.sandbox, name)
    for name in asyncllm.sandbox.__all__
    if name not in {"Fault", "Request", "Sandbox"}
}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
MODELS = {
    asyncllm.Gemini: "gemini-2.5-flash",
    asyncllm.ChatUI: "sandbox/small",
    asyncllm.Cohere: "command-a-reasoning-08-2025",
    asyncllm.Ollama: "qwen3",
}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def rows(text):
    """Return the cells of every table in a piece of Markdown, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = {n for n, row in enumerate(cells) if set("".join(row)) <= set("-: ")}
    heads = {n - 1 for n in rules}
    return [row for n, row in enumerate(cells) if n not in rules | heads]


# --- providers ---------------------------------------------------------------------------


def test_the_tables_of_providers_are_those_of_the_code():
    text = page("providers.md")
    assert TABLES["written"](text) == text, "run: python docs/provider_tables.py"


def test_every_provider_class_has_a_row():
    classes = {
        cls
        for cls in map(asyncllm.__getattr__, asyncllm.__all__)
        if isinstance(cls, type) and issubclass(cls, asyncllm.AsyncGeneratorProvider) and cls.wire
    }
    assert set(TABLES["PROVIDERS"]) == classes


# --- errors ------------------------------------------------------------------------------


def test_every_public_error_has_a_row_and_every_row_an_error():
    table = [row[0].strip("`") for row in rows(page("errors.md"))]
    assert set(table) == ERRORS - {"AsyncLLMError"}
    assert len(table) == len(set(table))


def test_the_tree_of_errors_is_the_real_one():
    tree = re.search(r"^```\n(AsyncLLMError.*?)^```$", page("errors.md"), re.MULTILINE | re.DOTALL)[
        1
    ]
    parents, path = {}, []
    for line in tree.splitlines():
        drawn, name, other = re.match(r"([│├└─ ]*)(\w+)(?:\s+also an? (\S+))?$", line).groups()
        path[len(drawn) // 4 :] = [name]
        parents[name] = path[-2] if len(path) > 1 else None
        others = {f"{base.__module__}.{base.__qualname__}": base
                  for base in getattr(asyncllm, name).__bases__}  # fmt: skip
        ours = {key for key, base in others.items() if issubclass(base, AsyncLLMError)}
        foreign = {key.removeprefix("builtins.").replace("client_exceptions.", "")
                   for key in others.keys() - ours} - {"Exception"}  # fmt: skip
        assert foreign == ({other} if other else set()), name
    assert parents.keys() == ERRORS
    for name, parent in parents.items():
        bases = {base.__name__ for base in getattr(asyncllm, name).__bases__}
        assert parent in bases if parent else name == "AsyncLLMError"


# --- the comparison ----------------------------------------------------------------------


def measured(kind):
    """Return a table of what was measured, by who was measured."""
    text = page("performance.md").partition(f"<!-- results: {kind} -->")[2].partition("<!--")[0]
    return {row[0]: row[1:] for row in rows(text)} or text


def test_the_costs_in_the_comparison_are_those_that_were_measured():
    table = rows(page("comparison.md").partition("\n## What it costs\n")[2].partition("\n## ")[0])
    assert len(table) > 3
    for name, *figures in table:
        library = name.split(" ")[0]
        assert name == library or f" {name}," in measured("origin")
        assert figures == measured("cpu")[library] + measured("streams")[library]


def test_a_token_costs_the_part_that_the_front_pages_say():
    ours, theirs = (
        [float(figure.removesuffix(" µs")) for figure in measured("cpu")[name]]
        for name in ("asyncllm", "openai")
    )
    http, https = (mine / other for mine, other in zip(ours, theirs, strict=True))
    assert http < 0.12
    assert https < 0.22


def test_the_comparison_knows_how_many_names_there_are():
    names = {*provider_classes(), *SERVICES}
    assert f"asyncllm knows {len(names)}," in page("comparison.md")


# --- the glossary ------------------------------------------------------------------------


def test_the_glossary_is_in_alphabetical_order():
    terms = re.findall(r"^\*\*(.+?)\.\*\*", page("glossary.md"), re.MULTILINE)
    assert len(terms) > 30
    assert terms == sorted(terms, key=str.lower)


# --- the sandbox -------------------------------------------------------------------------


def test_every_fault_has_a_row_and_takes_what_its_row_says():
    found = [re.match(r"`(\w+)\((.*)\)`$", row[0]) for row in rows(page("testing.md"))]
    assert {match[1] for match in found} == FAULTS.keys()
    for match in found:
        cls = FAULTS[match[1]]
        fields = {field.name for field in dataclasses.fields(cls)}
        given = set(re.findall(r"(\w+)=", match[2]))
        assert given <= fields, match[0]
        own = {name for name in cls.__annotations__ if name not in {"_", "times"}}
        assert own <= given, f"{match[1]} also takes {own - given}"


def test_the_reference_has_every_public_name():
    text = page("api.md")
    documented = re.findall(r"^\.\. (?:auto\w+|py:data):: ([\w.]+)", text, re.MULTILINE)
    names = {name.rpartition(".")[2] for name in documented}
    assert set(asyncllm.__all__) <= names
    assert set(asyncllm.sandbox.__all__) <= names
    assert issubclass(FAULTS["Drop"], Fault)


# --- the rooms ---------------------------------------------------------------------------


def test_every_room_is_in_the_table_of_the_contributors_and_no_other():
    table = rows((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    named = [name.strip("`/") for row in table for name in row[0].split(", ")]
    rooms = {path.name for path in (ROOT / "asyncllm").iterdir()}
    assert sorted(named) == sorted(rooms - {"__init__.py", "__pycache__", "py.typed"})


# --- drawings ----------------------------------------------------------------------------


def test_the_drawn_diagrams_are_those_of_their_script():
    drawings = DIAGRAMS["DRAWINGS"]
    files = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "diagrams").iterdir()}
    assert files == {name: draw().svg() for name, draw in drawings.items()}, (
        "run: python docs/diagrams.py"
    )


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("import asyncllm.http", ["asyncllm.http"]),
        ("import asyncllm.http.http as h", ["asyncllm.http.http"]),
        ("from asyncllm import registry, sandbox as s", ["asyncllm.registry", "asyncllm.sandbox"]),
        ("from asyncllm.errors import let_go", ["asyncllm.errors.let_go"]),
    ],
)
def test_the_picture_of_the_layers_knows_every_way_to_import(line, names):
    assert DIAGRAMS["_imported"](ast.parse(line).body[0]) == names


def test_the_picture_of_the_layers_shows_what_the_command_line_imports():
    shown = DIAGRAMS["_imports_by_folder"]()["cli"]
    assert shown >= {"errors", "providers", "registry", "sandbox"}
