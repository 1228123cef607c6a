"""The command line, run as its users run it: in a process of its own."""

import os
import signal
import subprocess
import sys

import pytest

from asyncllm.sandbox import Drop, Sandbox, Stall
from asyncllm.sandbox.background import running_in_background

ASYNCLLM = [sys.executable, "-W", "error", "-m", "asyncllm"]


def run(*arguments, text_in="", **environment):
    return subprocess.run(
        [*ASYNCLLM, *arguments],
        input=text_in,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def server():
    with running_in_background(Sandbox()) as sandbox:
        yield sandbox
        assert sandbox.conversations == 0


def test_with_nothing_configured_the_sandbox_answers_and_says_so_in_one_line():
    done = run("ask", "Привет, как дела?")
    assert done.returncode == 0
    assert "Привет, как дела?" in done.stdout
    assert done.stdout.endswith(".\n")
    assert done.stderr.count("\n") == 1
    assert "sandbox" in done.stderr
    assert "ASYNCLLM_H2O_BASE_URL" in done.stderr


def test_ask_takes_its_options(server):
    done = run(
        "ask", "Hello", "--provider", "H2O", "--base-url", server.url, "--model", "falcon-7b",
        "--system", "Be brief.", "--param", "max_tokens=3", "--param", "seed=x", "--stats",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "This is the\n")
    assert "first token" in done.stderr
    assert "ended: length" in done.stderr
    body = server.requests[2].body.decode()
    assert '"max_new_tokens":3' in body
    assert '"seed":"x"' in body
    assert "System: Be brief." in body


def test_the_environment_configures_a_provider(server):
    done = run("ask", "Hello", ASYNCLLM_H2O_BASE_URL=server.url)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [("ask",), ("ask", "-")])
def test_a_pipe_is_read(server, arguments):
    done = run(*arguments, "--base-url", server.url, text_in="from a pipe")
    assert "from a pipe" in done.stdout


def test_a_providers_error_is_one_clear_line(server):
    server.add_fault(Drop(after=2))
    done = run("ask", "Hello", "--base-url", server.url, "--stats")
    assert done.returncode == 1
    assert done.stdout == "This is\n"
    assert "ended: failed" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        "asyncllm: StreamInterrupted: the connection broke"
    )
    assert "Traceback" not in done.stderr


def test_an_unreachable_server_is_named():
    done = run("ask", "Hello", "--base-url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stderr.startswith("asyncllm: TransportError: cannot connect to 127.0.0.1:9")
    assert "--base-url" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ask", "x", "--provider", "h20"), "did you mean 'h2o'"),
        (("ask", "x", "--model", "falcon"), "did you mean"),
        (("ask", "x", "--base-url", "nowhere"), "https://host"),
        (("ask", "x", "--param", "novalue"), "name=value"),
        (("ask", "x", "--nonsense"), "nonsense"),
        (("sandbox", "--fault", "Nonsense"), "no fault"),
        (("sandbox", "--fault", "Drop:nonsense=1"), "Drop takes"),
        (("nonsense",), "nonsense"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(arguments, says):
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_stops_the_stream_deletes_the_conversation_and_exits_130(server):
    server.add_fault(Stall(after=2))
    with subprocess.Popen(
        [*ASYNCLLM, "ask", "Hello", "--base-url", server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        assert asking.stdout.read(7) == "This is"
        asking.send_signal(signal.SIGINT)
        out, err = asking.communicate(timeout=10)
    assert (asking.returncode, out, err) == (130, "\n", "")
    assert (server.conversations, server.generating) == (0, 0)


def test_a_closed_pipe_ends_quietly(server):
    with subprocess.Popen(
        [*ASYNCLLM, "ask", "Hello " * 5000, "--base-url", server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asking:
        asking.stdout.read(4)
        asking.stdout.close()
        assert asking.stderr.read() == ""
        assert asking.wait(10) == 141


def test_providers_is_a_table():
    done = run("providers")
    assert done.returncode == 0
    row = next(line for line in done.stdout.splitlines() if "h2o" in line)
    for cell in ("chat-ui", "falcon-40b, falcon-7b, llama-13b", "none", "https://gpt-gm.h2o.ai"):
        assert cell in row


def test_the_sandbox_serves_until_ctrl_c():
    with subprocess.Popen(
        [*ASYNCLLM, "sandbox", "--port", "0", "--fault", "Drop:after=2,times=1", "--tokens", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as serving:
        url = serving.stdout.readline().strip()
        first = run("ask", "Hello", "--base-url", url)
        second = run("ask", "Hello", "--base-url", url)
        serving.send_signal(signal.SIGINT)
        assert serving.wait(10) == 130
    assert (first.returncode, first.stdout) == (1, "This is\n")
    assert second.returncode == 0


def test_without_its_extra_the_command_line_says_what_to_install(tmp_path):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(name='typer')")
    done = run("providers", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "pip install 'asyncllm-sdk[cli]'" in done.stderr
