"""The command line on a terminal of its own: Ctrl-C that is typed there is a signal."""

import sys

from support.command_line import OnTerminal

# The leader of a new session takes the terminal, and becomes the command line.
_LEADER = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-W", "error", "-m", "asyncllm", *sys.argv[1:]])
"""


class OwnTerminal(OnTerminal):
    """A run of asyncllm with all of its streams on a terminal of its own.

    Args:
        arguments: what is typed after `asyncllm`.
        columns: how wide the terminal is.
        environment: variables besides those of this process.

    """

    program = (sys.executable, "-c", _LEADER)
    has_session = True

    def __init__(self, *arguments, columns=80, **environment):
        super().__init__(*arguments, stdin=None, COLUMNS=str(columns), **environment)
