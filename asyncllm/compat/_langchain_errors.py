"""Errors of ours that are LangChain's too, so that its agents know what passes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)

from asyncllm.errors import (
    AsyncLLMError,
    AuthenticationError,
    BadRequestError,
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
    from collections.abc import Mapping

# The first that an error is an instance of counts.
_THEIRS: Mapping[type[AsyncLLMError], type[ModelError]] = {
    ContextLengthError: ContextOverflowError,
    BadRequestError: ModelInvalidRequestError,
    AuthenticationError: ModelAuthenticationError,
    RateLimitError: ModelRateLimitError,
    NotFoundError: ModelNotFoundError,
    ServerError: ModelAPIError,
    StreamTimeout: ModelTimeoutError,
    StreamInterrupted: ModelConnectionError,
    TransportError: ModelConnectionError,
}

_made: dict[tuple[type[AsyncLLMError], type[ModelError]], type[AsyncLLMError]] = {}


def make_theirs(error: AsyncLLMError) -> None:
    """Make an error one of LangChain's kind too, where LangChain has a word for it.

    It stays the very same object: of its own class, with its traceback and its `reply`.

    Args:
        error: the error.

    """
    theirs = _theirs(error)
    if theirs is not None and not isinstance(error, ModelError):
        error.__class__ = _both(type(error), theirs)


def _theirs(error: AsyncLLMError) -> type[ModelError] | None:
    if isinstance(error, HTTPStatusError) and error.status == HTTPStatus.FORBIDDEN:
        return ModelPermissionDeniedError
    found = (theirs for ours, theirs in _THEIRS.items() if isinstance(error, ours))
    return next(found, None)


def _both(ours: type[AsyncLLMError], theirs: type[ModelError]) -> type[AsyncLLMError]:
    """Return the class, by the name of ours, of errors that are of both kinds."""

    def reduce(error: AsyncLLMError) -> tuple[object, ...]:
        return _revived, (ours, error.args, vars(error))  # as pickle can't find the class

    if (ours, theirs) not in _made:
        members = {"__reduce__": reduce, "__module__": ours.__module__}
        _made[ours, theirs] = type(ours.__name__, (ours, theirs), members)
    return _made[ours, theirs]


def _revived(
    ours: type[AsyncLLMError], args: tuple[object, ...], state: dict[str, object]
) -> AsyncLLMError:
    error = ours.__new__(ours)
    error.args = args
    vars(error).update(state)
    make_theirs(error)
    return error
