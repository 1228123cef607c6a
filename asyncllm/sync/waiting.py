"""Waiting, in one thread, for what another thread does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_T = TypeVar("_T")
LOOK_UP_SECONDS = 1.0
"""How long the main thread waits at a time.

A SIGINT may come just before a wait begins, and Python takes note of it only when that is over.
"""


def result_of(future: Future[_T]) -> _T:
    """Return the result of `future` once it is there."""
    while True:
        try:
            return future.result(LOOK_UP_SECONDS)
        except TimeoutError:
            if future.done():
                return future.result()  # its own error, or what came meanwhile
