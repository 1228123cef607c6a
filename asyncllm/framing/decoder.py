"""What every decoder of events does: it is fed, it is bounded, and its error loses nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from asyncllm.errors import ProtocolError
from asyncllm.options import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from asyncllm.framing.sse import Payload


class EventDecoder(ABC):
    """An incremental decoder of the events of a body; how the body is cut makes no difference.

    Args:
        max_event_bytes: the most bytes of one event.

    Attributes:
        has_failed: whether something came that can't be read; nothing more is taken then.

    """

    __slots__ = ("_complaint", "_is_between", "_limit", "_pieces", "_size", "has_failed")

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.has_failed = False
        self._complaint = ""
        self._limit = max_event_bytes
        self._is_between = False  # with nothing left of what came before: for short cuts to ask
        self._pieces: list[bytes] = []  # what has no end yet
        self._size = 0  # of it

    @property
    def ignored(self) -> str:
        """The beginning of the newest text that was no part of an event, or ""."""
        return ""

    @property
    def unfinished(self) -> bytes:
        """What has come of an event that has no end yet, where the end of a body is no end of it.

        Decoders whose `close` refuses that themselves have nothing here.
        """
        return b""

    def feed(self, chunk: bytes) -> list[Payload]:
        """Return what `chunk` completes, in order; what has no end yet is kept.

        What comes before something that can't be read is returned; `check`, and the next call,
        then raise the error.

        Raises:
            ProtocolError: an event is larger than `max_event_bytes`, or the body is of another
                format, and nothing of `chunk` comes before it.

        """
        return self._feed(chunk)

    def close(self) -> list[Payload]:
        """Say that the body has ended, and return what is left of it.

        Raises:
            StreamInterrupted: it ended too early.

        """
        return []

    def check(self) -> None:
        """Raise the error behind what `feed` has returned, if there is one.

        Raises:
            ProtocolError: see `feed`.

        """
        if self.has_failed:
            raise ProtocolError(self._complaint)

    def _feed(self, chunk: bytes) -> list[Payload]:
        """Do what `feed` says; apart from it, as `super()` takes longer than a call."""
        if self.has_failed:
            self.check()
        payloads: list[Payload] = []
        is_between = False
        try:
            is_between = self._decode(chunk, payloads)
        except UnreadableError as error:
            self.has_failed, self._complaint = True, str(error)
            self._forget()
        self._is_between = is_between
        if self.has_failed and not payloads:
            self.check()
        return payloads

    @abstractmethod
    def _decode(self, chunk: bytes, payloads: list[Payload]) -> bool:
        """Append the payloads that `chunk` completes, keep the rest, and tell whether it is none.

        Raises:
            UnreadableError: it can't be read.

        """

    def _forget(self) -> None:
        """Let go of what has been kept."""
        self._pieces.clear()

    def _too_large(self) -> UnreadableError:
        """Return the error for an event of more bytes than are allowed."""
        return UnreadableError(
            f"the server sent an event of more than {self._limit} bytes (max_event_bytes)"
        )


class UnreadableError(Exception):
    """What has come can't be read; its text says why."""


def too_large(limit: int) -> ProtocolError:
    """Return the error for a body of more than `limit` bytes that is to be read whole."""
    return ProtocolError(f"the server sent a body of more than {limit} bytes (max_event_bytes)")
