"""Reading a request's JSON body without trusting it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from aiohttp import web

JSON = dict[str, object]


async def read_object(request: web.Request) -> JSON:
    """Read the JSON object in the body.

    Raises:
        ValueError: the body is not JSON, or another kind of value.

    """
    try:
        body: object = json.loads(await request.read())
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    if isinstance(body, dict):
        return cast("JSON", body)
    raise ValueError("not a JSON object")


def object_in(value: object) -> JSON:
    """Take a value for the object that it should be; for an empty one if it is not."""
    return cast("JSON", value) if isinstance(value, dict) else {}


def list_in(value: object) -> list[object]:
    """Take a value for the list that it should be; for an empty one if it is not."""
    return cast("list[object]", value) if isinstance(value, list) else []
