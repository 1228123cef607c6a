"""`asyncllm models` and `asyncllm providers`."""

import json
import re
import socket
import sys

import pytest
from typer.testing import CliRunner

from asyncllm.cli.app import app
from asyncllm.cli.completing import complete_model
from asyncllm.cli.keys_file import store_key
from asyncllm.registry import ENTRY_POINT_GROUP, key_variables
from support.own_terminal import OwnTerminal

KEY = "sk-0123456789-0123456789"


def invoke(*arguments):
    return CliRunner().invoke(app, arguments, prog_name="asyncllm")


@pytest.fixture
def vendors(server, monkeypatch):
    """Two vendors with keys, one of them in the keys file; both are the sandbox."""
    monkeypatch.setenv("ASYNCLLM_GROQ_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("ASYNCLLM_ANTHROPIC_BASE_URL", server.url)
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    store_key("anthropic", KEY)
    return server


@pytest.fixture
def nobody():
    """An address where connections are taken, and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def listed(done):
    assert done.exit_code == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.usefixtures("vendors")
def test_each_provider_with_a_key_is_asked_and_each_model_is_a_line():
    done = invoke("models")
    lines = listed(done)
    assert {line.partition("/")[0] for line in lines} == {"groq", "anthropic"}
    assert all(re.fullmatch(r"[a-z]+/\S+", line) for line in lines)
    assert done.stderr == ""


def test_the_key_of_the_file_is_sent(vendors):
    listed(invoke("models", "anthropic"))
    assert vendors.requests[-1].headers["x-api-key"] == KEY


def test_a_provider_that_fails_is_a_line_and_the_others_are_listed(vendors, nobody, monkeypatch):
    monkeypatch.setenv("ASYNCLLM_GROQ_BASE_URL", f"{vendors.url}/elsewhere")
    monkeypatch.setenv("ASYNCLLM_MISTRAL_BASE_URL", nobody)
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    done = invoke("models", "--seconds", "1")
    assert {line.partition("/")[0] for line in listed(done)} == {"anthropic"}
    first, second = done.stderr.splitlines()
    assert first.startswith("asyncllm: groq: NotFoundError: ")
    assert second == "asyncllm: mistral did not answer within 1 s; --seconds gives it longer"


@pytest.mark.usefixtures("vendors")
def test_as_json_each_model_says_whose_it_is_and_whether_it_is_the_default():
    rows = json.loads(invoke("models", "groq", "--json").stdout)
    assert {frozenset(row) for row in rows} == {frozenset({"provider", "model", "default"})}
    assert sum(row["default"] for row in rows) == 1


def test_an_address_alone_is_asked_where_nobody_has_a_key(server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    assert "openai/gpt-4o" in listed(invoke("models"))


def test_an_address_may_be_given_and_is_not_remembered(server):
    lines = listed(invoke("models", "H2O", "--base-url", server.url))
    assert any(line.startswith("h2o/") for line in lines)
    assert complete_model("h2o/") == []


def test_the_line_that_says_which_model_answers_says_how_to_list_the_others(cli, server):
    done = cli("ask", "--base-url", f"{server.url}/v1", "Hello")
    command = re.search("`asyncllm (models openai-compatible --base-url .*)`", done.err)[1]
    models = listed(invoke(*command.split()))
    assert done.err.split()[1] in {model.partition("/")[2] for model in models}


def test_models_of_an_address_without_one_say_what_to_type():
    done = invoke("models", "openai-compatible")
    assert (done.exit_code, "openai-compatible --base-url URL" in done.stderr) == (2, True)


@pytest.mark.usefixtures("vendors")
def test_on_a_terminal_the_default_is_marked():
    status, written = OwnTerminal("models", "groq").wait()
    assert status == 0
    assert re.search(r"^groq/\S+ +default$", written, re.MULTILINE)


@pytest.mark.usefixtures("vendors")
def test_what_was_listed_is_completed():
    assert complete_model("groq/") == []
    lines = listed(invoke("models", "groq"))
    assert complete_model("groq/") == lines
    listed(invoke("models", "anthropic"))
    assert complete_model("groq/") == lines


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ((), 2, "To keep one, type: asyncllm keys set PROVIDER"),
        (("groq",), 2, "groq needs an API key: set GROQ_API_KEY, or type: asyncllm keys set groq"),
        (("grok",), 2, "there is no provider 'grok' (did you mean 'groq'?)"),
        (("vllm", "--base-url", "http://127.0.0.1:9"), 1, "vllm: TransportError: cannot connect"),
        (("vllm", "--base-url", "nowhere"), 2, "https://host"),
        (("llamacpp",), 1, "ASYNCLLM_MODEL"),
    ],
)
def test_what_can_not_be_listed_is_one_line_that_says_what_to_do(arguments, status, says):
    done = invoke("models", *arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--base-url", "http://127.0.0.1:9"), "asyncllm models openai-compatible --base-url"),
        (("groq", "--seconds", "0"), "--seconds with a number above 0"),
    ],
)
def test_what_can_not_be_meant_is_wrong_usage(arguments, says):
    done = invoke("models", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


# --- providers ----------------------------------------------------------------------------------


def test_every_provider_is_a_line_of_a_pipe_with_all_that_is_known_of_it():
    head, *lines = invoke("providers").stdout.splitlines()
    rows = {line.split()[0]: re.split(" {2,}", line) for line in lines}
    assert rows.keys() == key_variables().keys()
    assert {len(row) for row in rows.values()} == {len(head.split())}
    assert rows["h2o"][1:] == [
        "none", "-", "chat-ui", "https://gpt-gm.h2o.ai",
        "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1", "falcon-40b, falcon-7b, llama-13b",
        "the chat-ui server of 2023, such as H2O's; set ASYNCLLM_H2O_BASE_URL",
    ]  # fmt: skip
    assert rows["mistral"][3] == "mistral"  # a service with a class of its own
    assert rows["litellm"][1] == "(LITELLM_API_KEY)"


def test_as_json_a_provider_says_where_its_key_was_found(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    store_key("cohere", KEY)
    rows = {row["name"]: row for row in json.loads(invoke("providers", "--json").stdout)}
    assert [name for name in rows if rows[name]["key_found"]] == [
        "openai", "openai-responses", "cohere", "cohere-openai",
    ]  # fmt: skip
    assert rows["openai"]["key_found"] == "OPENAI_API_KEY"
    assert rows["cohere-openai"]["key_found"] == "keys file"
    assert KEY not in json.dumps(rows)


def words(text):
    return set(re.split(r"[\s*]+", text)) - {""}


@pytest.mark.parametrize("columns", [80, 100, 160, 400])
def test_on_a_terminal_no_word_of_the_providers_is_broken(columns, monkeypatch):
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    rows = json.loads(invoke("providers", "--json").stdout)
    known = {word for row in rows for cell in row.values() for word in words(str(cell))}
    known |= words(invoke("providers").stdout)
    status, written = OwnTerminal("providers", columns=columns).wait()
    assert status == 0
    table, _, _ = written.partition("\n\nA star")
    assert max(map(len, table.splitlines())) <= columns
    assert words(table) <= known
    assert [line.split()[1] for line in table.splitlines() if line.startswith("* ")] == ["groq"]
    assert {row["name"] for row in rows} <= words(table)


def test_a_provider_that_can_not_be_imported_says_so_and_hides_no_other(tmp_path, monkeypatch):
    metadata = tmp_path / "asyncllm_test_broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    points = f"[{ENTRY_POINT_GROUP}]\nbroken = asyncllm_test_broken:Broken\n"
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    rows = {row["name"]: row for row in json.loads(invoke("providers", "--json").stdout)}
    assert rows["broken"]["about"].startswith("it can't be used: No module named")
    assert "openai" in rows
