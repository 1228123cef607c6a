"""The sources that an answer names, each once, as services with OpenAI's chat wire write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm.errors import ReplyTooLargeError
from asyncllm.events import Citation
from asyncllm.wires.loose import as_count, as_list, as_mapping, as_text, is_same

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_SOURCES = 10_000


class Sources:
    """What has been given out of the sources of one answer, to give out each once.

    Its methods raise `ReplyTooLargeError` where there are too many.
    """

    __slots__ = ("_known", "_newest")

    def __init__(self) -> None:
        self._known: set[tuple[str, int | None, int | None]] = set()
        self._newest: tuple[object, object] = (None, None)

    def searched(self, citations: object, results: object) -> list[Citation]:
        """Return those of a chunk's sources that are new.

        Perplexity repeats them all with every chunk.

        Args:
            citations: addresses, in the order of the marks `[1]`, `[2]` … in the text.
            results: what was found, with titles and excerpts; mostly at the same addresses.

        """
        if is_same((citations, results), self._newest):
            return []
        self._newest = citations, results
        found = {each.url: each for each in map(_result, as_list(results))}
        cited = [
            each if isinstance(each, str) else _result(each).url for each in as_list(citations)
        ]
        urls = dict.fromkeys([*cited, *found])  # each once, in their order
        return self.new(found.get(url) or Citation(url=url) for url in urls if url)

    def annotated(self, annotations: object) -> list[Citation]:
        """Return the new sources among a delta's annotations."""
        return self.new(
            _annotation(as_mapping(each))
            for each in as_list(annotations)
            if as_mapping(each).get("type") == "url_citation"
        )

    def referred(self, part: dict[str, object]) -> list[Citation]:
        """Return the new sources of a Mistral reference, which is a part of the content.

        They have the ids of documents that the caller has sent, as their titles.
        """
        ids = [as_text(each) for each in as_list(part.get("reference_ids"))]
        return self.new(Citation(title=each) for each in ids if each)

    def new(self, citations: Iterable[Citation]) -> list[Citation]:
        """Return those of the sources that are new."""
        new = []
        for each in citations:
            key = each.url or each.title, each.start, each.end
            if key not in self._known:
                self._known.add(key)
                new.append(each)
        if len(self._known) > _MOST_SOURCES:
            raise ReplyTooLargeError(f"the answer names more than {_MOST_SOURCES} sources")
        return new


def _result(said: object) -> Citation:
    result = as_mapping(said)
    text = as_text(result.get("snippet")) or as_text(result.get("content"))
    return Citation(as_text(result.get("url")), as_text(result.get("title")), text)


def _annotation(said: dict[str, object]) -> Citation:
    cited = as_mapping(said.get("url_citation")) or said
    return Citation(
        as_text(cited.get("url")),
        as_text(cited.get("title")),
        as_text(cited.get("content")),
        as_count(cited.get("start_index")),
        as_count(cited.get("end_index")),
    )
