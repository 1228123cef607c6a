"""What a chat is to do about what was typed."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from typing import TypeAlias

import msgspec


class Ask(msgspec.Struct, frozen=True):
    """A question is to be sent.

    Attributes:
        message: the user's message.

    """

    message: Mapping[str, object]


class Tell(msgspec.Struct, frozen=True):
    """Something is to be said to whoever types.

    Attributes:
        text: one line or several.
        is_wrong: whether it says that something was typed wrongly.

    """

    text: str
    is_wrong: bool = False


class Switch(msgspec.Struct, frozen=True):
    """Another model is to answer from now on.

    Attributes:
        model: as `-m` takes it.

    """

    model: str


class ListModels(msgspec.Struct, frozen=True):
    """Which model answers is to be said, and which others there are."""


class Save(msgspec.Struct, frozen=True):
    """A file is to be written.

    Attributes:
        path: where.
        text: what.
        may_replace: whether a file that is there may be replaced.

    """

    path: str
    text: str
    may_replace: bool


class Attach(msgspec.Struct, frozen=True):
    """A file is to be read, to go with the next question.

    Attributes:
        source: a path, or a URL.

    """

    source: str


class Copy(msgspec.Struct, frozen=True):
    """A text is to go to the clipboard.

    Attributes:
        text: the text.

    """

    text: str


class Edit(msgspec.Struct, frozen=True):
    """A question is to stand at the prompt again, to be changed.

    Attributes:
        text: what it was.

    """

    text: str


class Quit(msgspec.Struct, frozen=True):
    """The chat is over."""


Effect: TypeAlias = Ask | Tell | Switch | ListModels | Save | Attach | Copy | Edit | Quit
