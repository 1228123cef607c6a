"""The soak for some seconds; CI runs its minute, `python -m benchmarks.soak --seconds 60`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def soak(*options):
    """Run the soak and return its report; a soak that finds anything wrong fails the test."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=110,
    )
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


def test_five_hundred_streams_cancelled_at_random_moments_leave_nothing():
    report = soak("--cancel-only", "500")
    ends = figures(report, "streams ")
    assert ends["cancelled"] + ends["closed"] >= 500
