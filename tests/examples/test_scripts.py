"""The script and the batch of docs/scripts.md, run as they are."""

import subprocess
import sys

import pytest
from programs import EXAMPLES, copy, environment, started

from asyncllm.sandbox import Drop, ErrorInStream, Sandbox, Stall, Status
from asyncllm.sandbox.background import running_in_background
from support.waiting import until

pytestmark = pytest.mark.programs


@pytest.fixture
def server():
    with running_in_background(Sandbox(token_rate=200)) as sandbox:
        yield sandbox
        assert (sandbox.conversations, sandbox.generating) == (0, 0)


def run(name, server, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        env=environment(server),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_script_prints_the_answer_alone_to_standard_output(server):
    done = run("script.py", server, "Hello", "there")
    assert "“Hello there”" in done.stdout
    assert done.stdout.endswith("about it.")
    assert (done.returncode, done.stderr) == (0, "\n(stop)\n")


def test_the_script_says_what_went_wrong_and_exits_with_1(server):
    server.add_fault(Drop(after=2))
    done = run("script.py", server, "Hello")
    assert (done.returncode, done.stdout) == (1, "This is")
    assert done.stderr.startswith("\nStreamInterrupted: the connection broke before")
    assert "Traceback" not in done.stderr


async def test_ctrl_c_stops_the_scripts_generation_before_it_exits_with_130(server, tmp_path):
    server.add_fault(Stall(after=3))
    path = copy("script.py", tmp_path)
    async with started(path, "Hello", cwd=tmp_path, env=environment(server)) as process:
        await process.says("This is the")
        process.interrupt()
        assert await process.ended() == 130
    assert process.said == "This is the\n(stopped after 11 characters)\n"
    assert server.requests[-2].path.endswith("/stop-generating")
    assert server.requests[-1].method == "DELETE"


def test_the_batch_answers_every_line_in_its_order(server, tmp_path):
    prompts = [f"Question {number}" for number in range(20)]
    (tmp_path / "prompts").write_text("\n".join([*prompts, "", " "]))
    server.add_fault(Status(status=429, times=3, retry_after=0.01))
    done = run("batch.py", server, str(tmp_path / "prompts"))
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [prompt for prompt, _ in rows] == prompts
    assert all(f"“{prompt}”" in text for prompt, text in rows)
    assert (done.returncode, done.stderr) == (0, "")


def test_one_failure_does_not_end_the_batch_and_shows_in_its_exit_status(server, tmp_path):
    (tmp_path / "prompts").write_text("\n".join(f"Question {number}" for number in range(10)))
    server.add_fault(ErrorInStream(after=2, message="out of memory", times=1))
    done = run("batch.py", server, str(tmp_path / "prompts"))
    assert done.stdout.count("\n") == 9
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "out of memory" in done.stderr


async def test_ctrl_c_ends_every_thread_of_the_batch_at_once(server, tmp_path):
    (tmp_path / "prompts").write_text("\n".join(f"Question {number}" for number in range(100)))
    server.add_fault(Stall(after=3))
    path = copy("batch.py", tmp_path)
    async with started(path, "prompts", cwd=tmp_path, env=environment(server)) as process:
        await until(lambda: server.generating == 8, within=30)
        process.interrupt()
        await until(lambda: not process.is_running, within=10)
        assert await process.ended() == 130
    assert process.said == ""
    assert sum(r.path.endswith("/stop-generating") for r in server.requests) == 8
