"""What an answer says that is none, as errors of ours."""

from __future__ import annotations

import math
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

from asyncllm.errors import HTTPStatusError, ProtocolError, ProxyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

    from asyncllm.errors import AsyncLLMError
    from asyncllm.http.request import HttpRequest

_PROXY_AUTHENTICATION_REQUIRED = 407

# Without a tunnel the server and the proxy answer alike, and `Via` stands on the answers of both.
# These stand only on what a proxy says for itself: Proxy-Authenticate by definition, Proxy-Agent
# in proxy.py, X-Squid-Error in Squid. tinyproxy has its name as `Server`, and no other sign where
# it refuses credentials with a 401. A status that no proxy refuses with is always the server's.
_REFUSING_STATUSES = frozenset({401, 403, 407, 500, 502, 503, 504})
_REFUSING_HEADERS = ("Proxy-Authenticate", "Proxy-Agent", "X-Squid-Error")
_REFUSING_SERVER = "tinyproxy/"


def refusal(
    request: HttpRequest,
    answer: aiohttp.ClientResponse,
    body: str,
    *,
    coding: str,
    is_accepted: bool,
) -> AsyncLLMError:
    """Return the error that an answer stands for.

    Args:
        request: what was asked.
        answer: its status and headers.
        body: as far as it was read.
        coding: what the body is compressed with, so that it was not read, or "".
        is_accepted: whether the status is no error, so that it is the body's form that is.

    """
    error: AsyncLLMError
    reason = answer.reason or ""
    compressed = f"the body is compressed ({coding!r})"
    if is_accepted:
        error = ProtocolError(f"{compressed}, though `Accept-Encoding: identity` was sent")
    elif request.is_forwarded and is_proxy_refusal(answer.status, answer.headers):
        error = ProxyError(f"the proxy refused to forward: {answer.status} {reason}")
    else:
        error = status_error(
            method=request.method,
            url=request.url,
            status=answer.status,
            reason=reason,
            headers=answer.headers,
            body=body,
        )
    if coding:
        error.add_note(f"{compressed}, so it is not shown")
    return error


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
    if isinstance(said, list) and len(said) == 1 and isinstance(said[0], dict):
        said = said[0]  # as Google has it where an array was asked for
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
