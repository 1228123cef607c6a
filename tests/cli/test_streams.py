"""Standard streams that are closed or full, and Ctrl-C that comes twice."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asyncllm.sandbox import Sandbox

unix = pytest.mark.skipif(sys.platform == "win32", reason="its shell can't close a stream")
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")


def run_in_shell(line):
    command = line.replace("asyncllm", f"{sys.executable} -m asyncllm")
    return subprocess.run(
        command, shell=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


@full
@pytest.mark.parametrize("command", ["ask hello", "ask --json hello", "providers", "logs status"])
def test_a_full_disk_is_told_in_one_line(command):
    done = run_in_shell(f"asyncllm {command} >/dev/full")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("asyncllm: standard output can't be written: ")
    assert "Traceback" not in done.stderr


@full
def test_an_answer_comes_also_where_nothing_can_be_said():
    done = run_in_shell("asyncllm hello 2>/dev/full")
    assert (done.returncode, "hello" in done.stdout) == (0, True)


@unix
@pytest.mark.parametrize(
    ("line", "status"), [("providers >&-", 0), ("keys path >&-", 0), ("keys set openai <&-", 2)]
)
def test_a_closed_stream_is_no_traceback(line, status):
    done = run_in_shell(f"asyncllm {line}")
    assert done.returncode == status
    assert "Traceback" not in done.stderr


@unix
async def test_ctrl_c_that_is_pressed_twice_still_deletes_the_conversation(monkeypatch):
    async with Sandbox(token_rate=50, rtt=0.1, tokens=500) as sandbox:
        monkeypatch.setenv("ASYNCLLM_H2O_BASE_URL", sandbox.url)
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "asyncllm", "hello"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        await asking.stdout.read(4)
        asking.send_signal(signal.SIGINT)
        await asyncio.sleep(0.03)  # within the time that deleting takes
        asking.send_signal(signal.SIGINT)
        _, said = await asking.communicate()
        assert (asking.returncode, said) == (130, b"")
        assert sandbox.conversations == 0
