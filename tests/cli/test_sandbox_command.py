"""`asyncllm sandbox`."""

import shlex
import signal
import socket

import pytest

from support.command_line import run, started


def test_the_sandbox_serves_until_ctrl_c():
    arguments = ("--port", "0", "--fault", "Drop:after=2,times=1", "--tokens", "5")
    with started("sandbox", *arguments) as serving:
        url = serving.stdout.readline().strip()
        first = run("ask", "Hello", "--base-url", url)
        second = run("ask", "Hello", "--base-url", url)
        serving.send_signal(signal.SIGINT)
        assert serving.wait(60) == 130
    assert (first.returncode, first.stdout) == (1, "This is\n")
    assert second.returncode == 0


def test_what_the_sandbox_says_to_type_gets_an_answer():
    with started("sandbox", "--port", "0") as serving:
        serving.stdout.readline()
        tried, exported = (serving.stderr.readline().strip() for _ in range(2))
        by_option = run(*shlex.split(tried.removeprefix("try: asyncllm ")))
        name, _, value = exported.removeprefix("for programs: export ").partition("=")
        by_variable = run("ask", "Hello", **{name: value})
        serving.send_signal(signal.SIGINT)
    for done in (by_option, by_variable):
        assert done.returncode == 0
        assert "Hello" in done.stdout
        assert "no API key" not in done.stderr  # which a sandbox of its own would say


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--fault", "Nonsense"), "no fault"),
        (("--fault", "Drop:nonsense=1"), "Drop takes"),
    ],
)
def test_a_fault_that_there_is_not_is_wrong_usage(arguments, says, cli):
    done = cli("sandbox", *arguments)
    assert (done.status, done.out) == (2, "")
    assert says in done.err


@pytest.mark.parametrize("option", ["--rtt", "--token-rate", "--tokens"])
def test_a_number_that_nothing_can_be_made_of_is_wrong_usage(option, cli):
    done = cli("sandbox", option, "-1")
    assert done.status == 2
    assert f"{option[2:].replace('-', '_')} must" in done.err


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
