"""`PartialReply`: what has arrived of an answer, within a bound of memory."""

from __future__ import annotations

from typing import Final, assert_never

from asyncllm.errors import AsyncLLMError, ReplyTooLargeError
from asyncllm.events import (
    Event,
    Finish,
    Item,
    Ping,
    Reasoning,
    Reply,
    ToolCall,
    Usage,
    parts_of,
)

CANCELLED: Final = "cancelled"
"""The `finish_reason` of an answer that was ended before it was whole."""


class PartialReply:
    """What has arrived of an answer; text is joined once for each read, and once when asked for.

    Args:
        model: the full id of the model that was asked.
        max_bytes: the most bytes of memory that it may take.
        keep: whether it keeps the text and the reasoning.

    Attributes:
        model: as given.
        finish_reason: as that of a `Reply`.
        room: bytes that it may take besides; below zero once it is too large.

    """

    __slots__ = (
        "_keep",
        "_max_bytes",
        "_reasoning",
        "_texts",
        "_tool_calls",
        "_usage",
        "finish_reason",
        "model",
        "room",
    )

    def __init__(self, model: str, max_bytes: int, *, keep: bool) -> None:
        self.model = model
        self.finish_reason: str | None = None
        self.room = self._max_bytes = max_bytes
        self._keep = keep
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._tool_calls: list[ToolCall] = []
        self._usage: Usage | None = None

    def add(self, batch: list[Item]) -> bool:
        """Add a batch, and tell whether it is more than pings; an empty one is."""
        text, events = parts_of(batch)
        if text:
            self._keep_text(self._texts, text)
        if not events:
            return True
        told = [self._add_event(event) for event in events]
        return bool(text) or any(told)

    def close(self, error: Exception | None) -> None:
        """Say that nothing more comes; `error`, if that is why, has what came as its `reply`."""
        if error is None:
            self.finish_reason = self.finish_reason or CANCELLED
        elif isinstance(error, AsyncLLMError):
            error.reply = self.reply()

    def refuse(self) -> ReplyTooLargeError:
        """Return the error of an answer that is too large: it has failed, even if all has come."""
        self.finish_reason = None
        return ReplyTooLargeError(
            f"the reply takes more than {self._max_bytes} bytes (SessionManager.max_reply_bytes); "
            "stream with keep=False to read longer ones"
        )

    @property
    def is_whole(self) -> bool:
        """Whether the server has said that nothing is missing, or nothing more is wanted."""
        return self.finish_reason is not None

    def unless_whole(self, error: AsyncLLMError | None) -> AsyncLLMError | None:
        """Return the error that ends an answer before it is whole; None where it is."""
        return None if self.is_whole else error

    def reply(self) -> Reply:
        """Return what has arrived so far."""
        return Reply(
            text="".join(self._texts),
            reasoning="".join(self._reasoning),
            tool_calls=tuple(self._tool_calls),
            usage=self._usage,
            finish_reason=self.finish_reason,
            model=self.model,
        )

    def _add_event(self, event: Event) -> bool:
        """Add what is no text, and tell whether it is more than a ping."""
        match event:
            case Reasoning():
                self._keep_text(self._reasoning, event.text)
            case ToolCall():
                self._tool_calls.append(event)
                for part in (event.id, event.name, event.arguments):
                    self.room -= part.__sizeof__()
            case Usage():
                self._usage = event
            case Finish():
                self.finish_reason = event.reason
            case Ping():
                return False
            case _:
                assert_never(event)
        return True

    def _keep_text(self, texts: list[str], text: str) -> None:
        if self._keep:
            texts.append(text)
            self.room -= text.__sizeof__()
