"""What an answer cost, as Gemini's wire counts it.

Wire facts: Google's reference of `UsageMetadata`. The counts grow from chunk to chunk, and a later
chunk may leave some out. `promptTokenCount` has the cached tokens in it, and `candidatesTokenCount`
does not have those of the thinking. Each request of an answer that is gone on with is counted by
itself.
"""

from __future__ import annotations

import msgspec

from asyncllm.events import Usage
from asyncllm.wires.gemini.chunks import Counts
from asyncllm.wires.loose import as_count, as_mapping

_CAMEL = {
    field.name: field.encode_name for field in msgspec.structs.fields(Counts)
}  # the wire's name of each


class Counted:
    """The newest counts of an answer, over all requests that it took.

    Attributes:
        newest: those of the newest request; to be replaced by such as have the same fields.
        known: which of them are known.

    """

    __slots__ = ("_before", "known", "newest")

    def __init__(self, before: Counts | None = None) -> None:
        self._before = before or Counts()  # of requests that are over
        self.newest = Counts()
        self.known: frozenset[str] = frozenset()

    def add(self, said: object) -> None:
        """Take a `usageMetadata` of any shape; what it leaves out stays as it was."""
        told = as_mapping(said)
        counts = {name: as_count(told.get(camel)) for name, camel in _CAMEL.items()}
        newer = {name: count for name, count in counts.items() if count is not None}
        if newer:
            older = {name: getattr(self.newest, name) for name in self.known}
            self.newest = Counts(**{**older, **newer})
            self.known = self.known.union(newer)

    def so_far(self) -> Counts:
        """Return the counts of all requests together."""
        return Counts(**{name: self._sum(name) for name in _CAMEL})

    def usage(self) -> Usage | None:
        """Return what the answer cost; None where nothing was said of it."""
        counts = self.so_far()
        if not any(getattr(counts, name) is not None for name in _CAMEL):
            return None
        written, thought = counts.candidates_token_count, counts.thoughts_token_count
        is_known = written is not None or thought is not None
        return Usage(
            prompt_tokens=counts.prompt_token_count,
            completion_tokens=(written or 0) + (thought or 0) if is_known else None,
            total_tokens=counts.total_token_count,
            cached_tokens=counts.cached_content_token_count,
            reasoning_tokens=thought,
        )

    def _sum(self, name: str) -> int | None:
        told = [getattr(each, name) for each in (self._before, self.newest)]
        known = [count for count in told if count is not None]
        return sum(known) if known else None
