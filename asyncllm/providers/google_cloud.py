"""Where Vertex AI is, and the tokens that it takes."""

from __future__ import annotations

import asyncio
import inspect
import os
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import quote

import msgspec

from asyncllm.errors import ConfigurationError

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""An OAuth access token, or a function that returns one."""

_PROJECT, _LOCATION = "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"
_EVERYWHERE = "global"
_OF_SEVERAL_REGIONS = frozenset({"us", "eu"})
_IS_PLACE = re.compile(r"[a-z0-9-]+").fullmatch


class Place(msgspec.Struct, frozen=True):
    """A project at a location.

    Attributes:
        url: the server.
        path: where on it the project's models are asked, without the API's version.

    """

    url: str
    path: str


def place_of(project: str | None, location: str | None) -> Place:
    """Return where a project is asked; the environment says what is left out.

    Args:
        project: its id.
        location: a region, "us", "eu" or "global", which is the default.

    Raises:
        ConfigurationError: there is no project, or the location is no name of one.

    """
    project = project or os.environ.get(_PROJECT)
    location = location or os.environ.get(_LOCATION) or _EVERYWHERE
    if not project:
        raise ConfigurationError(f"Vertex AI needs a project: pass project=, or set {_PROJECT}")
    if not _IS_PLACE(location):
        raise ConfigurationError(f"location must be a name such as 'global', not {location!r:.50}")
    host = f"{location}-aiplatform.googleapis.com"
    if location == _EVERYWHERE:
        host = "aiplatform.googleapis.com"
    elif location in _OF_SEVERAL_REGIONS:
        host = f"aiplatform.{location}.rep.googleapis.com"
    path = f"/projects/{quote(project, safe=':')}/locations/{location}"
    return Place(f"https://{host}", path)


def check_token(token: object) -> None:
    """Refuse what is neither a token nor a function.

    Raises:
        ConfigurationError: it is something else.

    """
    if token is not None and not (isinstance(token, str) or callable(token)):
        raise ConfigurationError(
            f"token must be a str or a function that returns one, not {type(token).__name__}"
        )


async def given_token(function: Callable[[], str | Awaitable[str]]) -> str:
    """Return the token that a function gives now.

    One that is not `async` is called in a thread, as it may ask Google for a new one.

    Raises:
        ConfigurationError: what it returns is no token.

    """
    given = function() if _is_async(function) else await asyncio.to_thread(function)
    token = await given if isinstance(given, Awaitable) else given
    if not isinstance(token, str) or not token:
        raise ConfigurationError(
            f"the function passed as token= returned {type(token).__name__}, not a token"
        )
    return token


def _is_async(function: Callable[[], object]) -> bool:
    called = getattr(function, "__call__", None)  # noqa: B004 - of an object that is no function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)
