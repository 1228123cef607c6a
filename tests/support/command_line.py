"""The command line, run as its users run it: in a process of its own."""

import os
import pty
import subprocess
import sys
import time

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


def started(*arguments, stdin=subprocess.DEVNULL, **environment):
    """Return a process that is at work, with pipes for what it writes."""
    return subprocess.Popen(
        [*ASYNCLLM, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


class OnTerminal:
    """A process whose standard error is a terminal, and its standard output as well by default."""

    program = ASYNCLLM
    has_session = False

    def __init__(self, *arguments, stdin=subprocess.DEVNULL, stdout=None, **environment):
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*self.program, *arguments],
            stdin=theirs if stdin is None else stdin,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            start_new_session=self.has_session,
            env={**os.environ, **environment},
        )
        os.close(theirs)
        self._written = bytearray()

    def read_until(self, text):
        """Wait until `text` was written, and return all that was, as text."""
        while text not in self.written:
            data = os.read(self._ours, 65_536)
            assert data, self.written
            self._written += data
        return self.written

    def type(self, text):
        os.write(self._ours, text.encode())

    def wait(self):
        """Return the exit status, and all that was written."""
        try:
            while data := os.read(self._ours, 65_536):
                self._written += data
        except OSError:  # Linux says so that nobody writes any more
            pass
        status = self.process.wait(60)
        os.close(self._ours)
        return status, self.written

    @property
    def written(self):
        return self._written.decode(errors="replace").replace("\r\n", "\n")


def run_on_a_terminal(*arguments, **environment):
    """Return the status of a run whose output is a terminal, and what it wrote there."""
    return OnTerminal(*arguments, **environment).wait()


def wait_until(holds, seconds=30.0):
    """Wait until `holds()`, which another process or thread has be so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come to hold"
        time.sleep(0.01)


def status_of(program):
    """Return the exit status of a program that runs in this process."""
    try:
        program()
    except SystemExit as end:
        return end.code or 0
    return 0
