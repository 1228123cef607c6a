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
    """The newest counts of an answer, over all requests that it took."""

    __slots__ = ("_before", "_now")

    def __init__(self, before: Counts | None = None) -> None:
        self._before = before or Counts()  # of requests that are over
        self._now: Counts | None = None

    def add(self, newer: Counts) -> None:
        """Take the counts of a chunk; what they leave out stays as it was."""
        older, self._now = self._now, newer
        if older is None:
            return
        # Field by field, as this is done for each token.
        if newer.prompt_token_count is None:
            newer.prompt_token_count = older.prompt_token_count
        if newer.candidates_token_count is None:
            newer.candidates_token_count = older.candidates_token_count
        if newer.thoughts_token_count is None:
            newer.thoughts_token_count = older.thoughts_token_count
        if newer.cached_content_token_count is None:
            newer.cached_content_token_count = older.cached_content_token_count
        if newer.total_token_count is None:
            newer.total_token_count = older.total_token_count

    def add_said(self, said: object) -> None:
        """Take a `usageMetadata` of any shape."""
        if told := as_mapping(said):
            counts = {name: as_count(told.get(camel)) for name, camel in _CAMEL.items()}
            self.add(Counts(**counts))

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
        told = [getattr(each, name) for each in (self._before, self._now) if each is not None]
        known = [count for count in told if count is not None]
        return sum(known) if known else None
