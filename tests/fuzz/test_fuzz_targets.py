"""The fuzz targets on a corpus of their own, and on what atheris makes of it in some seconds."""

import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fuzz.fuzz_wires import SEEDS, TARGETS, WORDS, fuzz

TARGET = Path(__file__).with_name("fuzz_wires.py")
SEED = 20_230_701


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
@pytest.mark.parametrize("body", SEEDS, ids=range(len(SEEDS)))
def test_seeds_in_any_chunks_give_the_same_items_or_an_error_of_ours(target, body):
    for cut in range(20):
        target(body, random.Random(cut))


def test_seeds_with_random_changes_give_items_or_an_error_of_ours():
    dice = random.Random(SEED)
    for number in range(4000):
        body = bytearray(dice.choice(SEEDS)[:2000])
        for _ in range(dice.randrange(1, 6)):
            start = dice.randrange(len(body) + 1)
            end = start + dice.choice((0, 0, 1, 5, 50))
            new = dice.choice((dice.choice(WORDS).encode(), dice.randbytes(2), b"", body[:start]))
            body[start:end] = new
        fuzz(bytes([number % 4]) + dice.randbytes(2) + body)


@pytest.mark.skipif(find_spec("atheris") is None, reason="needs atheris: pip install atheris")
def test_five_seconds_of_coverage_guided_fuzzing_find_nothing(tmp_path):
    found = subprocess.run(
        [sys.executable, TARGET, "-max_total_time=5", f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=100,
    )
    assert found.returncode == 0, found.stderr[-3000:]
