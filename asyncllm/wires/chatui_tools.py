"""The tools that today's chat-ui calls by itself while an answer comes.

Wire facts: chat-ui's source; its calls are nobody else's to answer, so they are no `ToolCall`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from asyncllm.events import ToolResult
from asyncllm.wires.loose import as_list, as_mapping, as_text

_MOST_TOLD = 1000  # calls of one answer


class ToolUpdate(NamedTuple):
    """What an update says of a call, by its own names, in any shape."""

    subtype: object
    uuid: object
    call: object
    result: object
    message: object


class ServerTools:
    """The calls of one answer."""

    __slots__ = ("_names", "_results")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # of tools, by the ids of their calls
        self._results: set[str] = set()

    @property
    def told(self) -> int:
        """How many results were given out."""
        return len(self._results)

    def result_in(self, update: ToolUpdate) -> ToolResult | None:
        """Return what a tool returned; None where nothing is said of that, or it was said before.

        It was said before where an answer is followed again after its connection broke.
        """
        identifier = as_text(update.uuid)
        call = as_mapping(update.call)
        is_error = True
        match update.subtype:
            case "call" if len(self._names) < _MOST_TOLD:
                self._names[identifier] = as_text(call.get("name"))
                return None
            case "result":
                result = as_mapping(update.result)
                call = as_mapping(result.get("call"))
                is_error = result.get("status") == "error"
                content = as_text(result.get("message")) or _as_text(as_list(result.get("outputs")))
            case "error":
                content = as_text(update.message)
            case _:
                return None
        if identifier in self._results or len(self._results) >= _MOST_TOLD:
            return None
        self._results.add(identifier)
        name = as_text(call.get("name")) or self._names.get(identifier, "")
        return ToolResult(identifier, name, content, is_error=is_error)


def _as_text(outputs: list[object]) -> str:
    """Return what a tool returned: a text as it is, and anything else as JSON."""
    texts = [as_text(as_mapping(output).get("content")) for output in outputs]
    if all(texts):
        return "\n".join(texts)
    try:
        return msgspec.json.encode(outputs).decode()
    except (UnicodeEncodeError, RecursionError):  # of halves of characters, and of what is too deep
        return ""
