"""`asyncllm` and `python -m asyncllm`."""

from __future__ import annotations

import sys

from asyncllm.cli import INTERRUPTED


def main() -> None:
    """Run the command line; its exit status is 130 after Ctrl-C."""
    try:
        try:
            from asyncllm.cli.app import run  # noqa: PLC0415 - the command line is an extra
        except ModuleNotFoundError as error:
            if error.name != "typer":
                raise
            sys.exit("asyncllm: the command line needs an extra: pip install 'asyncllm-sdk[cli]'")
        run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
