"""From the payloads of a response to batches of items, whatever the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from asyncllm.errors import AsyncLLMError, ProtocolError, StreamInterrupted

if TYPE_CHECKING:
    import msgspec

    from asyncllm.events import Item
    from asyncllm.framing import Payload
    from asyncllm.response import Response

_T = TypeVar("_T")


class Translator(Protocol):
    """What knows one wire, for one answer; it does no I/O.

    Attributes:
        is_done: whether the answer is whole and nothing more is of interest.

    """

    is_done: bool

    @property
    def is_building(self) -> bool:
        """Whether something is being written that can't be given out before it is whole."""
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


class Translation:
    """What comes of one response, by one translator.

    Not a generator: each of those on a token's way costs more than all of the decoding.
    """

    def __init__(self, response: Response, translator: Translator) -> None:
        self._response = response
        self._translator = translator
        self._failure: AsyncLLMError | None = None
        self._has_ended = False

    async def next_batch(self) -> list[Item] | None:
        """Return what the next network read brings, and None at the end.

        A batch is empty where something is being written that is not whole yet.

        Raises:
            AsyncLLMError: the answer failed or was cut off; what came before it was returned.

        """
        translator = self._translator
        while not (self._has_ended or translator.is_done):
            batch: list[Item] = []
            payloads = await self._response.next_events()
            try:
                if payloads:
                    translator.feed(payloads, batch)
                else:
                    self._has_ended = True
                    batch = translator.close()
            except AsyncLLMError as error:
                self._failure = error
                self._has_ended = True
            if batch or (payloads and translator.is_building):
                return batch
        if self._failure is not None:
            raise self._explained(self._failure)
        return None

    def _explained(self, failure: AsyncLLMError) -> AsyncLLMError:
        """Return `failure` with what the server said beside the events of an answer cut off."""
        ignored = self._response.ignored
        if isinstance(failure, StreamInterrupted) and ignored:
            return StreamInterrupted(f"{failure}; between events came {ignored!r}")
        return failure


def decode_all(decoder: msgspec.json.Decoder[_T], payloads: list[Payload]) -> list[_T] | None:
    """Return what each of `payloads` holds, or None where one of them can't be decoded just so.

    It can where all are the data of plain events and good JSON, as nearly always. Otherwise they
    are to be looked at one by one.
    """
    try:
        # Not joined and decoded as lines: msgspec takes two values in one line for two lines.
        return list(map(decoder.decode, payloads))  # type: ignore[arg-type] # see below
    except (TypeError, ValueError, RecursionError):  # a ping, say; or bad JSON
        return None


def decode(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T:
    """Return what `data` holds.

    Raises:
        ProtocolError: it is not JSON, or not of the wire's shape.

    """
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError) as error:  # of msgspec and of UTF-8; nested too deep
        reason = str(error)
    shown = data.decode("utf-8", "replace")  # whole: it is masked before it is cut
    raise ProtocolError(
        f"the server sent something that its wire does not allow: {reason}: {shown!r}"
    )
