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
    """Reads one answer of one wire; it does no I/O.

    Attributes:
        is_done: whether the answer is complete and nothing more is of interest.

    """

    is_done: bool

    @property
    def is_building(self) -> bool:
        """Whether the last payloads added to something that is given out only when complete.

        This counts as content, although it yields no item.
        """
        ...

    def feed(self, payloads: list[Payload], batch: list[Item]) -> None:
        """Append to `batch` what `payloads` say.

        Raises:
            AsyncLLMError: they say that the answer failed; `batch` holds what came before.

        """

    def close(self) -> list[Item]:
        """Note that the body has ended, and return what is left to say.

        Raises:
            AsyncLLMError: the answer is not complete.

        """
        ...


class JSONTranslator(ABC, Generic[_T]):
    """The loop over the payloads of a wire whose events are JSON.

    Subclasses write `take`. They write `end` if something may be left at the end of the body, and
    `take_word` if not every event is JSON.

    Ordinary events take the short way: they are decoded once, then taken. Halves of characters,
    which strict decoders refuse, take the long way, and are joined in the result.

    Args:
        decoder: decodes one event.

    Attributes:
        is_done: see `Translator`.
        is_building: see `Translator`; subclasses set it again in each call of `feed`.

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
        """Append what an event says, and return whether the answer is complete with it.

        Args:
            event: what the decoder made of it.
            batch: what came with the same read.

        Raises:
            AsyncLLMError: it says that the answer failed; `batch` holds what came before.

        """

    def end(self) -> list[Item]:
        """Return what is left to say at the end of the body.

        Raises:
            StreamInterrupted: the answer is not complete.

        """
        raise StreamInterrupted("the answer was cut off: it ended without its last event")

    def take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Append what an event says that is handled before its data is read as JSON.

        Args:
            name: the event's name, or "".
            data: its data, as UTF-8.
            batch: what came with the same read.

        Returns:
            Whether it was handled.

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
