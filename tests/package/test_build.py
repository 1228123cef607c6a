"""The package: two builds give the same bytes, and what is in them is what should be."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKED = [
    name.strip("/") for name in SETTINGS["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
]
LEFT_BY_WORK = shutil.ignore_patterns("__pycache__", "*.pyc", ".*cache")


def clone(folder):
    """Copy what the package is built from, as a clone of the repository has it."""
    for pattern in ("pyproject.toml", "hatch_build.py", *PACKED):
        for path in ROOT.glob(pattern):
            there = folder / path.name
            if path.is_dir():
                shutil.copytree(path, there, ignore=LEFT_BY_WORK)
            else:
                folder.mkdir(exist_ok=True)
                shutil.copy(path, there)
    return folder


def build(folder, *targets, umask=0o022, **variables):
    """Build with the build backend itself; `.ci/run` does so with `python -m build`."""
    out = folder.with_name(f"{folder.name}-dist")
    environment = {name: os.environ[name] for name in os.environ if name != "SOURCE_DATE_EPOCH"}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", out, *targets],
        cwd=folder, env={**environment, **variables}, umask=umask,
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {path.name: path for path in out.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(clone(tmp_path_factory.mktemp("here") / "clone"))


def named(built, ending):
    return next(path for name, path in built.items() if name.endswith(ending))


def test_two_builds_in_other_places_at_other_times_give_the_same_bytes(built, tmp_path):
    elsewhere = clone(tmp_path / "another name")
    for path in elsewhere.rglob("*"):
        os.utime(path, (981_173_106, 981_173_106))
        path.chmod(0o700 if path.is_dir() else 0o600)
    leftover = elsewhere / "asyncllm/__pycache__/errors.cpython-311.pyc"
    leftover.parent.mkdir()
    leftover.write_bytes(b"of some run")
    again = build(elsewhere, umask=0o077, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
    assert len(built) == 2
    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: path.read_bytes() for name, path in built.items()
    }


def test_the_wheel_made_of_the_sdist_is_the_one_made_of_the_clone(built, tmp_path):
    with tarfile.open(named(built, ".tar.gz")) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    (wheel,) = build(unpacked, "-t", "wheel").values()
    assert wheel.read_bytes() == named(built, ".whl").read_bytes()


def test_the_wheel_has_every_file_of_the_package_and_no_other(built):
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "asyncllm").rglob("*.*")}
    files = {name for name in files if "__pycache__" not in name}
    with zipfile.ZipFile(named(built, ".whl")) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert "asyncllm/py.typed" in files
    assert names == files


def test_the_sdist_has_all_that_its_tests_need(built):
    with tarfile.open(named(built, ".tar.gz")) as sdist:
        names = {"/".join(name.split("/")[1:]) for name in sdist.getnames()}
    needed = "CONTRIBUTING.md README.ru.md benchmarks/limits.py scripts/release_notes.py"
    assert set(needed.split()) <= names
    assert {name.split("/")[0] for name in names} >= {"asyncllm", "docs", "examples", "tests"}


def test_every_python_that_is_claimed_is_one_that_the_tests_are_run_with():
    claimed = {
        name.rpartition(" ")[2]
        for name in SETTINGS["project"]["classifiers"]
        if name.startswith("Programming Language :: Python :: 3.")
    }
    run = (ROOT / ".ci/run").read_text("utf-8") if (ROOT / ".ci/run").exists() else ""
    if not run:
        pytest.skip("a package has no .ci/run")
    (tested,) = {line for line in run.splitlines() if line.startswith("for version in 3.11")}
    assert claimed == set(tested.split("in ")[1].split(";")[0].split())
