"""Sending a request on a connection of aiohttp's, in one piece.

aiohttp's client can send anything, and makes of each request an object with forty attributes, a
writer and a task. What is sent here is a method, a URL, headers and bytes that are all there. The
connection is aiohttp's, and so is the answer.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from functools import lru_cache
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp
from aiohttp.client_proto import ResponseHandler

from asyncllm.http.client import DEFAULT_HEADERS

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from yarl import URL

    from asyncllm.http.client import Destination
    from asyncllm.http.request import HttpRequest

_AT_ONCE = 64 * 1024  # the largest body that is copied behind its head, for one write
_WITH_BODY = {"POST", "PUT", "PATCH"}
_WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}
_METHODS = _WITH_BODY | _WITHOUT_BODY | {"DELETE"}
_FRAMING = {"host", "content-length", "transfer-encoding", "connection", "expect"}
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OF_ANSWERS = {
    *("method", "url", "writer", "continue100", "timer", "request_info", "traces", "loop"),
    *("session", "stream_writer"),
}
_OF_READING = {"auto_decompress", "read_bufsize", "read_until_eof", "skip_payload"}
IS_KNOWN = (
    inspect.signature(aiohttp.ClientResponse).parameters.keys() == _OF_ANSWERS
    and inspect.signature(ResponseHandler.set_response_params).parameters.keys() >= _OF_READING
)
"""Whether aiohttp's answers are made as they are made here; otherwise its client sends all."""

_CLIENTS_FILE = aiohttp.ClientSession.close.__code__.co_filename
_SENT: Any = SimpleNamespace(output_size=0)


def is_for_client(request: HttpRequest, client: aiohttp.ClientSession) -> bool:
    """Tell whether aiohttp's client has to send a request.

    So it is where aiohttp is another than the one that is known, where somebody has put something
    of theirs in its place, as `aioresponses` and `vcrpy` do, or is told of what it sends, as tools
    for tracing are, and where the request tells more than a path and what belongs to it: another
    method, credentials in its URL, or a header that says how it is sent.

    Args:
        request: what is to be sent.
        client: aiohttp's.

    """
    sends: Any = aiohttp.ClientSession._request  # noqa: SLF001 - what such libraries replace
    return (
        not IS_KNOWN
        or type(sends) is not FunctionType  # what wraps it may say that it has its code
        or sends.__code__.co_filename != _CLIENTS_FILE
        or bool(client.trace_configs)
        or request.method not in _METHODS
        or "@" in request.url
        or _beside(tuple(request.headers), "") is None
    )


class Sender:
    """What sends requests on the connections of a client.

    Args:
        client: aiohttp's.
        response_class: aiohttp's, or one made of it.
        read_bufsize: half of what may come of an answer before it is asked for, in bytes.
        closes: whether a connection serves one request only.

    """

    def __init__(
        self,
        client: aiohttp.ClientSession,
        *,
        response_class: type[aiohttp.ClientResponse],
        read_bufsize: int,
        closes: bool,
    ) -> None:
        self._client = client
        self._response_class = response_class
        self._read_bufsize = read_bufsize
        self._closes = closes

    async def send(
        self, request: HttpRequest, url: URL, connection: Connection, to: Destination
    ) -> aiohttp.ClientResponse:
        """Send a request, and return its answer once the head of that has come.

        What the server does not take at once waits in the connection's buffer.

        Args:
            request: what to send.
            url: its URL, the query with it.
            connection: open, and nobody else's.
            to: where it goes.

        Raises:
            aiohttp.ClientError: the connection broke, or the answer is not HTTP.
            ValueError: a header can't be sent.

        """
        answer = self._answer_to(request, url, to)
        try:
            protocol, transport = _ends_of(connection)
            body, media_type = _body_of(request)
            head = _head_of(request, url, to, body, media_type, closes=self._closes)
            protocol.set_response_params(
                skip_payload=request.method == "HEAD",
                read_until_eof=True,
                auto_decompress=False,
                read_bufsize=self._read_bufsize,
            )
            if len(body) <= _AT_ONCE:
                transport.write(head + body)
            else:
                transport.write(head)
                transport.write(body)
            return await answer.start(connection)
        except BaseException:
            answer.close()
            connection.close()
            raise

    def _answer_to(self, request: HttpRequest, url: URL, to: Destination) -> aiohttp.ClientResponse:
        return self._response_class(
            request.method,
            url,
            writer=None,
            continue100=None,
            timer=None,  # type: ignore[arg-type] # which it takes for none
            request_info=to.info,
            traces=[],
            loop=asyncio.get_running_loop(),
            session=self._client,
            stream_writer=_SENT,
        )


def _ends_of(connection: Connection) -> tuple[ResponseHandler, asyncio.Transport]:
    protocol, transport = connection.protocol, connection.transport
    # One that is closing drops what is written, and over TLS it may be 30 s until it is lost.
    if protocol is None or transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection was lost as soon as it was open")
    return protocol, transport


def _body_of(request: HttpRequest) -> tuple[bytes, str]:
    """Return the body and, where no header says otherwise, its media type."""
    data = request.data
    if data is None or isinstance(data, bytes):
        is_expected = request.method in _WITH_BODY
        return data or b"", "application/octet-stream" if is_expected else ""
    return urlencode(data).encode(), "application/x-www-form-urlencoded"


def _head_of(
    request: HttpRequest, url: URL, to: Destination, body: bytes, media_type: str, *, closes: bool
) -> bytes:
    target = str(url.with_fragment(None)) if to.is_forwarding else url.raw_path_qs
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    if request.data is not None or request.method not in _WITHOUT_BODY:
        lines.append(f"Content-Length: {len(body)}")
    if closes:
        lines.append("Connection: close")
    lines += ("", "")
    first = f"{request.method} {target} HTTP/1.1"
    if _UNSENDABLE.search(first) or _UNSENDABLE.search("".join(lines)):
        raise ValueError("a header has a control character")
    own = f"Host: {url.host_port_subcomponent}{_beside(tuple(request.headers), media_type)}"
    return "\r\n".join((first, own, *lines)).encode()


@lru_cache(maxsize=256)
def _beside(names: tuple[str, ...], media_type: str) -> str | None:
    """Return the headers that are sent besides those with the `names`.

    None where these say how a request is sent, or have one name twice, in upper and lower case.
    """
    given = {name.lower() for name in names}
    if given & _FRAMING or len(given) < len(names):
        return None
    own = {**DEFAULT_HEADERS, "Accept": "*/*"}
    if media_type:
        own["Content-Type"] = media_type
    return "".join(
        f"\r\n{name}: {value}" for name, value in own.items() if name.lower() not in given
    )
