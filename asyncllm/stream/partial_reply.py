"""`PartialReply`: what has arrived of an answer, within a bound of memory."""

from __future__ import annotations

from time import monotonic
from typing import Final, TypeVar, assert_never, cast

from asyncllm.errors import AsyncLLMError, ReplyTooLargeError
from asyncllm.events import (
    About,
    Citation,
    Event,
    Finish,
    Item,
    Logprobs,
    Media,
    Ping,
    Reasoning,
    Refusal,
    Restart,
    ToolCall,
    ToolResult,
    Usage,
    parts_of,
)
from asyncllm.reply import Reply
from asyncllm.sizes import bound_of, size_of

CANCELLED: Final = "cancelled"
"""The `finish_reason` of an answer that was ended before it was whole."""

_E = TypeVar("_E", bound=Event)
_NOTHING = About()


class PartialReply:
    """What has arrived of an answer; text is joined once for each read, and once when asked for.

    Args:
        model: the full id of the model that was asked.
        max_bytes: the most bytes of memory that it may take.
        keep: whether it keeps what comes with each token: text, reasoning, refusal and logprobs.

    Attributes:
        model: as given.
        finish_reason: as that of a `Reply`.
        room: bytes that it may take besides; below zero once it is too large.

    """

    __slots__ = (
        "_about",
        "_began",
        "_ended",
        "_events",
        "_finish",
        "_first_came",
        "_keep",
        "_max_bytes",
        "_reasoning",
        "_refusal",
        "_texts",
        "_usage",
        "finish_reason",
        "model",
        "room",
    )

    finish_reason: str | None
    room: int
    _texts: list[str]
    _reasoning: list[str]
    _refusal: list[str]
    _events: dict[type, list[Event]]  # by their kind, those of which there may be several
    _usage: Usage | None
    _finish: Finish | None

    def __init__(self, model: str, max_bytes: int, *, keep: bool) -> None:
        self.model = model
        self._max_bytes = max_bytes
        self._keep = keep
        self._about = _NOTHING
        self._began = self._first_came = self._ended = 0.0  # by the clock, each once it is so
        self._forget()

    def begin(self) -> None:
        """Say that it is read from now on."""
        self._began = monotonic()

    def add(self, batch: list[Item]) -> bool:
        """Add a batch, and tell whether it is more than pings; an empty one is.

        What is not to be given out is taken out of it.
        """
        text, events = parts_of(batch)
        if events and any(isinstance(event, Restart) for event in events):
            return self._add_anew(batch)
        if text:
            self._keep_text(self._texts, text)
        if events:
            told = [self._add_event(event) for event in events]
            if any(isinstance(event, About) for event in events):
                batch[:] = [item for item in batch if not isinstance(item, About)]
            if not (text or any(told)):
                return False
        self._first_came = self._first_came or monotonic()
        return True

    def _add_anew(self, batch: list[Item]) -> bool:
        """Add a batch in which the answer begins anew: what comes before that is taken back."""
        told: list[Item] = []
        part: list[Item] = []
        for item in batch:
            if isinstance(item, Restart):
                self.add(part)
                self._forget()
                told += [*part, item]
                part = []
            else:
                part.append(item)
        self.add(part)
        batch[:] = [*told, *part]
        self._first_came = self._first_came or monotonic()
        return True

    def close(self, error: Exception | None) -> None:
        """Say that nothing more comes; `error`, if that is why, has what came as its `reply`."""
        self._ended = self._ended or monotonic()
        if error is None:
            self.finish_reason = self.finish_reason or CANCELLED
        elif isinstance(error, AsyncLLMError):
            error.reply = self.reply()

    def refuse(self) -> ReplyTooLargeError:
        """Return the error of an answer that is too large: it has failed, even if all has come."""
        self.finish_reason = None
        return ReplyTooLargeError(
            f"the reply takes more than {self._max_bytes} bytes "
            "(SessionManager.max_reply_bytes); to read longer answers, stream with keep=False"
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
        about, finish = self._about, self._finish
        return Reply(
            text="".join(self._texts),
            reasoning="".join(self._reasoning),
            tool_calls=self._those(ToolCall),
            usage=self._usage,
            finish_reason=self.finish_reason,
            model=about.model or self.model,
            id=about.id,
            provider=about.provider,
            refusal="".join(self._refusal),
            raw_finish_reason=(finish.raw or finish.reason) if finish is not None else None,
            citations=self._those(Citation),
            media=self._those(Media),
            tool_results=self._those(ToolResult),
            logprobs=tuple([token for each in self._those(Logprobs) for token in each.tokens]),
            time_to_first_token=self._since_it_began(self._first_came),
            duration=self._since_it_began(self._ended),
            opaque=about.opaque,
            extra=about.extra,
        )

    def _forget(self) -> None:
        """Be as if nothing had come."""
        self.finish_reason, self._finish = None, None
        self.room = self._max_bytes
        self._texts, self._reasoning, self._refusal = [], [], []
        self._events = {}
        self._usage = None

    def _add_event(self, event: Event) -> bool:
        """Add what is no text, and tell whether it is content."""
        match event:
            case Reasoning():
                self._keep_text(self._reasoning, event.text)
            case Refusal():
                self._keep_text(self._refusal, event.text)
            case Usage():
                self._usage = event
            case Finish():
                self._finish, self.finish_reason = event, event.reason
                self._ended = monotonic()
            case Restart():
                self._forget()
            case Ping():
                return False
            case About():
                self._about = event if self._about is _NOTHING else _both(self._about, event)
                self.room -= bound_of(event) or size_of(event)
                return False
            case ToolCall() | ToolResult() | Citation() | Media() | Logprobs():
                if self._keep or not isinstance(event, Logprobs):
                    self._events.setdefault(type(event), []).append(event)
                    self.room -= size_of(event)
            case _:
                assert_never(event)
        return True

    def _keep_text(self, texts: list[str], text: str) -> None:
        if self._keep:
            texts.append(text)
            self.room -= text.__sizeof__()

    def _those(self, kind: type[_E]) -> tuple[_E, ...]:
        return tuple(cast("list[_E]", self._events.get(kind, [])))

    def _since_it_began(self, moment: float) -> float | None:
        return moment - self._began if moment and self._began else None


def _both(older: About, newer: About) -> About:
    """Return what both say; where they differ, what `newer` says."""
    return About(
        id=newer.id or older.id,
        model=newer.model or older.model,
        provider=newer.provider or older.provider,
        opaque={**older.opaque, **newer.opaque},
        extra={**older.extra, **newer.extra},
    )
