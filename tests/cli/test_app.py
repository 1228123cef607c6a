"""What all commands have in common: which one is meant, how they end, and what they need."""

import subprocess
import sys

import pytest

from asyncllm import ConfigurationError, TransportError
from asyncllm.cli.running import described
from support.command_line import run


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("provider",), "there is no command 'provider': did you mean 'providers'?"),
        (("--nonsense",), "nonsense"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(arguments, says, cli):
    done = cli(*arguments)
    assert (done.status, done.out) == (2, "")
    assert says in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [("Hello", "there"), ("-m", "sandbox", "Hello there"), ("ask", "Hello there")]
)
def test_what_is_no_command_is_asked(arguments, cli):
    done = cli(*arguments)
    assert done.status == 0
    assert "You wrote: “Hello there”" in done.out


@pytest.mark.parametrize("words", [(), ("ask",), ("keys",)])
def test_help_is_what_it_says(words, cli):
    done = cli("help", *words)
    assert done == cli(*words, "--help")
    assert done.out.startswith(" ".join(["Usage: asyncllm", *words]))


def test_help_with_something_is_asked(cli):
    assert "You wrote: “help me”" in cli("help", "me").out


def test_a_word_that_nearly_is_a_command_can_be_asked_all_the_same(cli):
    assert "You wrote: “provider”" in cli("ask", "provider").out


def test_without_its_extra_the_command_line_says_what_to_install(tmp_path):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(name='typer')")
    done = run("providers", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "pip install 'asyncllm-sdk[cli]'" in done.stderr


# A thread that takes the signal leaves the main thread asleep, as one that comes just before it
# falls asleep does.
TAKEN_BY_A_THREAD = """
import asyncio, signal, sys, threading
from asyncllm.cli import running

def take():
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

async def wait():
    asyncio.get_running_loop().call_soon(threading.Timer(0.1, take).start)
    await asyncio.Event().wait()

try:
    running.run(wait)
except running.typer.Exit as ended:
    sys.exit(ended.exit_code)
"""


def test_ctrl_c_is_heard_though_it_comes_when_nothing_else_happens():
    done = subprocess.run([sys.executable, "-c", TAKEN_BY_A_THREAD], timeout=60, check=False)
    assert done.returncode == 130


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConfigurationError("give base_url=…, or api_key="), "give --base-url …, or --key "),
        (ConfigurationError("my_model=x is no model=y"), "my_model=x is no model=y"),
        (TransportError("gone"), "TransportError: gone; is it the right server? --base-url says"),
    ],
)
def test_an_error_is_told_in_the_words_of_the_command_line(error, says):
    assert described(error).startswith(says)
