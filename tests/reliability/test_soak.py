"""The soak for some seconds; CI runs its minute, `python -m benchmarks.soak --seconds 60`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRIALS = {
    "a ledger is deleted",
    "a ledger is locked",
    "a proxy dies at any moment",
    "a proxy that forwards dies",
    "a proxy with tunnels dies",
    "a server is away",
    "a server is away at the end",
    "hostile ids",
    "identities",
    "odd answers",
    "Retry-After: 0",
}


NEVER_DELETED = """
import sys
from asyncllm.providers.chatui_2023 import ChatUI2023
from benchmarks.soak.__main__ import main

async def delete(self, conversation_id):
    pass

ChatUI2023.delete = delete
sys.exit(main())
"""


def run_soak(*command):
    """Run a Python program that ends, and return its end."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=110,
    )


def soak(*options):
    """Run the soak and return its report; a soak that finds anything wrong fails the test."""
    run = run_soak("-m", "benchmarks.soak", *options)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    return run.stdout


def figures(report, name):
    """Return a line of the report as a dictionary: what is counted → how often."""
    line = next(line for line in report.splitlines() if line.startswith(name))
    pairs = [pair.split(" ", 1) for pair in line.partition(": ")[2].split(", ")]
    return {what: int(number) for number, what in pairs}


pytestmark = [
    pytest.mark.reliability,
    pytest.mark.skipif(
        not (ROOT / "benchmarks" / "soak").exists() or not Path("/proc/self/fd").exists(),
        reason="needs the folder benchmarks, which the source distribution lacks, and /proc",
    ),
]


def test_streams_under_faults_and_restarts_end_in_one_of_four_ways_and_leave_nothing():
    report = soak("--seconds", "10")
    assert set(figures(report, "streams ")) == {"finished", "closed", "cancelled", "failed"}
    assert figures(report, "the server")["restarts"] >= 1
    assert figures(report, "trials").keys() == TRIALS


@pytest.mark.parametrize(
    "options",
    [
        ["--uvloop", "--ledger"],
        ["--tls"],
        pytest.param(
            ["--eager", "--ledger"],
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 has them"),
        ),
    ],
    ids=" ".join,
)
def test_five_hundred_streams_leave_nothing_wherever_they_run(options):
    report = soak("--streams", "500", *options, "--trials", "odd_answers", "hostile_ids")
    assert sum(figures(report, "streams ").values()) >= 500


def test_what_is_wrong_is_a_violation_and_the_exit_status():
    # Without faults and restarts, in which a server forgets conversations by itself.
    run = run_soak("-c", NEVER_DELETED, "--cancel-only", "50")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "VIOLATION, 1 times: conversations are left" in run.stdout


def test_five_hundred_streams_cancelled_at_random_moments_leave_nothing():
    report = soak("--cancel-only", "500")
    ends = figures(report, "streams ")
    assert ends["cancelled"] + ends["closed"] >= 500
