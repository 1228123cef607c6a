"""Reading a wire: from payloads to items, whatever the wire; no I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from asyncllm.errors import AsyncLLMError, ProtocolError, StreamInterrupted
from asyncllm.events import Ping
from asyncllm.framing.json import UNDECODABLE, decode
from asyncllm.framing.sse import NamedEvent
from asyncllm.framing.surrogates import Joiner, decode_with_halves, without_halves

if TYPE_CHECKING:
    import msgspec

    from asyncllm.events import Item
    from asyncllm.framing.sse import Payload

_T = TypeVar("_T")


class Translator(Protocol):
    """What knows one wire, for one answer; it does no I/O.

    Attributes:
        is_done: whether the answer is whole and nothing more is of interest.

    """

    is_done: bool

    @property
    def is_building(self) -> bool:
        """Whether what was fed last added to something that can't be given out before it is whole.

        That counts as content, though no item comes of it.
        """
        ...

    def feed(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Append to `batch` what `payloads` say.

        Raises:
            AsyncLLMError: they say that the answer failed; `batch` holds what came before.

        """

    def close(self) -> list[Item]:
        """Say that the body has ended, and return what is left to say.

        Raises:
            AsyncLLMError: the answer is not whole.

        """
        ...


class JSONTranslator(ABC, Generic[_T]):
    """The loop over the payloads of a wire whose events are JSON: a translator without its words.

    Subclasses write `take`; where something may be left at the end of the body, `end`, and where
    not every event is JSON, `take_word`.

    What is ordinary goes the short way: decoded once, then taken. Halves of characters, which
    strict decoders refuse, go the long way, and are joined in what comes of it.

    Args:
        decoder: of one event.

    Attributes:
        is_done: see `Translator`.
        is_building: see `Translator`; for subclasses to set, in each call of `feed` anew.

    """

    __slots__ = ("_decoder", "_joiner", "is_building", "is_done")

    def __init__(self, decoder: msgspec.json.Decoder[_T]) -> None:
        self.is_done = False
        self.is_building = False
        self._decoder = decoder
        self._joiner: Joiner | None = None  # once a half has come

    def feed(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Append what `payloads` say; see `Translator`."""
        self.is_building = False
        items: list[Item] = []
        try:
            self._read(payloads, items)
        except AsyncLLMError as error:
            if self._joiner is not None:
                error.args = tuple(map(without_halves, error.args))
            raise
        finally:
            batch += items if self._joiner is None else self._joiner.join(items)

    def _read(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Append what one read's `payloads` say, with halves of characters as they are.

        Args:
            payloads: what the read brought.
            batch: empty.

        """
        decode_event, take = self._decoder.decode, self.take
        for payload in payloads:
            event: _T | None
            try:
                event = decode_event(payload)  # type: ignore[arg-type] # see UNDECODABLE
            except UNDECODABLE:
                event = None
            if event is None:
                event = self._decode_other(payload, batch)
                if event is None:
                    if self.is_done:
                        return
                    continue
            if take(event, batch):
                self.is_done = True
                return  # nothing that comes behind the end belongs to the answer

    def close(self) -> list[Item]:
        """Return what is left to say; see `Translator`."""
        items = self.end()
        return items if self._joiner is None else self._joiner.join(items)

    @abstractmethod
    def take(self, event: _T, batch: list[Item], /) -> bool:
        """Append what an event says, and tell whether the answer is whole with it.

        Args:
            event: what the decoder made of it.
            batch: what has come with the same read.

        Raises:
            AsyncLLMError: it says that the answer failed; `batch` holds what came before.

        """

    def end(self) -> list[Item]:
        """Return what is left to say at the end of the body.

        Raises:
            StreamInterrupted: the answer is not whole.

        """
        raise StreamInterrupted("the answer was cut off: it ended without its last event")

    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Append what an event says that is taken before its data are read as JSON.

        Args:
            name: the event's name, or "".
            data: its data, as UTF-8.
            batch: what has come with the same read.

        Returns:
            Whether it was taken.

        """
        return False

    def _decode_other(self, payload: Payload, batch: list[Item]) -> _T | None:
        """Return the event in a payload that is not just good JSON; None where it is taken."""
        if isinstance(payload, Ping):
            batch.append(payload)
            return None
        said = payload if isinstance(payload, NamedEvent) else NamedEvent("", payload)
        if self.take_word(said.name, said.data, batch):
            return None
        try:
            return decode(self._decoder, said.data)
        except ProtocolError:
            repaired = decode_with_halves(said.data, self._decoder.type)
            if repaired is None:
                raise
        self._joiner = self._joiner or Joiner()
        self.is_building = True  # a half may be all that came
        return repaired
