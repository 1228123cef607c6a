"""`name=value`, as options give it."""

from __future__ import annotations

import json
from typing import Any

import typer


def name_and_value(text: str) -> tuple[str, Any]:
    """Return the name and the value of `name=value`: JSON where it is some, or else text.

    Raises:
        BadParameter: it is written in another way.

    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"write it as name=value, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
