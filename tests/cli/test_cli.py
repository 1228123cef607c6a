"""The command line, run as its users run it: in a process of its own."""

import os
import pty
import signal
import socket
import subprocess
import sys
import unicodedata

import pytest

from asyncllm.__main__ import main
from asyncllm.registry import ENTRY_POINT_GROUP
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


def run_on_a_terminal(*arguments, **environment):
    """Return the status of a run whose output is a terminal, and what it wrote there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*ASYNCLLM, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **environment},
    ) as running:
        os.close(theirs)
        written = bytearray()
        try:
            while data := os.read(ours, 65_536):
                written += data
        except OSError:  # Linux says so that nobody writes any more
            pass
        status = running.wait(60)
    os.close(ours)
    return status, written.decode().replace("\r\n", "\n")


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


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("model", "write --model"),
        ("proxy", "write --proxy"),
        ("system", "write --system"),
        ("messages", "it is no parameter for the wire"),
        ("self", "it is no parameter for the wire"),
        ("keep", "it is no parameter for the wire"),
        ("extra", "it is no parameter for the wire"),
    ],
)
def test_a_param_that_is_none_of_the_wire_is_wrong_usage(name, says):
    done = run("ask", "Hello", "--param", f"{name}=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{name} can't be given by --param: {says}" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_system_message_is_wrong_usage():
    done = run("ask", "Hello", "--system", "")
    assert done.returncode == 2
    assert "system is empty: give it some text, or leave it out" in done.stderr


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
        (("ask", "x", "--param", "temperatur=1"), "did you mean temperature?"),
        (("ask", "x", "--provider", "github"), "was retired"),
        (("ask", "x", "--nonsense"), "nonsense"),
        (("sandbox", "--fault", "Nonsense"), "no fault"),
        (("sandbox", "--fault", "Drop:nonsense=1"), "Drop takes"),
        (("provider",), "there is no command 'provider': did you mean 'providers'?"),
        (("--nonsense",), "nonsense"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(arguments, says, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["asyncllm", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


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
        out, err = asking.communicate(timeout=60)
    assert (asking.returncode, out, err) == (130, "\n", "")
    assert (server.conversations, server.generating) == (0, 0)


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
        assert asking.wait(60) == 141


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
        assert serving.wait(60) == 130
    assert (first.returncode, first.stdout) == (1, "This is\n")
    assert second.returncode == 0


def test_without_its_extra_the_command_line_says_what_to_install(tmp_path):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(name='typer')")
    done = run("providers", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "pip install 'asyncllm-sdk[cli]'" in done.stderr


# --- what a terminal would obey -----------------------------------------------------------------

EVIL = "\x1b]0;title\x07 \x1b[31m \x9b2J \x9d8;;x\x9c \x7f\x08\r\0 tab\t."
SHOWN = r"\x1b]0;title\x07 \x1b[31m \x9b2J \x9d8;;x\x9c \x7f\x08\x0d\x00 tab" + "\t."
PROVIDER = f"""
from asyncllm import AsyncGeneratorProvider, Finish, ProviderError

class Evil(AsyncGeneratorProvider):
    url = "https://evil.example"
    model = "big"
    models = {{"big": "big", {EVIL!r}: "small"}}

    async def generate(self, request, http):
        yield [*{EVIL!r}[:5]]  # a sequence cut over tokens, and over reads
        yield [*{EVIL!r}[5:]]
        if "fail" in str(request.messages):
            raise ProviderError({EVIL!r})
        yield [Finish({EVIL!r})]
"""


@pytest.fixture
def evil(tmp_path):
    """An environment in which a provider is installed whose every word has terminal escapes."""
    (tmp_path / "asyncllm_test_evil.py").write_text(PROVIDER)
    metadata = tmp_path / "asyncllm_test_evil-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    points = f"[{ENTRY_POINT_GROUP}]\nevil = asyncllm_test_evil:Evil\n"
    (metadata / "entry_points.txt").write_text(points)
    return {"PYTHONPATH": str(tmp_path), "COLUMNS": "400", "NO_COLOR": "1", "TERM": "dumb"}


def controls_in(text):
    return {char for char in text if unicodedata.category(char) == "Cc"} - {"\n", "\t"}


@pytest.mark.parametrize(
    ("arguments", "status", "times"),
    [
        (("ask", "Hello", "--provider", "evil", "--stats"), 0, 2),
        (("ask", "fail", "--provider", "evil"), 1, 1),  # an error escapes by itself
        (("ask", "Hello", "--provider", "evil", "--param", EVIL.replace("\0", "")), 2, 0),
        (("providers",), 0, 0),
    ],
)
def test_a_terminal_is_shown_what_it_would_obey(evil, arguments, status, times):
    done, written = run_on_a_terminal(*arguments, **evil)
    assert done == status
    assert not controls_in(written)
    assert written.count(SHOWN) == times
    assert r"\x1b" in written


def test_a_pipe_gets_what_a_terminal_would_obey_as_it_is(evil):
    done = run("ask", "Hello", "--provider", "evil", **evil)
    assert (done.returncode, done.stdout) == (0, EVIL.replace("\r", "\n") + "\n")


# --- a busy port --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_busy_port_is_one_line_that_says_which_and_what_to_do(host):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("sandbox", "--host", host, "--port", str(port))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [("203.0.113.1", "0", "203.0.113.1"), ("127.0.0.1", "70000", "0-65535")],
)
def test_an_address_that_is_not_to_be_had_is_one_line_too(host, port, says):
    done = run("sandbox", "--host", host, "--port", port)
    assert done.returncode == 1
    *others, line = done.stderr.splitlines()
    assert line.startswith("asyncllm: ")
    assert says in line
    assert len(others) <= 1  # asyncio's warning, from Python 3.13 on
    assert "Traceback" not in done.stderr
