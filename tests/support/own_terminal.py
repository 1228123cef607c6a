"""The command line on a terminal of its own: Ctrl-C that is typed there is a signal."""

import os
import pty
import subprocess
import sys

# The leader of a new session takes the terminal, and becomes the command line.
_LEADER = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-W", "error", "-m", "asyncllm", *sys.argv[1:]])
"""


class OwnTerminal:
    """A run of asyncllm with all of its streams on a terminal of its own.

    Args:
        arguments: what is typed after `asyncllm`.
        columns: how wide the terminal is.
        environment: variables besides those of this process.

    """

    def __init__(self, *arguments, columns=80, **environment):
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LEADER, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "COLUMNS": str(columns), **environment},
        )
        os.close(theirs)
        self._written = bytearray()

    def read_until(self, text):
        """Wait until `text` was written."""
        while text not in self._written.decode(errors="replace"):
            self._written += os.read(self._ours, 65_536)

    def type(self, text):
        os.write(self._ours, text.encode())

    def wait(self):
        """Return the exit status, and all that was written."""
        try:
            while data := os.read(self._ours, 65_536):
                self._written += data
        except OSError:  # Linux says so that nobody writes any more
            pass
        status = self._process.wait(60)
        os.close(self._ours)
        return status, self._written.decode(errors="replace").replace("\r\n", "\n")
