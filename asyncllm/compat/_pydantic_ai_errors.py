"""Errors of ours as pydantic-ai's, which its agents and its `FallbackModel` know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
)

from asyncllm.errors import (
    AsyncLLMError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContextLengthError,
    HTTPStatusError,
    NotFoundError,
    RateLimitError,
    ServerError,
    StreamInterrupted,
    StreamTimeout,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_BY_STATUS: dict[int, Any] = {
    402: ModelQuotaExceededError,
    503: ModelUnavailableError,
    529: ModelOverloadedError,
}
# The first that an error is an instance of counts.
_CATEGORIES: dict[type[HTTPStatusError], Any] = {
    ContextLengthError: ModelContextWindowExceededError,
    BadRequestError: ModelRequestRejectedError,
    AuthenticationError: ModelAuthenticationError,
    NotFoundError: ModelNotFoundError,
    RateLimitError: ModelRateLimitError,
    ServerError: ModelServerError,
}


@contextmanager
def theirs(model_name: str, *, in_stream: bool = False) -> Iterator[None]:
    """Raise errors of ours as pydantic-ai's; ours, with its `reply`, is their `__cause__`.

    A `ConfigurationError` stays as it is: no other model is to be asked in its place.

    Args:
        model_name: the model that is asked.
        in_stream: whether the answer has begun.

    """
    try:
        yield
    except ConfigurationError:
        raise
    except AsyncLLMError as error:
        raise _theirs(error, model_name, in_stream=in_stream) from error


def _theirs(error: AsyncLLMError, model_name: str, *, in_stream: bool) -> ModelAPIError:
    if isinstance(error, HTTPStatusError):
        return _of_status(error, model_name, in_stream=in_stream)
    said: dict[str, Any] = {"message": str(error), "in_stream": in_stream}
    if isinstance(error, StreamTimeout):
        is_early = error.phase == "connect"
        return ModelTimeoutError(model_name, phase="connect" if is_early else "read", **said)
    if isinstance(error, StreamInterrupted):
        return ModelConnectionError(model_name, phase="read", **said)
    if isinstance(error, TransportError):
        return ModelConnectionError(model_name, phase=None if error.was_sent else "connect", **said)
    return ModelAPIError(model_name, **said)


def _of_status(error: HTTPStatusError, model_name: str, *, in_stream: bool) -> ModelHTTPError:
    found = (category for kind, category in _CATEGORIES.items() if isinstance(error, kind))
    return ModelHTTPError.for_category(
        _BY_STATUS.get(error.status) or next(found, None),
        status_code=error.status,
        model_name=model_name,
        body=_body(error),
        headers=dict(error.headers or {}),
        provider_error_code=error.code or None,
        provider_error_type=error.type or None,
        retry_after=error.retry_after,
        in_stream=in_stream,
    )


def _body(error: HTTPStatusError) -> object:
    try:
        return msgspec.json.decode(error.body)
    except (ValueError, RecursionError):
        return error.message
