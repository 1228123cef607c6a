"""Parts of an answer that are neither text nor calls for the caller: what tools of the server did.

Wire facts: Google's reference of `Part`. The code that the model ran and what came of it, and calls
of other tools of the server, go back with the next turn as they came; so do images that it made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import Media, ToolResult
from asyncllm.wires.loose import as_bytes, as_kept, as_mapping, as_text
from asyncllm.wires.tool_calls import as_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncllm.wires.facts import Facts
    from asyncllm.wires.gemini.layout import Layout

_FINE = frozenset({"OUTCOME_OK", "OUTCOME_UNSPECIFIED", "1", "0", ""})
_MOST_RUNS = 100  # of code, that are told
_UNKNOWN = "application/octet-stream"


class Others:
    """What is done with such parts of one answer.

    Args:
        layout: where to put down how they lay.
        facts: where to note the code that was run, as "executableCode".

    """

    __slots__ = ("_code", "_facts", "_layout")

    def __init__(self, layout: Layout, facts: Facts) -> None:
        self._layout = layout
        self._facts = facts
        self._code: list[object] = []

    def items_of(self, part: dict[str, object]) -> Iterator[ToolResult | Media]:
        """Yield what a part says to the caller, and keep it for the next turn."""
        self._layout.add_part(part)
        code = as_mapping(part.get("executableCode"))
        if code and len(self._code) < _MOST_RUNS and as_kept(code):
            self._code = [*self._code, code]
            self._facts.note("executableCode", self._code)
        if result := as_mapping(part.get("codeExecutionResult")):
            is_error = as_text(result.get("outcome")) not in _FINE
            output = as_text(result.get("output"))
            yield ToolResult(as_text(result.get("id")), "code_execution", output, is_error=is_error)
        if answer := as_mapping(part.get("toolResponse")):
            content = as_json(as_mapping(answer.get("response")))
            yield ToolResult(as_text(answer.get("id")), as_text(answer.get("toolType")), content)
        if not part.get("thought"):  # of which images are drafts
            yield from _media_of(part)


def _media_of(part: dict[str, object]) -> Iterator[Media]:
    inline, stored = as_mapping(part.get("inlineData")), as_mapping(part.get("fileData"))
    if data := as_bytes(inline.get("data")):
        yield Media(as_text(inline.get("mimeType")) or _UNKNOWN, data)
    if url := as_text(stored.get("fileUri")):
        yield Media(as_text(stored.get("mimeType")) or _UNKNOWN, url=url)
