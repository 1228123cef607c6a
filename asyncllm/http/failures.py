"""What goes wrong in HTTP, as errors of ours: what aiohttp raises, and what an answer says."""

from __future__ import annotations

import math
import ssl
import sys
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp.http_exceptions import HttpProcessingError

from asyncllm.errors import (
    ConfigurationError,
    HTTPStatusError,
    ProtocolError,
    ProxyError,
    StreamInterrupted,
    StreamTimeout,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.proxies import Proxy
    from asyncllm.http.request import HttpRequest

READ_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError)
"""What reading a body raises when its connection breaks, or its chunks are none.

Of aiohttp's parsers the one in pure Python raises an HttpProcessingError as it is.
"""

_PROXY_AUTHENTICATION_REQUIRED = 407

# Without a tunnel the server and the proxy answer alike, and `Via` stands on the answers of both.
# These stand only on what a proxy says for itself: Proxy-Authenticate by definition, Proxy-Agent
# in proxy.py, X-Squid-Error in Squid. tinyproxy has its name as `Server`, and no other sign where
# it refuses credentials with a 401. A status that no proxy refuses with is always the server's.
_REFUSING_STATUSES = frozenset({401, 403, 407, 500, 502, 503, 504})
_REFUSING_HEADERS = ("Proxy-Authenticate", "Proxy-Agent", "X-Squid-Error")
_REFUSING_SERVER = "tinyproxy/"


def request_errors() -> tuple[type[Exception], ...]:
    """Return what sending a request and waiting for its answer raises."""
    return (aiohttp.ClientError, OSError, ValueError, *_socks_errors())


def request_failure(error: Exception, request: HttpRequest) -> AsyncLLMError:
    """Return our error for one of `request_errors`."""
    failure = _as_ours(error, request.connect, request.proxy)
    if isinstance(failure, TransportError):
        before_sending = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError)
        failure.was_sent = not isinstance(error, (*before_sending, *_socks_errors()))
    return failure


def _as_ours(  # noqa: PLR0911 - a table
    error: Exception, connect_limit: float | None, proxy: Proxy | None
) -> AsyncLLMError:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return StreamTimeout("connect", connect_limit or 0.0)
        case aiohttp.ClientHttpProxyError():
            return ProxyError(f"the proxy refused to connect: {error.status} {error.message}")
        case aiohttp.ClientConnectorError():
            if proxy is not None and (error.host, error.port) == (proxy.host, proxy.port):
                return ProxyError(
                    f"cannot connect to the proxy {proxy.host}:{proxy.port}: {_reason(error)}"
                )
            return TransportError(f"cannot connect to {error.host}:{error.port}: {_reason(error)}")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return ConfigurationError("the URL can't be used: give one like https://host/path")
        case aiohttp.ClientResponseError():
            # Its text quotes the line that is wrong, a cookie perhaps.
            kind = type(error.__cause__ or error).__name__
            return ProtocolError(f"the server's answer is not HTTP ({kind})")
        case UnicodeDecodeError():  # by the SOCKS library, of a name that the proxy says
            kind = "answer is not HTTP" if proxy is None else "or the proxy's answer can't be read"
            return (TransportError if proxy is None else ProxyError)(f"the server's {kind}")
        case ValueError():
            return ConfigurationError(f"the request can't be sent: {error}")
    if proxy is not None and isinstance(error, _socks_errors()):
        reason = "it hung up" if isinstance(error, EOFError) else error
        return ProxyError(f"no connection through the proxy {proxy.host}:{proxy.port}: {reason}")
    # Of aiohttp's own texts none is shown: some quote the URL, with its query.
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else type(error).__name__
    return TransportError(f"the connection broke before there was an answer ({cause})")


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return str(error.os_error.strerror or error.os_error)


def _socks_errors() -> tuple[type[Exception], ...]:
    """Return what connecting through a SOCKS proxy raises besides `OSError`.

    EOFError is what asyncio says where the proxy hangs up.
    """
    socks = sys.modules.get("aiohttp_socks")
    if socks is None:
        return ()
    return (socks.ProxyError, socks.ProxyConnectionError, socks.ProxyTimeoutError, EOFError)


def broken(kind: type[Exception]) -> StreamInterrupted:
    """Return our error for one of the kind `READ_ERRORS`."""
    return StreamInterrupted(f"the connection broke before the answer was whole ({kind.__name__})")


def is_proxy_refusal(status: int, headers: Mapping[str, str]) -> bool:
    """Tell whether a proxy that forwards without a tunnel gave this answer for itself.

    Args:
        status: of the answer.
        headers: of the answer, found in any case.

    """
    return status in _REFUSING_STATUSES and (
        any(name in headers for name in _REFUSING_HEADERS)
        or headers.get("Server", "").startswith(_REFUSING_SERVER)
    )


def status_error(
    *, method: str, url: str, status: int, reason: str, headers: Mapping[str, str], body: str
) -> AsyncLLMError:
    """Return the error that stands for an answer with an error status.

    Args:
        method: of the request.
        url: of the request; its query and user are not kept.
        status: of the answer.
        reason: the phrase beside the status.
        headers: of the answer, found in any case.
        body: of the answer, as far as it was read.

    """
    if status == _PROXY_AUTHENTICATION_REQUIRED:
        return ProxyError("the proxy wants other credentials: 407 Proxy Authentication Required")
    return HTTPStatusError.class_for(status)(
        method,
        url,
        status=status,
        message=_message(body) or reason,
        body=body,
        headers=headers,
        retry_after=_retry_after(headers),
    )


def _message(body: str) -> str:
    """Return what an error body says, in any of the shapes that servers use; all of it."""
    try:
        said: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        said = " ".join(body.split())
    while isinstance(said, dict):
        said = next((said[key] for key in ("error", "message", "detail") if said.get(key)), "")
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `retry-after-ms` or `Retry-After` (a number or a date) ask for."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("Retry-After", "")
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(value)
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
