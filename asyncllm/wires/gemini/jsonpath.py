"""Arguments of a function that come in pieces, each with the place where it belongs.

Wire facts: Google's reference of `PartialArg`, whose `jsonPath` is one of RFC 9535 that names a
single place, such as `$.stops[0].city` or `$['a b']`. A text goes on in the next piece with the
same path where `willContinue` says so.
"""

from __future__ import annotations

import json
import re
from sys import getsizeof
from typing import TypeAlias, cast

from asyncllm.errors import ProtocolError
from asyncllm.sizes import size_of
from asyncllm.wires.loose import as_mapping, as_text

_Path: TypeAlias = tuple[str | int, ...]

_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]]+)
    |\[(?P<index>\d{1,6})\]
    |\[(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\]""",
    re.VERBOSE | re.DOTALL,
)
_MOST_STEPS = 100
_STEP_BYTES = 300  # of what one step of a path may add: a mapping, and a name


class PartialArguments:
    """The arguments of one call, put together from their pieces."""

    __slots__ = ("_open", "_root", "_texts")

    def __init__(self) -> None:
        self._root: dict[str, object] = {}
        self._texts: dict[_Path, list[str]] = {}  # in pieces, as they may be many
        self._open: _Path | None = None  # the text that goes on

    def add(self, said: object) -> int:
        """Add a piece, and return about how many bytes of memory it takes.

        Raises:
            ProtocolError: there is no such place.

        """
        piece = as_mapping(said)
        written = as_text(piece.get("jsonPath"))
        path = _parsed(written)
        text = piece.get("stringValue")
        size = 0
        if isinstance(text, str):
            pieces = self._texts.get(path) if path == self._open else None
            if pieces is None:
                pieces = self._texts[path] = []
                self._put(path, "", written)  # in the order in which they begin
                size = getsizeof(written) + _STEP_BYTES * len(path)
            pieces.append(text)
            size += getsizeof(text)
        elif kind := next((kind for kind in _KINDS if kind in piece), ""):
            self._texts.pop(path, None)
            self._put(path, None if "nullValue" in piece else piece[kind], written)
            size = getsizeof(written) + _STEP_BYTES * len(path) + size_of(piece[kind])
        self._open = path if piece.get("willContinue") else None
        return size

    def whole(self) -> dict[str, object]:
        """Return the arguments."""
        for path, pieces in self._texts.items():
            self._put(path, "".join(pieces), "")
        return self._root

    def _put(self, path: _Path, value: object, written: str) -> None:
        place = cast("object", self._root)
        for step, following in zip(path, [*path[1:], None], strict=True):
            is_last = following is None
            made: object = value
            if not is_last:
                made = [] if isinstance(following, int) else {}
            if isinstance(step, int) and isinstance(place, list) and step <= len(place):
                items = cast("list[object]", place)
                items += [None] if step == len(items) else []  # one after the other
                if is_last or items[step] is None:
                    items[step] = made
                place = items[step]
            elif isinstance(step, str) and isinstance(place, dict):
                fields = cast("dict[str, object]", place)
                if is_last or fields.get(step) is None:
                    fields[step] = made
                place = fields[step]
            else:
                raise _no_place(written)


_KINDS = ("numberValue", "boolValue", "nullValue")


def _parsed(written: str) -> _Path:
    """Return the steps of a path, the first of them a name."""
    steps: list[str | int] = []
    at = 1
    while at < len(written):
        found = _STEP.match(written, at)
        if found is None or len(steps) == _MOST_STEPS:
            raise _no_place(written)
        at = found.end()
        if found["index"]:
            steps.append(int(found["index"]))
        else:
            steps.append(found["name"] or _unquoted(found["quoted"]))
    if not written.startswith("$") or not steps or isinstance(steps[0], int):
        raise _no_place(written)
    return tuple(steps)


def _unquoted(quoted: str) -> str:
    text = quoted[1:-1]
    if quoted[0] == "'":
        text = text.replace("\\'", "'").replace('"', '\\"')
    try:
        name = json.loads(f'"{text}"')
    except ValueError:
        name = text
    return str(name)


def _no_place(written: str) -> ProtocolError:
    return ProtocolError(
        f"the server sent an argument for a place that does not exist: {written!r}"
    )
