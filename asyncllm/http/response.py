"""Being answered: a response whose body is still to be read."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from multidict import istr
from typing_extensions import deprecated

from asyncllm.errors import StreamInterrupted
from asyncllm.framing.body import BodyDecoder
from asyncllm.framing.decoder import too_large
from asyncllm.framing.excerpt import EXCERPT_BYTES, excerpt_of
from asyncllm.http.failures import READ_ERRORS, broken
from asyncllm.http.inflow import inflow_of, next_of
from asyncllm.http.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

    from asyncllm.errors import AsyncLLMError
    from asyncllm.framing.body import Framing
    from asyncllm.framing.sse import Payload
    from asyncllm.http.request import HttpRequest

_CODING = istr("Content-Encoding")  # made once: to look up a plain `str` takes twice as long
_ERROR_BODY_SECONDS = 2.0
_DRAIN_BYTES = 64 * 1024
_DRAIN_SECONDS = 0.25


class Response:
    """A response whose body is still to be read.

    Args:
        raw: aiohttp's response.
        max_event_bytes: the maximum size of one event, or of a body that is read whole.
        request: what was asked.
        was_resent: whether the request was sent twice, because a kept connection had been closed:
            the server may have read the first one all the same.

    Attributes:
        status: the HTTP status.
        inflow: the bytes that are still to be read.
        headers: by their names, in any case; the first of repeated ones.
        coding: how they are compressed, such as "gzip", or "".
        max_event_bytes: as passed.
        was_resent: as passed.

    """

    __slots__ = (
        "_body",
        "_has_ended",
        "_raw",
        "_request",
        "coding",
        "headers",
        "inflow",
        "max_event_bytes",
        "status",
        "was_resent",
    )

    def __init__(
        self,
        raw: aiohttp.ClientResponse,
        max_event_bytes: int,
        *,
        request: HttpRequest,
        was_resent: bool = False,
    ) -> None:
        self.status = raw.status
        self.inflow = inflow_of(raw.content)
        self.max_event_bytes = max_event_bytes
        self._raw, self._request = raw, request
        self.headers: Mapping[str, str] = raw.headers
        self.coding = "" if raw.content.at_eof() else _coding(raw.headers)
        self.was_resent = was_resent
        self._body: BodyDecoder | None = None
        self._has_ended = False

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters."""
        return self._raw.content_type

    @property
    def body(self) -> BodyDecoder:
        """What tells what the bytes of `inflow` are, where server-sent events were asked for."""
        return self.body_as("sse")

    def body_as(self, asked: Framing) -> BodyDecoder:
        """Return what tells what the bytes of `inflow` are; for one response, the same each time.

        Args:
            asked: the framing that was asked for.

        """
        if self._body is None:
            self._body = BodyDecoder(self.content_type, self.max_event_bytes, asked)
        return self._body

    async def payloads(self) -> AsyncIterator[list[Payload]]:
        """Yield the list of payloads that each network read completes, if there are any.

        `BodyDecoder` decides what the body is.

        Raises:
            ProtocolError: the body is a web page or has no event at all, or an event is too large.
            StreamInterrupted: the connection broke.

        """
        while payloads := await self.next_payloads():
            yield payloads

    async def next_payloads(self) -> list[Payload]:
        """Return what `payloads` yields next, or raise as it does; an empty list at the end."""
        body = self.body
        payloads: list[Payload] = []
        while not (payloads or self._has_ended):
            chunk = await self._read_some()
            self._has_ended = not chunk
            payloads = body.feed(chunk) if chunk else body.close()
        if not payloads:
            body.check()
        return payloads

    @deprecated("renamed to `payloads`", category=None)
    def events(self) -> AsyncIterator[list[Payload]]:
        """Yield what `payloads` yields; this is its old name."""
        return self.payloads()

    @deprecated("renamed to `next_payloads`", category=None)
    async def next_events(self) -> list[Payload]:
        """Return what `next_payloads` returns; this is its old name."""
        return await self.next_payloads()

    @property
    def ignored(self) -> str:
        """The latest line of the body that was not part of an event, or ""."""
        return self.body.ignored

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            ProtocolError: it is larger than `max_event_bytes`.
            StreamInterrupted: the connection broke.

        """
        chunks, size = list[bytes](), 0
        while size <= self.max_event_bytes:
            if not (chunk := await self._read_some()):
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
        raise too_large(self.max_event_bytes)

    async def excerpt(self) -> str:
        """Return the beginning of the body as text, at most 64 KiB of it.

        It may contain secrets, which are masked in an error that leaves `http`.
        """
        body = bytearray()
        await self._read_beginning(body)
        return excerpt_of(body)

    async def failure(self, *, is_accepted: bool) -> AsyncLLMError:
        """Return the error that this response stands for, and close it.

        What is compressed is not read: no request of ours asks for it, and a small body can
        unpack to gigabytes. An error keeps its status; its body is then empty.

        Args:
            is_accepted: whether the status is no error, so that it is the body's form that is.

        """
        beginning = bytearray()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ERROR_BODY_SECONDS):
                    if not self.coding:
                        await self._read_beginning(beginning)
        finally:
            self.close()
        body = excerpt_of(beginning)
        coding = self.coding
        return refusal(self._request, self._raw, body, coding=coding, is_accepted=is_accepted)

    def masked(self, error: AsyncLLMError) -> AsyncLLMError:
        """Return `error`, without what its text may quote of the request or the answer."""
        return self._request.masked(error, self._raw)

    def close(self) -> None:
        """Close the connection, unless the answer has been read to its end.

        At once: TLS would wait for the server's farewell, and trip over what still comes.
        """
        connection = self._raw.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._raw.close()

    async def drain(self) -> None:
        """Read a little past the end of the answer, so that the connection can be used again."""
        at_end, size = self._raw.content.at_eof, 0
        if at_end() and self._raw.connection is None:
            return  # aiohttp has let go of it already
        try:
            if not at_end():
                with contextlib.suppress(TimeoutError, *READ_ERRORS):
                    async with asyncio.timeout(_DRAIN_SECONDS):
                        while size < _DRAIN_BYTES and (chunk := await next_of(self.inflow)):
                            size += len(chunk)
        finally:
            self.close()

    async def _read_some(self) -> bytes:
        """Return what one read brings; b"" at the end."""
        try:
            return await next_of(self.inflow)
        except READ_ERRORS as error:
            failure = broken(type(error))
        raise failure if self._body is None else self._body.explained(failure)

    async def _read_beginning(self, body: bytearray) -> None:
        """Read into `body` as much as an excerpt needs, as far as it comes."""
        with contextlib.suppress(StreamInterrupted):
            while len(body) < EXCERPT_BYTES and (chunk := await self._read_some()):
                body += chunk


def _coding(headers: Mapping[str, str]) -> str:
    told = headers.get(_CODING)
    if told is None:
        return ""
    coding = told.strip().lower()
    return "" if coding == "identity" else coding
