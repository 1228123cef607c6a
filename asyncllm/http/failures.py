"""What goes wrong in HTTP, as errors of ours: broken reads, and answers with an error status."""

from __future__ import annotations

import math
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp.http_exceptions import HttpProcessingError

from asyncllm.errors import HTTPStatusError, ProxyError, StreamInterrupted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncllm.errors import AsyncLLMError

READ_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError)
"""What reading a body raises when its connection breaks, or its chunks are none.

Of aiohttp's parsers the one in pure Python raises an HttpProcessingError as it is.
"""

_PROXY_AUTHENTICATION_REQUIRED = 407


def broken(kind: type[Exception]) -> StreamInterrupted:
    """Return our error for one of the kind `READ_ERRORS`."""
    return StreamInterrupted(f"the connection broke before the answer was whole ({kind.__name__})")


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
