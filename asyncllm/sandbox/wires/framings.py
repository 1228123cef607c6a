"""The bytes around payloads: server-sent events in every spelling, JSON lines, a JSON array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from asyncllm.sandbox.faults import Framing

Form: TypeAlias = Literal["data", "named", "lines"]
"""How a wire frames its events: as data alone, with their types as names, or a line each."""


_TYPE = '{"type":"'


class ServerSentEvents:
    """Server-sent events; `space` is what the wire has after the colon of `data:`.

    A framing's `kind` spells the same events in another way. With `names` each event has a name,
    which is the type that its data begin with.
    """

    media_type = "text/event-stream"
    tail = ""

    def __init__(self, space: str, kind: str | None, *, names: bool = False) -> None:
        self._names = names
        self.head = "\ufeff" if kind == "bom" else ""
        self._kind = kind
        self._space = "" if kind == "no_space" else space
        self._number = 0

    def ping(self) -> str:
        """Write a comment."""
        return self._ended(": ping\n\n")

    def event(self, payload: str, name: str | None) -> str:
        """Write an event, with its name if it has one."""
        if self._names and payload.startswith(_TYPE):
            name = payload[len(_TYPE) :].partition('"')[0]
        if self._kind is None and name is None:
            return f"data:{self._space}{payload}\n\n"
        data = [payload]
        if self._kind == "multi_line" and payload.startswith("{"):
            # Between the braces a line break is only white space to JSON.
            data = [payload[0], payload[1:-1], payload[-1]]
        lines = [f"data:{self._space}{part}\n" for part in data]
        if name is not None:
            lines.insert(0, f"event:{self._space}{name}\n")
        if self._kind == "id_retry":
            self._number += 1
            lines.insert(0, f"id: {self._number}\nretry: 3000\n")
        if self._kind == "comments":
            lines.insert(0, ": keep-alive\n\n")
        return self._ended("".join([*lines, "\n"]))

    def _ended(self, lines: str) -> str:
        match self._kind:
            case "crlf":
                return lines.replace("\n", "\r\n")
            case "cr":
                return lines.replace("\n", "\r")
            case _:
                return lines


class JSONLines:
    """A payload a line."""

    media_type = "application/x-ndjson"
    head = tail = ""

    def ping(self) -> str:
        """Write an empty line."""
        return "\n"

    def event(self, payload: str, _name: str | None) -> str:
        """Write a line; there is no place for a name in it."""
        return f"{payload}\n"


class JSONArray:
    """One array, with an element for each payload that is an object."""

    media_type = "application/json"
    head, tail = "[", "]"

    def __init__(self) -> None:
        self._separator = ""

    def ping(self) -> str:
        """Write white space, which may stand between any two elements."""
        return "\n"

    def event(self, payload: str, _name: str | None) -> str:
        """Write an element; a mark such as `[DONE]` is none, and the array's end says as much."""
        if not payload.startswith("{"):
            return ""
        separator, self._separator = self._separator, ",\n"
        return f"{separator}{payload}"


def framer(
    framing: Framing | None, space: str, form: Form = "data"
) -> ServerSentEvents | JSONLines | JSONArray:
    """Make what writes one body in the declared framing, or in the wire's own."""
    match framing.kind if framing is not None else None:
        case "json_lines":
            return JSONLines()
        case "json_array":
            return JSONArray()
        case None | "one_byte" if form == "lines":
            return JSONLines()
        case kind:
            return ServerSentEvents(space, kind, names=form == "named")
