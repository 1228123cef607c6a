"""`asyncllm ask`: how it is asked, what it writes, and how it ends."""

import json
import os
import signal
import subprocess

import pytest

from asyncllm.cli.last import load_last
from asyncllm.sandbox import Drop, Sandbox, Stall, Status
from asyncllm.sandbox.background import running_in_background
from support.command_line import ASYNCLLM, OnTerminal, run, started, wait_until

ANSWER = "This is the asyncllm sandbox speaking, not a model."


def as_openai(server, *arguments, model="gpt-4o"):
    return (*arguments, "--base-url", f"{server.url}/v1", "-m", model)


def body(server):
    """Return what was asked last."""
    return json.loads(server.requests[-1].body)


# --- what is asked ------------------------------------------------------------------------------


def test_ask_takes_its_options(server, cli):
    done = cli(
        "ask", "Hello", "--provider", "H2O", "--base-url", server.url, "--model", "falcon-7b",
        "--system", "Be brief.", "--param", "max_tokens=3", "--param", "seed=x", "--stats",
    )  # fmt: skip
    assert (done.status, done.out) == (0, "This is the\n")
    assert "first token" in done.err
    assert "ended: length" in done.err
    sent = server.requests[2].body.decode()
    assert '"max_new_tokens":3' in sent
    assert '"seed":"x"' in sent
    assert "System: Be brief." in sent


def test_its_short_options_are_the_same(server, cli):
    short = cli(*as_openai(server, "Hello", "you", "-s", "Be brief.", "-p", "max_tokens=3"))
    assert short.out == "This is the\n"
    sent = body(server)
    assert sent["max_tokens"] == 3
    assert [message["content"] for message in sent["messages"]] == ["Be brief.", "Hello you"]


@pytest.mark.parametrize(
    ("arguments", "given", "asked"),
    [
        (("Summarise", "it"), "a file\n", "a file\n\nSummarise it"),
        (("-s", "Write a commit message"), "+ a diff\n", "+ a diff"),
        ((), "from a pipe", "from a pipe"),
        (("ask",), "from a pipe", "from a pipe"),
        (("ask", "-"), "from a pipe", "from a pipe"),
        (("2", "-", "1"), "", "2 - 1"),
        (("--", "-m"), "", "-m"),
    ],
)
def test_what_is_piped_is_asked_with_the_prompt_behind_it(arguments, given, asked, server, cli):
    before, words = arguments, ()
    if "--" in arguments:
        before, words = (), arguments
    assert cli(*as_openai(server, *before), *words, given=given.encode()).status == 0
    assert body(server)["messages"][-1]["content"] == asked


def test_the_environment_configures_a_provider(server):
    done = run("ask", "Hello", ASYNCLLM_H2O_BASE_URL=server.url)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_env_file_is_read_and_the_environment_comes_before_it(
    server, cli, tmp_path, monkeypatch
):
    monkeypatch.setenv("ASYNCLLM_GROQ_BASE_URL", f"{server.url}/v1")
    # As setdefault would leave them for the tests that follow.
    for name in ("GROQ_API_KEY", "ASYNCLLM_MODEL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    path = tmp_path / ".env"
    path.write_text(
        "# keys\nexport GROQ_API_KEY='sk-in-a-file'\nASYNCLLM_MODEL=groq/gpt-4o\n"
        "ASYNCLLM_GROQ_BASE_URL=https://nowhere.example\nEMPTY\n"
    )
    assert cli("Hello", "--env-file", str(path)).status == 0
    assert server.requests[-1].headers["authorization"] == "Bearer sk-in-a-file"
    done = cli("Hello", "--env-file", str(tmp_path / "none"))
    assert (done.status, done.out) == (2, "")
    assert "none can't be read: No such file" in done.err


def test_a_key_is_sent_and_never_shown(server, cli):
    server.add_fault(Status(401))
    done = cli(*as_openai(server, "Hello", "--key", "sk-very-secret-0123456789"))
    assert server.requests[-1].headers["authorization"] == "Bearer sk-very-secret-0123456789"
    assert done.status == 1
    assert "very-secret" not in done.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model", "write --model"),
        ("proxy", "write --proxy"),
        ("system", "write --system"),
        ("messages", "it would not be sent"),
        ("self", "it would not be sent"),
        ("keep", "it would not be sent"),
        ("extra", "it would not be sent"),
    ],
)
def test_a_param_that_is_for_no_server_is_wrong_usage(name, says, cli):
    done = cli("ask", "Hello", "--param", f"{name}=1")
    assert (done.status, done.out) == (2, "")
    assert f"{name} can't be given by --param: {says}" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ask", "x", "--provider", "h20"), "did you mean 'h2o'"),
        (("ask", "x", "--model", "falcon"), "-m PROVIDER/falcon"),
        (("ask", "x", "--provider", "h2o", "--model", "falcon"), "did you mean"),
        (("ask", "x", "--base-url", "nowhere"), "https://host"),
        (("ask", "x", "--param", "novalue"), "name=value"),
        (("ask", "x", "--param", "temperatur=1"), "did you mean temperature?\n"),
        (("ask", "x", "--provider", "github"), "was retired"),
        (("ask", "x", "--nonsense"), "nonsense"),
        (("ask", "x", "--system", ""), "system is empty: give it some text, or leave it out"),
        (("ask", "x", "-c"), "ask something without -c first"),
        (("ask", "x", "-m", "groq/x", "--json"), "set GROQ_API_KEY, or type: asyncllm keys set"),
    ],
)
def test_wrong_usage_exits_2_and_says_in_one_line_what_to_type(arguments, says, cli):
    done = cli(*arguments)
    assert (done.status, done.out) == (2, "")
    assert says in done.err
    assert "Traceback" not in done.err
    assert "ConfigurationError" not in done.err


# --- standard input, as it may be ---------------------------------------------------------------


@pytest.mark.parametrize("redirected", ["</dev/null", "<&-"])
def test_an_empty_or_a_closed_standard_input_is_none_at_all(redirected):
    command = f'"$@" -m sandbox Hello {redirected}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *ASYNCLLM], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "You wrote: “Hello”" in done.stdout


def test_a_pipe_that_stays_open_is_waited_for_and_a_line_says_so():
    with (
        started("-m", "sandbox", "Hello", stdin=subprocess.PIPE) as asking,
        started("-m", "sandbox", "Hello", stdin=subprocess.PIPE) as stopped,
    ):
        said = {asking.stderr.readline(), stopped.stderr.readline()}
        assert said == {"asyncllm: waiting for standard input; if there is none, add: </dev/null\n"}
        out, err = asking.communicate("late, and whole", timeout=60)
        assert (asking.returncode, err) == (0, "")
        assert "You wrote: “late, and whole" in out
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(60) == 130
        assert (stopped.stdout.read(), stopped.stderr.read()) == ("", "")


def test_a_terminal_is_not_read_unless_it_is_asked_for():
    asking = OnTerminal("-m", "sandbox", "-", stdin=None, TERM="dumb")
    unasked = OnTerminal("-m", "sandbox", "Hello", stdin=None, TERM="dumb")
    status, written = unasked.wait()
    assert status == 0
    assert "You wrote: “Hello”" in written
    asking.read_until("end with Ctrl-D")
    asking.type("typed\n\x04")
    status, written = asking.wait()
    assert status == 0
    assert "You wrote: “typed”" in written


def test_on_a_terminal_with_nothing_to_ask_it_says_what_to_type():
    status, written = OnTerminal("-s", "Be brief.", stdin=None, TERM="dumb").wait()
    assert status == 2
    assert "say what to ask: asyncllm -s 'Be brief.' 'Hello'" in written


# --- how it fails -------------------------------------------------------------------------------


def test_a_providers_error_is_one_clear_line(server, cli):
    server.add_fault(Drop(after=2))
    done = cli("ask", "Hello", "--base-url", server.url, "--stats")
    assert (done.status, done.out) == (1, "This is\n")
    assert "ended: failed" in done.err
    assert done.err.splitlines()[-1].startswith("asyncllm: StreamInterrupted: the connection broke")
    assert load_last() is None


def test_an_unreachable_server_is_named(cli):
    done = cli("ask", "Hello", "--base-url", "http://127.0.0.1:9")
    assert done.status == 1
    assert done.err.startswith("asyncllm: TransportError: cannot connect to 127.0.0.1:9")
    assert "--base-url" in done.err


def test_an_unknown_model_says_where_the_others_are_listed(server, cli, monkeypatch):
    monkeypatch.setenv("ASYNCLLM_GROQ_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("GROQ_API_KEY", "x")
    done = cli("-m", "groq/no-such-model", "Hello")
    assert (done.status, done.out) == (1, "")
    assert "`asyncllm models groq` lists the models" in done.err


def test_a_failure_is_an_object_with_what_had_come_and_the_error(server, cli):
    server.add_fault(Drop(after=2))
    done = cli(*as_openai(server, "Hello", "--json"))
    found = json.loads(done.out)
    assert done.status == 1
    assert (found["text"], found["finish_reason"]) == ("This is", None)
    assert found["error"]["type"] == "StreamInterrupted"
    assert "StreamInterrupted" in done.err


def test_a_server_that_refuses_is_in_the_object_too(server, cli):
    server.add_fault(Status(401, retry_after=90))
    done = cli(*as_openai(server, "Hello", "--json"))
    error = json.loads(done.out)["error"]
    assert done.status == 1
    assert (error["status"], error["retry_after"]) == (401, 90)
    assert error["advice"] == "--key gives the server's key"


def test_where_no_server_says_which_models_it_has_there_is_an_object_all_the_same(cli):
    done = cli("-m", "ollama", "--base-url", "http://127.0.0.1:9", "Hello", "--json")
    found = json.loads(done.out)
    assert (done.status, found["provider"], found["text"]) == (1, "ollama", "")
    assert found["error"]["type"] == "TransportError"
    assert "ollama serve" in done.err


# --- how it is stopped --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_stops_the_stream_and_deletes_the_conversation(server, number, status):
    server.add_fault(Stall(after=2))
    with started("ask", "Hello", "--base-url", server.url) as asking:
        assert asking.stdout.read(7) == "This is"
        asking.send_signal(number)
        out, err = asking.communicate(timeout=60)
    assert (asking.returncode, out, err) == (status, "\n", "")
    assert (server.conversations, server.generating) == (0, 0)


def test_ctrl_c_ends_the_lines_of_events_with_what_had_come(server):
    server.add_fault(Stall(after=2))
    with started(*as_openai(server, "Hello", "--events")) as asking:
        for _ in range(2):
            asking.stdout.readline()
        asking.send_signal(signal.SIGINT)
        out, err = asking.communicate(timeout=60)
    found = json.loads(out.splitlines()[-1])
    assert (asking.returncode, err) == (130, "")
    assert (found["event"], found["finish_reason"], found["error"]) == ("end", "cancelled", None)


def test_ctrl_c_leaves_one_json_object(server):
    server.add_fault(Stall(after=2))
    with OnTerminal(
        *as_openai(server, "Hello", "--json", "--stats"), stdout=subprocess.PIPE, TERM="xterm"
    ).process as asking:
        wait_until(lambda: server.generating)
        asking.send_signal(signal.SIGINT)
        found = json.loads(asking.stdout.read())
    assert asking.returncode == 130
    assert (found["finish_reason"], found["error"]) == ("cancelled", None)


def test_a_closed_pipe_ends_quietly():
    # Slow, so that there is still something to write when the reader goes.
    with (
        running_in_background(Sandbox(token_rate=5)) as slow,
        started("ask", "Hello", "--base-url", slow.url) as asking,
    ):
        asking.stdout.read(4)
        asking.stdout.close()
        assert asking.stderr.read() == ""
        assert asking.wait(60) == 141


def test_a_closed_standard_output_is_one_line():
    done = subprocess.run(
        ["sh", "-c", '"$@" -m sandbox Hello >&-', "sh", *ASYNCLLM], capture_output=True,
        text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert "standard output is closed" in done.stderr


# --- the spinner --------------------------------------------------------------------------------

HIDDEN, SHOWN, ERASED = "\x1b[?25l", "\x1b[?25h", "\x1b[2K"


def test_a_spinner_turns_on_a_terminal_and_is_gone_before_the_first_token():
    with running_in_background(Sandbox(rtt=1.0)) as late:
        status, written = OnTerminal(*as_openai(late, "Hello"), TERM="xterm-256color").wait()
    assert status == 0
    spinner, start, answer = written.partition("This is")
    assert start
    assert "waiting for gpt-4o" in spinner
    assert spinner.count(HIDDEN) == spinner.count(SHOWN) == 1
    assert spinner.endswith(ERASED)
    assert "\x1b" not in answer


def test_ctrl_c_while_the_spinner_turns_leaves_the_terminal_clean(server):
    server.add_fault(Stall(after=0))
    asking = OnTerminal(*as_openai(server, "Hello"), TERM="xterm-256color")
    asking.read_until("waiting for gpt-4o")
    asking.process.send_signal(signal.SIGINT)
    status, written = asking.wait()
    assert status == 130
    assert written.count(HIDDEN) == written.count(SHOWN) == 1
    assert written.index(HIDDEN) < written.index(SHOWN)
    assert written.endswith(ERASED)


def test_a_pipe_has_no_spinner(server):
    server.add_fault(Stall(after=0))
    with started(*as_openai(server, "Hello", "--stats")) as asking:
        wait_until(lambda: server.generating)
        asking.send_signal(signal.SIGINT)
        out, err = asking.communicate(timeout=60)
    assert (asking.returncode, out) == (130, "")
    assert err.startswith("first token")


# --- another terminal's encoding ----------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_an_encoding_lacks_is_escaped_and_json_stays_json(options, server):
    done = subprocess.run(
        [*ASYNCLLM, *as_openai(server, "Привет…", *options)], capture_output=True, timeout=60,
        check=True, stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONIOENCODING": "cp866"},
    )  # fmt: skip
    out = done.stdout.decode("cp866")
    if options:
        assert "«Привет…»" in json.loads(out)["text"]
    else:
        assert "\\xabПривет\\u2026\\xbb" in out


def test_a_zero_byte_in_an_env_file_is_told_in_one_line(cli, tmp_path):
    file = tmp_path / ".env"
    file.write_bytes(b"A=x\0y\n")
    done = cli("ask", "-m", "sandbox", "--env-file", str(file), "hello")
    assert (done.status, done.err) == (2, f"asyncllm: {file} can't be read: it is no text\n")


def test_an_image_that_a_provider_does_not_take_is_told_in_the_words_of_the_command_line(
    cli, tmp_path
):
    file = tmp_path / "cat.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n")
    done = cli("ask", "-m", "sandbox", "-a", str(file), "hello")
    assert done.status == 2
    assert done.err == (
        "asyncllm: what is attached is an image, but this provider takes text only; "
        "choose one that takes more with -m, such as -m openai\n"
    )
