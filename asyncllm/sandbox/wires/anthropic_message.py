"""An answer in the forms that Anthropic has for it: a row of events, or one message."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from asyncllm.sandbox.wires.anthropic_blocks import (
    citation_deltas,
    delta_of,
    events_of,
    start_of,
    stop_of,
)
from asyncllm.sandbox.wires.openai_style import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asyncllm.sandbox.faults import ErrorInStream
    from asyncllm.sandbox.wires.body import JSON

_PING = encode({"type": "ping"})


@dataclass(frozen=True)
class Message:
    """What is answered.

    `before` are blocks that come before anything is generated: thinking, and what the server's own
    tools are asked and return. What is generated is the tokens of a text, or `calls`, which are
    blocks; there may be neither. `counts` are those of the input.
    """

    model: str
    stop_reason: str
    before: Sequence[JSON] = ()
    tokens: Sequence[str] = ()
    calls: Sequence[JSON] = ()
    citations: Sequence[JSON] = ()
    stop_sequence: str | None = None
    stop_details: JSON | None = None
    counts: JSON = field(default_factory=dict[str, object])
    thinking_tokens: int = 0
    id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")

    @cached_property
    def pieces(self) -> Sequence[str]:
        """What is generated piece by piece: see `event_of`."""
        if not self.calls:
            return self.tokens
        return [
            event
            for index, call in enumerate(self.calls, self._index)
            for event in events_of(index, call)
        ]

    def opening(self) -> Iterator[str]:
        """Write the events before the first piece."""
        message = {**self._frame, "content": [], "stop_reason": None, "stop_sequence": None}
        start = {**message, "stop_details": None, "usage": {**self.counts, "output_tokens": 1}}
        yield encode({"type": "message_start", "message": start})
        for index, block in enumerate(self.before):
            yield from events_of(index, block)
        if self.tokens:
            yield start_of(self._index, self._text)
            yield _PING
            for delta in citation_deltas(self._text):
                yield delta_of(self._index, delta)
        else:
            yield _PING

    def event_of(self, piece: str) -> str:
        """Write the event for one piece."""
        if self.calls:
            return piece
        # Nothing but the token differs, and there may be a hundred thousand of them.
        return f"{self._before_token}{encode(piece)}}}}}"

    def ending(self) -> Iterator[str]:
        """Write what comes after the last piece."""
        if self.tokens:
            yield stop_of(self._index)
        yield encode({"type": "message_delta", "delta": self._end, "usage": self.usage})
        yield encode({"type": "message_stop"})

    def whole(self) -> JSON:
        """Make the answer one message."""
        text = [self._text] if self.tokens else []
        content = [*self.before, *text, *self.calls]
        return {**self._frame, "content": content, **self._end, "usage": self.usage}

    @cached_property
    def usage(self) -> JSON:
        """The token counts."""
        written = len(self.pieces) + self.thinking_tokens
        details = {"output_tokens_details": {"thinking_tokens": self.thinking_tokens}}
        return {**self.counts, "output_tokens": written, **details}

    @property
    def _index(self) -> int:
        """The place of the first block that is generated."""
        return len(self.before)

    @property
    def _text(self) -> JSON:
        block: JSON = {"type": "text", "text": "".join(self.tokens)}
        return {**block, "citations": [*self.citations]} if self.citations else block

    @property
    def _frame(self) -> JSON:
        return {"id": self.id, "type": "message", "role": "assistant", "model": self.model}

    @property
    def _end(self) -> JSON:
        return {
            "stop_reason": self.stop_reason,
            "stop_sequence": self.stop_sequence,
            "stop_details": self.stop_details,
        }

    @cached_property
    def _before_token(self) -> str:
        written = delta_of(self._index, {"type": "text_delta", "text": ""})
        return written.removesuffix('""}}')


def failing(fault: ErrorInStream) -> list[str]:
    """Write what comes in the place of the rest."""
    kind = "api_error" if fault.type == "server_error" else fault.type
    error = {"type": kind, "message": fault.message}
    return [encode({"type": "error", "error": error, "request_id": None})]
