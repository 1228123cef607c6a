"""How the package is laid out, as far as the contracts of `lint-imports` cannot tell."""

import tomllib

import pytest
from page_runner import ROOT

PACKAGE = ROOT / "asyncllm"
FOLDERS = {path.stem for path in PACKAGE.iterdir() if path.name != "py.typed"}
FOLDERS -= {"__init__", "__pycache__"}


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
