"""Builds the site as it is published; a warning is an error."""

import subprocess
import sys


def build_site(docs, out):
    """Build the pages of a folder, and return where they are."""
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html", docs, out],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return out
