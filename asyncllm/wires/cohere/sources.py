"""The sources that an answer of Cohere's names.

Wire facts: `Citation` and `Source` of Cohere's reference of `POST /v2/chat`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import Citation
from asyncllm.wires.loose import as_count, as_kept, as_list, as_mapping, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANSWER = "TEXT_CONTENT"  # what is cited in, if not said otherwise: a plan and thinking may be too
_TEXTS = ("text", "snippet", "content")


def citations_in(said: object) -> Iterator[Citation]:
    """Yield a citation for each source that a citation of Cohere's names.

    Args:
        said: the citation, or several.

    """
    for each in as_list(said) or [said]:
        citation = as_mapping(as_kept(each))
        is_of_answer = citation.get("type") in (None, _ANSWER)
        start = as_count(citation.get("start")) if is_of_answer else None
        end = as_count(citation.get("end")) if is_of_answer else None
        for source in map(as_mapping, as_list(citation.get("sources"))):
            told = as_mapping(source.get("document")) or as_mapping(source.get("tool_output"))
            yield Citation(
                url=as_text(told.get("url")),
                title=as_text(told.get("title")) or as_text(source.get("id")),
                text=next((text for name in _TEXTS if (text := as_text(told.get(name)))), ""),
                start=start,
                end=end,
            )
