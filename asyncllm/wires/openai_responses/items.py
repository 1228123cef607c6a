"""What the items of an answer's `output` say, each once it is whole.

Wire facts: the output items of OpenAI's reference of `POST /responses`, such as `message`,
`reasoning`, `image_generation_call`, `web_search_call`, `mcp_call`; and its annotations.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from asyncllm.events import Citation, Media, ToolResult
from asyncllm.wires.loose import as_count, as_list, as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CALL = "_call"
_RESULTS = {  # of what the server runs by itself: where it says what came of it
    "web_search_call": ("action",),
    "file_search_call": ("results", "queries"),
    "code_interpreter_call": ("outputs", "code"),
    "mcp_call": ("output", "error"),
    "shell_call_output": ("output",),  # of a container of the server's
}


def text_in(item: Mapping[str, object]) -> str:
    """Return the text of a message."""
    return "".join(as_text(part.get("text")) for part in _parts(item, "content", "output_text"))


def refusal_in(item: Mapping[str, object]) -> str:
    """Return what a message says in the place of an answer."""
    return "".join(as_text(part.get("refusal")) for part in _parts(item, "content", "refusal"))


def thought_in(item: Mapping[str, object]) -> str:
    """Return what can be read of a reasoning: its summary, or the whole where a server shows it."""
    summary = "".join(as_text(part.get("text")) for part in _parts(item, "summary"))
    return summary or "".join(as_text(part.get("text")) for part in _parts(item, "content"))


def citations_in(item: Mapping[str, object], offset: int) -> Iterator[Citation]:
    """Yield the sources that a message names.

    Args:
        item: the message.
        offset: how much text came before it.

    """
    for part in _parts(item, "content", "output_text"):
        for annotation in as_list(part.get("annotations")):
            yield from citation_of(annotation, offset)


def citation_of(annotation: object, offset: int) -> Iterator[Citation]:
    """Yield the source that an annotation names, if it names one.

    Args:
        annotation: as it came.
        offset: how much text came before the message that it stands in.

    """
    said = as_mapping(annotation)
    start, end = as_count(said.get("start_index")), as_count(said.get("end_index"))
    title = as_text(said.get("title")) or as_text(said.get("filename"))
    url = as_text(said.get("url"))
    if url or title:
        yield Citation(
            url,
            title,
            start=None if start is None else start + offset,
            end=None if end is None else end + offset,
        )


def media_in(item: Mapping[str, object]) -> Iterator[Media]:
    """Yield the image that was made."""
    made = as_text(item.get("result"))
    try:
        data = base64.b64decode(made)
    except ValueError:
        return
    if data:
        yield Media(f"image/{as_text(item.get('output_format')) or 'png'}", data)


def results_in(item: Mapping[str, object]) -> Iterator[ToolResult]:
    """Yield what came of a tool that the server has run, if the item is of one."""
    kind = as_text(item.get("type"))
    if kind in _RESULTS:
        told = (item.get(name) for name in _RESULTS[kind])
        content = next((value for value in told if value), "")
        yield ToolResult(
            id=as_text(item.get("call_id")) or as_text(item.get("id")),
            name=as_text(item.get("name")) or kind.partition(_CALL)[0],
            content=content if isinstance(content, str) else _as_json(content),
            is_error=item.get("status") == "failed" or bool(item.get("error")),
        )


def _parts(item: Mapping[str, object], field: str, kind: str = "") -> list[dict[str, object]]:
    parts = map(as_mapping, as_list(item.get(field)))
    return [part for part in parts if not kind or part.get("type") == kind]


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return ""
