"""`asyncllm keys` and `asyncllm aliases`, as they are typed."""

import pytest
from typer.testing import CliRunner

from asyncllm.cli.app import app
from asyncllm.cli.keys_file import found_keys, keys_path, store_key, stored_keys
from support.own_terminal import OwnTerminal

KEY = "sk-0123456789-0123456789-tail"


def invoke(*arguments, text_in=""):
    return CliRunner().invoke(app, arguments, input=text_in, prog_name="asyncllm")


@pytest.mark.parametrize("written", ["openai", "OpenAI"])
def test_a_key_is_read_from_standard_input_and_kept(written):
    done = invoke("keys", "set", written, text_in=f"  {KEY}\n")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"asyncllm: the key of openai is in {keys_path()}\n"
    assert stored_keys() == {"openai": KEY}


def test_a_key_that_the_environment_hides_is_kept_and_that_is_said(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    done = invoke("keys", "set", "openai", text_in=KEY)
    assert "OPENAI_API_KEY is set and comes first" in done.stderr
    assert stored_keys() == {"openai": KEY}


@pytest.mark.parametrize(
    ("arguments", "text_in", "says"),
    [
        (("set", "opnai"), KEY, "there is no provider 'opnai' (did you mean 'openai'?)"),
        (("set", "github"), KEY, "was retired"),
        (("set", "h2o"), KEY, "h2o takes no key"),
        (("set", "openai"), " \n", "no key was given, and nothing was changed"),
        (("set", "openai"), "sk-1\nsk-2\n", "this is no key"),
        (("set", "openai"), "sk-1 2", "this is no key"),
        (("set", "openai"), "ключ", "this is no key"),
        (("set", "openai", KEY), "", "paste the key when asked"),
        (("set", "openai", "--key", KEY), "", "paste the key when asked"),
        (("remove", "opnai"), "", "no key of 'opnai' (did you mean 'groq'?)"),
    ],
)
def test_what_is_no_key_or_no_provider_is_one_line_and_shows_no_key(arguments, text_in, says):
    store_key("groq", KEY)
    done = invoke("keys", *arguments, text_in=text_in)
    says = says.replace(" (did you mean 'groq'?)", "")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr
    assert "sk-" not in done.stderr
    assert stored_keys() == {"groq": KEY}


def test_keys_are_listed_with_where_they_come_from_and_no_more_than_their_ends(monkeypatch):
    store_key("openai", KEY)
    store_key("anthropic", "sk-short-one")
    store_key("parrot", KEY)
    monkeypatch.setenv("GROQ_API_KEY", f"gsk-{KEY}")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    done = invoke("keys", "list")
    rows = {tuple(line.split(maxsplit=2)) for line in done.stdout.splitlines()[1:]}
    assert rows == {
        ("openai", "…ment", "environment variable OPENAI_API_KEY"),
        ("groq", "…tail", "environment variable GROQ_API_KEY"),
        ("anthropic", "…", "keys file"),
        ("openai", "…tail", "keys file; not used: the environment comes first"),
        ("parrot", "…tail", "keys file; not used: no such provider"),
    }


def test_a_key_is_removed_and_no_keys_are_said_to_be_there():
    store_key("openai", KEY)
    assert invoke("keys", "remove", "OpenAI").exit_code == 0
    done = invoke("keys", "list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "asyncllm keys set PROVIDER" in done.stderr
    assert invoke("keys", "path").stdout == f"{keys_path()}\n"


def test_a_variable_of_several_providers_counts_for_the_first_alone(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ASYNCLLM_GEMINI_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GROQ_API_KEY", "")
    found = {name: key.variable for name, key in found_keys().items()}
    assert found == {
        "openai": "OPENAI_API_KEY",
        "anthropic": "ANTHROPIC_AUTH_TOKEN",
        "gemini-openai": "ASYNCLLM_GEMINI_OPENAI_API_KEY",
    }
    assert KEY not in repr(found_keys())


def test_a_broken_keys_file_is_one_line_that_names_it(home):
    home.mkdir(mode=0o700)
    keys_path().write_text("{")
    keys_path().chmod(0o600)
    done = invoke("keys", "list")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert str(keys_path()) in done.stderr


# --- on a terminal ------------------------------------------------------------------------------


def test_on_a_terminal_the_key_is_asked_for_and_not_shown():
    setting = OwnTerminal("keys", "set", "openai")
    setting.read_until("Key of openai (it is not shown): ")
    setting.type(f"{KEY}\n")
    status, written = setting.wait()
    assert status == 0
    assert KEY not in written
    assert stored_keys() == {"openai": KEY}


@pytest.mark.parametrize(("typed", "status"), [("\x03", 130), ("\x04", 2), ("\n", 2)])
def test_what_is_asked_for_and_not_given_changes_nothing(typed, status):
    setting = OwnTerminal("keys", "set", "openai")
    setting.read_until("shown): ")
    setting.type(typed)
    done, written = setting.wait()
    assert done == status
    assert "Traceback" not in written
    assert stored_keys() == {}


# --- aliases ------------------------------------------------------------------------------------


def test_aliases_are_set_listed_and_removed():
    assert "make one, type: asyncllm aliases set" in invoke("aliases", "list").stderr
    done = invoke("aliases", "set", "fast", "groq/llama-3.3-70b")
    assert (done.exit_code, done.stderr) == (0, "asyncllm: fast stands for groq/llama-3.3-70b\n")
    assert "f stands for groq/llama-3.3-70b" in invoke("aliases", "set", "f", "fast").stderr
    assert invoke("aliases", "remove", "fast").exit_code == 0
    assert invoke("aliases", "list").stdout.split() == ["alias", "model", "f", "groq/llama-3.3-70b"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "two words", "groq/x"), "an alias is one word"),
        (("set", "", "groq/x"), "an alias is one word"),
        (("set", "fast", " "), "asyncllm aliases set fast MODEL"),
        (("remove", "fats"), "there is no alias 'fats' (did you mean 'fast'?)"),
    ],
)
def test_what_is_no_alias_is_one_line(arguments, says):
    invoke("aliases", "set", "fast", "groq/x")
    done = invoke("aliases", *arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr
