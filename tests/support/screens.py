"""A terminal: what is written to it as its user sees it, and a process that runs on one."""

import fcntl
import io
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

import pyte

SECONDS = 30.0
# The first terminal that a leader of a session opens is its own: Ctrl-C is a signal to it there.
ON_ITS_OWN = ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1']


class Terminal:
    """A terminal of some lines, with what has scrolled out of it."""

    def __init__(self, columns=16, lines=6):
        self.screen = pyte.HistoryScreen(columns, lines, history=1000, ratio=0.5)
        self._stream = pyte.Stream(self.screen)

    def write(self, text):
        self._stream.feed(text)

    @property
    def text(self):
        """Everything there is, from the first line that was ever written."""
        seen = (self.screen.buffer[n] for n in range(self.screen.lines))
        rows = [*self.screen.history.top, *seen]
        columns = range(self.screen.columns)
        lines = ["".join(row[n].data for n in columns).rstrip() for row in rows]
        return "\n".join(lines).rstrip("\n")


class Screen(io.TextIOWrapper):
    """A terminal that keeps what was written there."""

    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")

    def isatty(self):
        return True

    def getvalue(self):
        self.flush()
        return self.buffer.getvalue().decode()


class Running:
    """A process on a terminal of its own, whose user waits for what there is to see."""

    def __init__(self, *arguments, columns=80, lines=24, **environment):
        self._ours, theirs = pty.openpty()
        self._theirs = theirs  # open, so that reading is never an error
        self.terminal = Terminal(columns, lines)
        self.terminal.screen.write_process_input = self.type  # as it is asked where its cursor is
        self.resize(columns, lines)
        self.raw = ""
        self.process = subprocess.Popen(
            [*ON_ITS_OWN, os.ttyname(theirs), sys.executable, "-W", "error", "-m", *arguments],
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(SECONDS)
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def text(self):
        return self.terminal.text

    def type(self, text):
        os.write(self._ours, text.encode())

    def resize(self, columns, lines):
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.terminal.screen.resize(lines, columns)

    def wait_for(self, *texts, times=1):
        """Wait until all of `texts` can be seen, or could before they scrolled out."""
        self._wait(lambda: all(self.text.count(text) >= times for text in texts), texts)

    def wait_until(self, holds):
        """Wait until what is on the screen is so."""
        self._wait(lambda: holds(self.text), holds)

    def end(self):
        """Wait for the end, and return the exit status."""
        self._wait(lambda: self.process.poll() is not None, "its end")
        while self._reads(0):
            pass
        return self.process.returncode

    def _wait(self, holds, what):
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"no {what!r} in\n{self.text}"
            self._reads(0.05)

    def _reads(self, seconds):
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        data = os.read(self._ours, 65_536)
        self.raw += data.decode(errors="replace")
        self.terminal.write(data.decode(errors="replace"))
        return True


CTRL_C, CTRL_D, CTRL_R, TAB, ENTER, ESC, UP = "\x03", "\x04", "\x12", "\t", "\r", "\x1b", "\x1b[A"
