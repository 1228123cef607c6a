"""Proxies that can't be had are a visible skip, and in CI a failure; none outlives the tests."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from . import launcher


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_what_cannot_be_had_is_skipped_with_its_reason_but_not_in_ci(ci, outcome, monkeypatch):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setitem(launcher._PACKAGES, "no-such-proxy", "no-such-package")
    monkeypatch.setattr(launcher, "_install", lambda: "there is no network")
    with pytest.raises(outcome, match="no-such-package is not installed: there is no network"):
        launcher._program("no-such-proxy")


def test_a_proxy_that_does_not_start_is_a_failure(tmp_path):
    broken = launcher._running("http", lambda port: ["false"])
    with pytest.raises(pytest.fail.Exception, match="false did not begin to listen"), broken:
        pass


@pytest.mark.timeout(300)  # installing takes a while
async def test_a_killed_run_leaves_no_proxy():
    launcher._program("microsocks")
    code = (
        "from proxies import launcher\n"
        "with launcher.microsocks(None) as proxy:\n"
        "    print(proxy.port, flush=True)\n"
        "    input()\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(launcher.__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with run:
        port = int(run.stdout.readline())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        run.send_signal(signal.SIGKILL)
    async with asyncio.timeout(30):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""  # it waits for a greeting for as long as it lives
    writer.close()
