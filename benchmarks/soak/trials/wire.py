"""A server that answers with whatever bytes a trial wants."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_LIMIT = 2**20


@dataclass(frozen=True)
class Asked:
    """A request as it came.

    Attributes:
        method: the HTTP method.
        target: what stands behind it, to the last byte.
        headers: names in lower case.
        body: as it came.

    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)

    @property
    def prompt(self) -> str:
        """The question, in either wire."""
        body = self.json
        return body["inputs"] if "inputs" in body else body["messages"][-1]["content"]


class Wire:
    """A server on a port of its own that keeps connections.

    Args:
        answer: writes what is to be answered, and closes the writer where the connection ends.

    """

    def __init__(self, answer: Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.url = ""
        self._answer = answer
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", limit=_LIMIT)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def aclose(self) -> None:
        """Close everything."""
        self._server.close()
        for task, writer in list(self._open.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            while not writer.is_closing():
                await self._answer(await _request(reader), writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the server is to
        finally:
            writer.close()
            del self._open[task]


async def _request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, _, target = first.partition(" ")
    fields = [line.partition(":") for line in lines if line]
    headers = {name.lower(): value.strip() for name, _, value in fields}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, target.removesuffix(" HTTP/1.1"), headers, body)


def answer(body: bytes | str, *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole answer."""
    data = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(data)}", "", ""]
    return "\r\n".join(head).encode("latin-1") + data


STREAM = "Content-Type: text/event-stream"
JSON = "Content-Type: application/json"


def chunks(*contents: str) -> str:
    """Return the OpenAI wire's events of a whole answer; half a surrogate pair is left half."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in contents]
    ending = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in [*deltas, ending])
    return f"{events}data: [DONE]\n\n"
