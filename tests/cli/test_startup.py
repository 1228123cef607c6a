"""What `asyncllm` costs before it does anything: hardly more than typer."""

import os
import resource
import subprocess
import sys

import pytest

ENTRY = "from asyncllm.__main__ import main; main()"  # what the script `asyncllm` runs
SAYING_MODULES = """
import atexit, sys
atexit.register(lambda: print(*filter(sys.modules.get, sys.modules), file=sys.stderr))
"""
HEAVY = {
    "aiohttp", "asyncio", "prompt_toolkit", "pydantic", "rich", "sqlite3", "ssl",
    "asyncllm.errors", "asyncllm.registry", "asyncllm.sandbox",
}  # fmt: skip

WAYS = {
    "--version": (["--version"], {}),
    "--help": (["--help"], {}),
    "ask --help": (["ask", "--help"], {}),
    "chat --help": (["chat", "--help"], {}),
    "logs --help": (["logs", "--help"], {}),
    "a command in bash": ([], {"COMP_WORDS": "asyncllm\nlo", "COMP_CWORD": "1"}),
    "an option in bash": ([], {"COMP_WORDS": "asyncllm\nask\n--", "COMP_CWORD": "2"}),
    "a provider in bash": ([], {"COMP_WORDS": "asyncllm\nkeys\nset\nop", "COMP_CWORD": "3"}),
    "an option in zsh": ([], {"_TYPER_COMPLETE_ARGS": "asyncllm ask --"}),
}


def environment(variables):
    shell = "bash" if "COMP_WORDS" in variables else "zsh"
    wanted = {"_ASYNCLLM_COMPLETE": f"complete_{shell}"} if variables else {}
    return {**os.environ, **variables, **wanted}


def modules(code, arguments=(), variables=None):
    done = subprocess.run(
        [sys.executable, "-c", SAYING_MODULES + code, *arguments],
        env=environment(variables or {}), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert variables is None or done.stdout.strip()
    return set(done.stderr.split())


@pytest.fixture(scope="module")
def modules_of_typer():
    return modules("import typer")


@pytest.mark.parametrize("way", WAYS)
def test_nothing_heavy_is_imported_and_not_much_besides_typer(way, modules_of_typer):
    imported = modules(ENTRY, *WAYS[way])
    assert not imported & HEAVY
    assert len(imported) <= 1.5 * len(modules_of_typer)


def seconds(code, arguments, variables):
    """Return how long the processor was at work for a run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(variables), stdout=subprocess.DEVNULL, timeout=60, check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.reliability
def test_it_starts_in_at_most_one_and_a_half_times_what_typer_takes():
    runs = {"typer": ("import typer", [], {})}
    runs |= {way: (ENTRY, *WAYS[way]) for way in WAYS}
    took = {name: [] for name in runs}
    for turn in range(40):  # by turns, so that what else the machine does is the same for all
        for name, run in runs.items():
            took[name].append(seconds(*run))
        least = {name: min(each) for name, each in took.items()}
        slow = {name: each / least["typer"] for name, each in least.items()}
        if turn >= 5 and max(slow.values()) <= 1.5:
            break
    assert max(slow.values()) <= 1.5, slow
