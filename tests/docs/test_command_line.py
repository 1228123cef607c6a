"""The commands, their help, docs/cli.md and what shells offer say the same."""

import os
import re
import runpy
import subprocess
import sys

import pytest
from page_runner import ROOT
from typer.main import get_command
from typer.testing import CliRunner

from asyncllm.cli.app import app

TABLES = runpy.run_path(str(ROOT / "docs" / "cli_tables.py"))
COMMANDS = TABLES["commands"]()
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
NAMES = ["", *COMMANDS]
SHELLS = ("bash", "zsh", "fish", "powershell")


def command(name):
    return COMMANDS[name] if name else get_command(app)


def one_line(text):
    return " ".join(text.split())


def options(name):
    """Return the long names of a command's options."""
    return {each for param in command(name).params for each in param.opts if each[:2] == "--"}


# --- the page -----------------------------------------------------------------------------------


def test_the_tables_of_the_page_are_those_of_the_commands():
    assert TABLES["written"](PAGE) == PAGE, "run: python docs/cli_tables.py"


def test_every_command_has_a_section_with_its_table_and_there_is_no_other():
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    found = {name: TABLES["places"](text) for text in sections
             if (name := text.partition("\n")[0]).startswith("asyncllm ")}  # fmt: skip
    top = [name for name in COMMANDS if " " not in name]
    assert found == {f"asyncllm {name}": [name] for name in top}
    assert "asyncllm" in TABLES["places"](PAGE)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_every_command_argument_and_option_with_what_its_help_says(name):
    for param in command(name).params:
        row = re.escape(", ".join(f"`{each}`" for each in TABLES["names_of"](param)))
        meaning = re.escape(TABLES["meaning"](param).replace("|", r"\|"))
        of = re.escape(f"| `{name.split()[1]}` ") if " " in name else ""
        assert re.search(rf"^{of}\| {row} \| {meaning} \|$", PAGE, re.MULTILINE)
    if name:
        assert f"| {TABLES['said'](command(name))} |" in PAGE


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--port", "Default: `3000`."),
        ("--number", "Default: `20`."),
        ("--fault", "May be repeated."),
    ],
)
def test_a_table_says_what_holds_where_nothing_is_typed(option, says):
    assert re.search(rf"^.*`{option}`.*{re.escape(says)} \|$", PAGE, re.MULTILINE)


# --- the help -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_help_has_every_argument_option_and_command_and_cuts_nothing_short(name):
    done = CliRunner().invoke(
        app, [*name.split(), "--help"], prog_name="asyncllm", env={"COLUMNS": "80"}
    )
    shown = one_line(done.stdout)
    assert done.exit_code == 0
    assert not re.search(r"[^A-Z\]}]\.\.\.", shown)
    assert one_line(command(name).help) in shown
    for param in command(name).params:
        assert param.help, f"{param.name} has no help"
        assert one_line(param.help) in shown
        assert all(each in shown for each in TABLES["names_of"](param))
    for each in TABLES["below"](command(name)).values():
        assert re.search(rf"\b{each.name} {re.escape(TABLES['said'](each).split('. ')[0])}", shown)


@pytest.mark.parametrize("name", NAMES)
def test_the_help_is_in_sentences_of_plain_english(name):
    texts = [command(name).help, *(param.help for param in command(name).params)]
    for text in map(one_line, texts):
        assert re.match(r"[A-Z.]", text), text
        assert text.endswith((".", '"Hello"')), text
        assert not re.search(r"\b(wire|whom|thereof|whose|shall)\b", text), text


# --- completion ---------------------------------------------------------------------------------


def offered(shell, words):
    """Return what a shell offers after the words that are typed, of which the last one is begun."""
    if shell == "bash":
        typed = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    else:
        typed = {
            "_TYPER_COMPLETE_ARGS": " ".join(words),
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
        }
    done = subprocess.run(
        [sys.executable, "-c", "from asyncllm.__main__ import main; main()"],
        env={**os.environ, **typed, "_ASYNCLLM_COMPLETE": f"complete_{shell}"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


def completed(name, begun):
    """Return what is offered after a command, without starting a process for each."""
    words = ["asyncllm", *name.split(), begun]
    done = CliRunner().invoke(
        app, prog_name="asyncllm",
        env={
            "_ASYNCLLM_COMPLETE": "complete_bash",
            "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1),
        },
    )  # fmt: skip
    assert done.exit_code == 0
    return set(done.stdout.split())


@pytest.mark.parametrize("name", NAMES)
def test_completion_offers_every_option_and_every_command(name):
    assert completed(name, "--") == options(name) | {"--help"}
    if below := TABLES["below"](command(name)):
        assert completed(name, "") == below.keys()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_is_offered_options_also_where_no_command_is_named(shell):
    for words in (["asyncllm", "ask", "--mod"], ["asyncllm", "Hello", "--mod"]):
        assert "--model" in offered(shell, words)
    assert "--seconds" in offered(shell, ["asyncllm", "models", "--sec"])


@pytest.mark.parametrize(
    ("words", "offers"),
    [
        (["asyncllm", "mod"], {"models"}),
        (["asyncllm", "-m", "anthr"], {"anthropic", "anthropic-openai"}),
        (["asyncllm", "-m", "fa"], {"fast"}),
        (["asyncllm", "-m", "groq/"], {"groq/llama"}),
        (["asyncllm", "ask", "--provider", "anthr"], {"anthropic", "anthropic-openai"}),
        (["asyncllm", "models", "anthr"], {"anthropic", "anthropic-openai"}),
        (["asyncllm", "keys", "set", "mistr"], {"mistral"}),
        (["asyncllm", "keys", "remove", ""], {"openai"}),
        (["asyncllm", "aliases", "remove", ""], {"fast"}),
        (["asyncllm", "logs", "on", ""], set()),
    ],
)
def test_names_aliases_and_listed_models_are_offered(words, offers, tmp_path, monkeypatch):
    monkeypatch.setenv("ASYNCLLM_HOME", str(tmp_path))
    (tmp_path / "keys.json").write_text('{"openai": "sk-1"}')
    (tmp_path / "aliases.json").write_text('{"fast": "groq/llama"}')
    (tmp_path / "models.json").write_text('{"groq": ["llama"]}')
    assert set(offered("bash", words).split()) == offers


@pytest.mark.parametrize("text", ["", "{", "[]", '{"groq": 1}', "\0"])
def test_completion_says_nothing_of_broken_files(text, tmp_path, monkeypatch):
    monkeypatch.setenv("ASYNCLLM_HOME", str(tmp_path))
    for name in ("keys", "aliases", "models"):
        (tmp_path / f"{name}.json").write_text(text)
    assert completed("ask -m", "gro") >= {"groq"}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_for_each_shell_asks_asyncllm(shell):
    done = subprocess.run(
        [sys.executable, "-c", "from asyncllm.__main__ import main; main()",
         "--show-completion", shell],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "_ASYNCLLM_COMPLETE" in done.stdout
    assert "asyncllm" in done.stdout
