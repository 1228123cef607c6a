"""The command line."""

INTERRUPTED = 130  # the exit status after Ctrl-C
