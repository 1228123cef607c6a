"""The fuzz targets on a corpus of their own, and on what atheris makes of it in some seconds."""

import os
import random
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from fuzz.fuzz_wires import SEEDS, TARGETS, WORDS, fuzz
from proxies.launcher import unavailable

pytestmark = pytest.mark.no_cover  # what is drawn by chance

TARGET = Path(__file__).with_name("fuzz_wires.py")
PROJECT = Path(__file__).parents[2] / "pyproject.toml"
SEED = 20_230_701
_INSTALL_SECONDS = 60


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
@pytest.mark.parametrize("body", SEEDS, ids=range(len(SEEDS)))
def test_seeds_in_any_chunks_give_the_same_items_or_an_error_of_ours(target, body):
    for cut in range(20):
        target(body, random.Random(cut))


def test_seeds_with_random_changes_give_items_or_an_error_of_ours():
    dice = random.Random(SEED)
    for number in range(1500):
        body = bytearray(dice.choice(SEEDS)[:2000])
        for _ in range(dice.randrange(1, 6)):
            start = dice.randrange(len(body) + 1)
            end = start + dice.choice((0, 0, 1, 5, 50))
            new = dice.choice((dice.choice(WORDS).encode(), dice.randbytes(2), b"", body[:start]))
            body[start:end] = new
        fuzz(bytes([number % 4]) + dice.randbytes(2) + body)


@pytest.fixture
def where_atheris_is(tmp_path):
    """Return the folders to import from, with atheris in one of its own where it is missing."""
    folders = [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    if find_spec("atheris") is None:
        _install(tmp_path / "atheris")
        folders.append(str(tmp_path / "atheris"))
    return os.pathsep.join(folders)


def _install(folder):
    """Install into `folder` what the extra `fuzz` asks for."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = project["optional-dependencies"]["fuzz"]
    pip = [sys.executable, "-m", "pip", "install", "--only-binary", ":all:", "--target", folder]
    try:
        done = subprocess.run(
            [*pip, *wanted], capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        unavailable(f"atheris is not installed: {error}")
    if done.returncode:
        said = done.stderr.strip() or "pip failed"
        unavailable(f"atheris is not installed: {said.splitlines()[-1]}")


@pytest.mark.programs
def test_five_seconds_of_coverage_guided_fuzzing_find_nothing(tmp_path, where_atheris_is):
    # What coverage would make of the watched code is slow, and nobody's concern.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
    found = subprocess.run(
        [sys.executable, TARGET, "-max_total_time=5", f"-artifact_prefix={tmp_path}/"],
        env={**environment, "PYTHONPATH": where_atheris_is},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=50,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    runs = re.search(r"Done (\d+) runs", found.stderr)
    assert runs is not None
    assert int(runs[1]) > len(SEEDS) * len(TARGETS)
