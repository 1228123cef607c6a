"""From the bytes of a body to batches of items, whatever the wire."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from asyncllm.errors import AsyncLLMError, ProtocolError, StreamInterrupted
from asyncllm.events import Ping
from asyncllm.framing import NamedEvent, SSEDecoder
from asyncllm.surrogates import Joiner, decode_with_halves, without_halves

if TYPE_CHECKING:
    import msgspec

    from asyncllm.events import Item
    from asyncllm.framing import Payload

_T = TypeVar("_T")
_Batched = TypeVar("_Batched")

EXCERPT_BYTES = 64 * 1024
"""The most bytes of a body that an error may show."""

READ_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError)
"""What reading a body raises when its connection breaks, or its chunks are none.

Of aiohttp's parsers the one in pure Python raises an HttpProcessingError as it is.
"""

UNDECODABLE = (TypeError, ValueError, RecursionError)
"""What a decoder raises of a payload that is not bytes, not of its type, not UTF-8, too deep."""

_SHOWN_CHARACTERS = 200  # of a page


class Translator(Protocol[_Batched]):
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

    def feed(self, payloads: list[Payload], batch: list[_Batched]) -> None:
        """Append to `batch` what `payloads` say.

        Raises:
            AsyncLLMError: they say that the answer failed; `batch` holds what came before.

        """

    def close(self) -> list[_Batched]:
        """Say that the body has ended, and return what is left to say.

        Raises:
            AsyncLLMError: the answer is not whole.

        """
        ...


class JSONTranslator(ABC, Generic[_T]):
    """The loop over the payloads of a wire whose events are JSON: a translator without its words.

    What is ordinary goes the short way: decoded once, then taken. Halves of characters, which
    strict decoders refuse, go the long way, and are joined in what comes of it.

    Args:
        decoder: of one event.

    Attributes:
        is_done: see `Translator`; for subclasses to set.
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
        decode_event, take = self._decoder.decode, self._take
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
                return  # nothing that comes behind the end belongs to the answer

    def close(self) -> list[Item]:
        """Return what is left to say; see `Translator`."""
        items = self._end()
        return items if self._joiner is None else self._joiner.join(items)

    @abstractmethod
    def _take(self, event: _T, batch: list[Item], /) -> bool:
        """Append what an event says, and tell whether the answer is whole with it."""

    @abstractmethod
    def _end(self) -> list[Item]:
        """Return what is left to say at the end of the body."""

    def _take_word(self, name: str, data: bytes, batch: list[Item]) -> bool:
        """Append what the data of an event that may have a name say, where they are no JSON."""
        return False

    def _decode_other(self, payload: Payload, batch: list[Item]) -> _T | None:
        """Return the event in a payload that is not just good JSON; None where it is taken."""
        if isinstance(payload, Ping):
            batch.append(payload)
            return None
        said = payload if isinstance(payload, NamedEvent) else NamedEvent("", payload)
        if self._take_word(said.name, said.data, batch):
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


class Body(Protocol):
    """What a translation reads: a response.

    Attributes:
        content: the bytes.
        max_event_bytes: the most bytes of one event, or of a body that is read whole.

    """

    content: aiohttp.StreamReader
    max_event_bytes: int

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters."""
        ...

    async def read(self, beginning: bytes) -> bytes:
        """Return the whole body, of which `beginning` has been read."""
        ...

    async def excerpt(self, beginning: bytes) -> str:
        """Return the beginning of a body of which `beginning` has been read, as text."""
        ...


class Translation(Generic[_Batched]):
    """What comes of one body, by one translator.

    It is one coroutine from aiohttp's read to a batch, and no generator: with a thousand streams,
    each of those on a token's way costs as much as its decoding.

    Args:
        body: what to read.
        translator: what to give its events to.

    """

    __slots__ = (
        "_beginning",
        "_body",
        "_content",
        "_decoder",
        "_failure",
        "_has_ended",
        "_translator",
    )

    def __init__(self, body: Body, translator: Translator[_Batched]) -> None:
        self._body, self._content = body, body.content
        self._translator = translator
        self._decoder = SSEDecoder(body.max_event_bytes)
        self._beginning: bytes | None = b""  # of the body, until there is an event
        self._failure: AsyncLLMError | None = None
        self._has_ended = False

    async def next_batch(self) -> list[_Batched] | None:
        """Return what the next network read brings, and None at the end.

        A batch is empty where something is being written that is not whole yet.

        Raises:
            ProtocolError: the body is a page or has no event at all, or an event is too large.
            AsyncLLMError: the answer failed or was cut off; what came before it was returned.

        """
        translator, decoder = self._translator, self._decoder
        while not (self._has_ended or translator.is_done):
            try:
                chunk = await self._content.readany()
            except READ_ERRORS as error:
                self._fail(broken(type(error)))
                break
            batch: list[_Batched] = []
            payloads: list[Payload] | None = None
            try:
                if chunk and self._beginning is None:
                    payloads = decoder.feed(chunk)
                else:
                    payloads = await self._begin_or_end(chunk)
                if payloads:
                    translator.feed(payloads, batch)
                    self._has_ended = decoder.has_failed
                elif self._has_ended:
                    batch = translator.close()
            except AsyncLLMError as error:
                self._fail(error)
            if payloads and translator.is_building:
                # A ping says that nothing new has come, and something has.
                return [item for item in batch if not isinstance(item, Ping)]
            if batch:
                return batch
        self._check_end()
        return None

    @property
    def ignored(self) -> str:
        """The newest line that was no part of an event, or ""."""
        return self._decoder.ignored

    async def _begin_or_end(self, chunk: bytes) -> list[Payload]:
        """Take a read before which there was no event, or the one that says that it was the last.

        A body that begins with `{`, white space aside, is one JSON object, as some servers send
        although a stream was asked for, and is one event.
        """
        beginning = self._beginning
        if beginning is not None and self._body.content_type == "text/html":
            raise _not_a_stream(await self._body.excerpt(chunk))
        if not chunk:
            self._has_ended = True
            if beginning:
                raise _not_a_stream(excerpt_of(beginning))
            return []
        beginning = ((beginning or b"") + chunk).lstrip()
        if beginning.startswith(b"{"):
            self._beginning = None
            return [await self._body.read(beginning)]
        payloads = self._decoder.feed(chunk)
        self._beginning = None if payloads else beginning[:EXCERPT_BYTES]
        return payloads

    def _check_end(self) -> None:
        """Raise why the answer has ended too early, where it has."""
        if self._failure is not None:
            raise self._explained(self._failure)
        if not self._translator.is_done:
            self._decoder.check()

    def _fail(self, failure: AsyncLLMError) -> None:
        self._failure, self._has_ended = failure, True

    def _explained(self, failure: AsyncLLMError) -> AsyncLLMError:
        """Return `failure` with what the server said beside the events of an answer cut off."""
        if isinstance(failure, StreamInterrupted) and self.ignored:
            return StreamInterrupted(f"{failure}; between events came {self.ignored!r}")
        return failure


def broken(kind: type[Exception]) -> StreamInterrupted:
    """Return our error for one of the kind `READ_ERRORS`."""
    return StreamInterrupted(f"the connection broke before the answer was whole ({kind.__name__})")


def excerpt_of(body: bytes | bytearray) -> str:
    """Return the beginning of `body` as text: as much as an error may show.

    It is neither masked nor cut to a readable size, which is done in this order, and where an error
    leaves.
    """
    return body[:EXCERPT_BYTES].decode("utf-8", "replace")


def _not_a_stream(body: str) -> ProtocolError:
    shown = " ".join(body.split())
    what = "the server answered with something other than a stream: "
    error = ProtocolError(f"{what}{shown!r}")
    error.most_characters = len(f"{what}'") + _SHOWN_CHARACTERS
    return error


def decode(decoder: msgspec.json.Decoder[_T], data: bytes) -> _T:
    """Return what `data` holds.

    Raises:
        ProtocolError: it is not JSON, or not of the wire's shape.

    """
    try:
        return decoder.decode(data)
    except UNDECODABLE as error:
        reason = str(error)
    raise ProtocolError(
        f"the server sent something that its wire does not allow: {reason}: {excerpt_of(data)!r}"
    )
