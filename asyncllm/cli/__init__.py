"""The command line: a module for each command, and none of them heavy until it is run."""

INTERRUPTED = 130  # the exit status after Ctrl-C
