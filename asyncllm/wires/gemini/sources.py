"""The sources that Gemini's wire names, and how likely its tokens were.

Wire facts: Google's reference of `GroundingMetadata`, `CitationMetadata` and `LogprobsResult`.
Offsets are the server's own: grounding counts bytes of UTF-8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.events import Citation, Logprob, Logprobs
from asyncllm.wires.loose import as_count, as_list, as_mapping, as_number, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = ("web", "retrievedContext", "maps", "image")
_CITATIONS = ("citations", "citationSources")  # on Vertex, and on the Gemini API


def grounded(said: object) -> Iterator[Citation]:
    """Yield the sources of a `groundingMetadata`, once for each part of the text that has them."""
    metadata = as_mapping(said)
    found = [_source(as_mapping(chunk)) for chunk in as_list(metadata.get("groundingChunks"))]
    cited: set[int] = set()
    for each in as_list(metadata.get("groundingSupports")):
        support = as_mapping(each)
        segment = as_mapping(support.get("segment"))
        end = as_count(segment.get("endIndex"))
        # The start is left out where it is 0, as every 0 is.
        start = as_count(segment.get("startIndex")) or (None if end is None else 0)
        for index in map(as_count, as_list(support.get("groundingChunkIndices"))):
            if index is not None and 0 <= index < len(found):
                cited.add(index)
                url, title, text = found[index]
                yield Citation(url, title, text, start, end)
    for index, (url, title, text) in enumerate(found):
        if index not in cited and (url or title):
            yield Citation(url, title, text)


def cited(said: object) -> Iterator[Citation]:
    """Yield the sources of a `citationMetadata`."""
    metadata = as_mapping(said)
    for each in (each for name in _CITATIONS for each in as_list(metadata.get(name))):
        source = as_mapping(each)
        url, title = as_text(source.get("uri")), as_text(source.get("title"))
        if url or title:
            end = as_count(source.get("endIndex"))
            start = as_count(source.get("startIndex")) or (None if end is None else 0)
            yield Citation(url, title, start=start, end=end)


def logprobs_of(said: object) -> Logprobs | None:
    """Return what a `logprobsResult` says; None where it says nothing."""
    result = as_mapping(said)
    tops = [
        tuple(_likely(as_list(as_mapping(each).get("candidates"))))
        for each in as_list(result.get("topCandidates"))
    ]
    chosen = list(_likely(as_list(result.get("chosenCandidates"))))
    tokens = [
        Logprob(token.token, token.logprob, top=tops[n] if n < len(tops) else ())
        for n, token in enumerate(chosen)
    ]
    return Logprobs(tuple(tokens)) if tokens else None


def _source(chunk: dict[str, object]) -> tuple[str, str, str]:
    """Return the address, the title and the text of a grounding chunk."""
    source = next((found for kind in _KINDS if (found := as_mapping(chunk.get(kind)))), {})
    url = as_text(source.get("uri")) or as_text(source.get("sourceUri"))
    return url, as_text(source.get("title")), as_text(source.get("text"))


def _likely(said: list[object]) -> Iterator[Logprob]:
    for token in map(as_mapping, said):
        logprob = as_number(token.get("logProbability"))
        if logprob is not None:
            yield Logprob(as_text(token.get("token")), logprob)
