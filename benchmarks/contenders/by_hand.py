"""What is written by hand: the least that aiohttp can do, and what most people write."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import msgspec
from typing_extensions import override

from benchmarks.contenders.base import BODY, KEY, BlockingContender, Contender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.contenders.base import Take

_DATA = b"data: "
_DONE = b"data: [DONE]"
_READ_BYTES = 65536


class _OnAiohttp(Contender):
    """What is written by hand on one aiohttp session without limits."""

    needs = "aiohttp"

    @override
    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"Authorization": f"Bearer {KEY}"},
        )
        return self

    @override
    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def _post(self, program: str) -> Any:
        return self._session.post(f"{self._origin}/{program}/v1/chat/completions", json=BODY)


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Chunk(msgspec.Struct):
    choices: list[_Choice]


DECODE_CHUNK = msgspec.json.Decoder(_Chunk).decode


def limit_reads(transport: Any) -> None:
    """Have at most 64 KiB read at once, where asyncio's own event loop reads without TLS."""
    if hasattr(transport, "max_size"):
        transport.max_size = _READ_BYTES


class Floor(_OnAiohttp):
    """The least that can be done with aiohttp: no limits, no errors, nothing is checked."""

    name = "aiohttp + msgspec"

    @override
    async def consume(self, program: str, take: Take) -> None:
        """Split what each read brings, and decode what of it is needed."""
        decode, tail = DECODE_CHUNK, b""
        async with self._post(program) as response:
            async for read in self._reads(response):
                *events, tail = (tail + read).split(b"\n\n")
                for event in events:
                    if event != _DONE:
                        for choice in decode(event[len(_DATA) :]).choices:
                            if token := choice.delta.content:
                                take(token)

    def _reads(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        return response.content.iter_any()


class RemediedFloor(Floor):
    """The same with the one setting that asyncllm makes too: asyncio reads at most 64 KiB at once.

    It matters to asyncio's own event loop without TLS; elsewhere reads are into memory that stays.
    """

    name = "aiohttp + msgspec, 64 KiB reads"

    @override
    def _reads(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        connection = response.connection  # None where the whole answer has come already
        transport: Any = connection.transport if connection is not None else None
        limit_reads(transport)
        return super()._reads(response)


class ByHand(_OnAiohttp):
    """What most people write: aiohttp, line by line, and json."""

    name = "aiohttp + json"

    @override
    async def consume(self, program: str, take: Take) -> None:
        """Read lines."""
        async with self._post(program) as response:
            response.raise_for_status()
            async for line in response.content:
                if line.startswith(_DATA) and not line.startswith(_DONE):
                    for choice in json.loads(line[len(_DATA) :])["choices"]:
                        if token := choice["delta"].get("content"):
                            take(token)


class Requests(BlockingContender):
    """What most people write: requests, line by line, and json."""

    name = "requests + json"
    needs = "requests"

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self._session: Any = import_module("requests").Session()

    @override
    def consume(self, program: str, take: Take) -> None:
        """Read lines."""
        url = f"{self._origin}/{program}/v1/chat/completions"
        with self._session.post(url, json=BODY, stream=True) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith(_DATA) and line != _DONE:
                    for choice in json.loads(line[len(_DATA) :])["choices"]:
                        if token := choice["delta"].get("content"):
                            take(token)
