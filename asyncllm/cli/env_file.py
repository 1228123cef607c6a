"""`--env-file`: variables from a `.env`, for those that the environment has not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asyncllm.cli.home import refused

if TYPE_CHECKING:
    from pathlib import Path


def read_env_file(path: Path) -> None:
    """Put what a `.env` has into the environment, except what is there already.

    Raises:
        ConfigurationError: it can't be read.

    """
    from dotenv import dotenv_values  # noqa: PLC0415 - seldom needed

    try:
        with path.open(encoding="utf-8-sig") as file:
            values = dotenv_values(stream=file)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise refused(f"{path} can't be read: {reason}") from None
    for name, value in values.items():
        if value is not None:
            if "\0" in name + value:
                raise refused(f"{path} can't be read: it is no text")
            os.environ.setdefault(name, value)
