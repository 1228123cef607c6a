"""How the package is laid out, as far as `lint-imports` cannot tell."""

import ast
import re
import tomllib

import pytest
from page_runner import ROOT

PACKAGE = ROOT / "asyncllm"
FOLDERS = {path.stem for path in PACKAGE.iterdir() if path.name != "py.typed"}
FOLDERS -= {"__init__", "__pycache__"}
MODULES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")
}


@pytest.mark.parametrize(
    ("contract", "side", "others"),
    [
        ("Only http, the error base and the sandbox know aiohttp", "source", "errors http sandbox"),
        ("The sandbox is an independent reading of the wires", "forbidden", "sandbox"),
    ],
)
def test_a_contract_for_all_folders_but_some_names_each_of_the_rest(contract, side, others):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    found = next(each for each in settings["contracts"] if each["name"] == contract)
    rest = sorted(f"asyncllm.{name}" for name in FOLDERS - {*others.split()})
    assert sorted(found[f"{side}_modules"]) == rest


def test_no_module_has_more_than_300_lines_and_no_class_more_than_200():
    modules = {name: len(text.splitlines()) for name, text in MODULES.items()}
    classes = {
        f"{name}: {node.name}": node.end_lineno - node.lineno + 1
        for name, text in MODULES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
    }
    assert len(classes) > len(modules) > 100
    assert {name: lines for name, lines in modules.items() if lines > 300} == {}
    assert {name: lines for name, lines in classes.items() if lines > 200} == {}


def test_every_file_and_folder_that_the_page_of_the_architecture_names_is_there():
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    named = set(re.findall(r"`([\w/.]+(?:/|\.py|\.md))`", text))
    lost = {name for name in named if not any((top / name).exists() for top in (PACKAGE, ROOT))}
    assert (lost, len(named) > 40) == (set(), True)
