"""What pages have their reader write: the files of a test, and a whole package, installed."""

import os
import re
import shutil
import subprocess
import sys
import venv

import pytest
from page_runner import INSTALLED, ROOT, environment, files

from asyncllm.sandbox import Sandbox
from asyncllm.sandbox.background import running_in_background

pytestmark = pytest.mark.programs

# `pip list` says nothing where pip is told to be quiet, as in CI.
INSTALLED_NAMES = (
    "from importlib.metadata import distributions; print(*(each.name for each in distributions()))"
)


def run(*command, cwd, **variables):
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip


def write(folder, found):
    for name, text in found.items():
        (folder / name).write_text(text, encoding="utf-8")


def installed(done):
    """Look at what pip said; without a package index there is nothing to test."""
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"packages can't be installed here (in CI this fails): {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr


def test_the_tests_of_the_testing_page_pass(tmp_path):
    found = files(ROOT / "docs/testing.md")
    assert list(found) == ["test_ask.py", "test_program.py"]
    write(tmp_path, found)
    settings = ["[pytest]", "asyncio_mode = auto", "asyncio_default_fixture_loop_scope = function"]
    (tmp_path / "pytest.ini").write_text("\n".join(settings))
    done = run(sys.executable, "-m", "pytest", "-q", "-W", "error", cwd=tmp_path)
    assert "5 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_the_package_of_the_tutorial_is_built_installed_and_works(tmp_path):
    found = files(ROOT / "docs/write-a-provider.md")
    assert list(found) == ["pyproject.toml", "acme_llm.py", "acme_lines.py", "test_acme.py"]
    write(tmp_path, found)
    venv.create(tmp_path / ".venv", with_pip=True)
    programs = tmp_path / ".venv/bin"
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    section = (ROOT / "docs/write-a-provider.md").read_text("utf-8").partition("\n## Install it")[2]
    *install, test = re.search(r"```sh\n(.*?)\n```", section, re.DOTALL)[1].splitlines()
    assert (len(install), test) == (2, "pytest")

    commands = " && ".join(install).replace("~/asyncllm", str(ROOT))
    installed(run("bash", "-c", commands, cwd=tmp_path, PATH=path))
    found = run(programs / "python", "-c", INSTALLED_NAMES, cwd=tmp_path).stdout.lower().split()
    assert [name for name in found if name.startswith("asyncllm")] == ["asyncllm-sdk"]

    done = run("bash", "-c", test, cwd=tmp_path, PATH=path, PYTEST_ADDOPTS="-q -W error")
    assert "14 passed" in done.stdout, done.stdout + done.stderr
    done = run(programs / "asyncllm", "providers", cwd=tmp_path)
    assert "acme" in done.stdout
    with running_in_background(Sandbox()) as sandbox:
        variables = environment(sandbox.url) | {"ASYNCLLM_ACME_BASE_URL": sandbox.url}
        done = run("bash", "-c", INSTALLED, cwd=tmp_path, **variables, PATH=path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Hello" in done.stdout


def test_a_python_too_old_is_refused_before_pip_looks_for_versions_of_the_extras(tmp_path):
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "asyncllm", clone / "asyncllm")
    for name in ("README.md", "LICENSE", "hatch_build.py", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    venv.create(tmp_path / ".venv", with_pip=True)
    pip = [tmp_path / ".venv/bin/pip", "install", "--dry-run"]
    installed(run(*pip, "--no-deps", clone, cwd=tmp_path))  # so that the refusal has one cause

    settings = (clone / "pyproject.toml").read_text("utf-8")
    (clone / "pyproject.toml").write_text(settings.replace('">=3.11"', '">=3.99"'), "utf-8")
    refused = run(*pip, f"{clone}[cli]", cwd=tmp_path)
    assert "asyncllm-sdk needs Python >=3.99; this is 3." in refused.stdout + refused.stderr
    assert refused.returncode
    assert "Collecting" not in refused.stdout
