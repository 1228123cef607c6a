"""What aiohttp raises, as errors of ours."""

from __future__ import annotations

import ssl
import sys
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from asyncllm.errors import (
    ConfigurationError,
    ProtocolError,
    ProxyError,
    StreamInterrupted,
    StreamTimeout,
    TransportError,
)

if TYPE_CHECKING:
    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.proxies import Proxy
    from asyncllm.http.request import HttpRequest

READ_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError)
"""What reading a body raises when its connection breaks, or its chunks are none.

Of aiohttp's parsers the one in pure Python raises an HttpProcessingError as it is.
"""


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
            return ConfigurationError("the URL can't be used: write one like https://host/path")
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
    return StreamInterrupted(
        f"the connection broke before the answer was complete ({kind.__name__})"
    )
