"""What Anthropic's blocks say besides text: sources, and the results of the server's own tools.

Wire facts: Anthropic's reference, `TextCitation` and the blocks `*_tool_result`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import Citation, ToolResult
from asyncllm.wires.anthropic.blocks import as_json
from asyncllm.wires.loose import as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncllm.wires.anthropic.blocks import Block

_RESULT = "_tool_result"
_ENCRYPTED = "encrypted_"  # what begins so only the server can read


def citations_of(sources: Iterable[object], start: int, end: int) -> list[Citation]:
    """Return the sources of a block of text, each with the part of the answer that cites it.

    Args:
        sources: as they came.
        start: where in the answer's text the block begins.
        end: where it ends.

    """
    return [
        Citation(
            url=as_text(cited.get("url")) or as_text(cited.get("source")),
            title=as_text(cited.get("title")) or as_text(cited.get("document_title")),
            text=as_text(cited.get("cited_text")),
            start=start,
            end=end,
        )
        for cited in map(as_mapping, sources)
    ]


def is_result(block: Block) -> bool:
    """Tell whether a block is what a tool of the server's returned."""
    return block.kind.endswith(_RESULT)


def result_of(block: Block, names: dict[str, str]) -> ToolResult:
    """Return what a tool of the server's returned.

    Args:
        block: a block for which `is_result` holds.
        names: those of the tools that were called, by the ids of the calls.

    """
    content = block.fields.get("content")
    called = as_text(block.fields.get("tool_use_id"))
    failed = as_text(as_mapping(content).get("type")).endswith("_error")
    return ToolResult(
        id=called,
        name=names.get(called) or block.kind.removesuffix(_RESULT),
        content=content if isinstance(content, str) else as_json(_readable(content)),
        is_error=failed or block.fields.get("is_error") is True,
    )


def _readable(content: object) -> object:
    """Return what a tool returned without what only the server can read."""
    if isinstance(content, list):
        return [_readable(each) for each in content]
    if not isinstance(content, dict):
        return content
    return {
        name: _readable(value)
        for name, value in content.items()
        if not str(name).startswith(_ENCRYPTED)
    }
