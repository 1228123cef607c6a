"""How a model comes to an Ollama server: what is said of it, line by line.

Wire facts: `ProgressResponse` of Ollama's `api/types.go`; the last line says "success".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from asyncllm.errors import ProviderError, StreamInterrupted
from asyncllm.wires.failures import complaint_of, failure
from asyncllm.wires.loose import as_count, as_text
from asyncllm.wires.translator import JSONTranslator

if TYPE_CHECKING:
    from asyncllm.errors import AsyncLLMError

_SUCCESS = "success"


class PullProgress(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """How far the server has come in fetching a model.

    Attributes:
        status: what the server is doing, in its own words; "success" comes last.
        digest: the name of the file that it fetches, or "".
        total: the size of that file in bytes, or None.
        completed: how many of these bytes have arrived, or None.

    """

    status: str
    digest: str = ""
    total: int | None = None
    completed: int | None = None


class _Line(msgspec.Struct):
    status: Any = None
    digest: Any = None
    total: Any = None
    completed: Any = None
    error: Any = None


_LINE = msgspec.json.Decoder(_Line)


class PullReader(JSONTranslator[_Line]):
    """Reads the answer to a pull, as a translator reads an answer: its items are `PullProgress`."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_LINE)

    @override
    def take(self, line: _Line, batch: list[Any]) -> bool:
        """Append what a line says; see `JSONTranslator`."""
        if line.error is not None:
            raise _failure(line.error)
        status = as_text(line.status)
        counts = as_count(line.total), as_count(line.completed)
        batch.append(PullProgress(status, as_text(line.digest), *counts))
        return status == _SUCCESS

    @override
    def end(self) -> list[Any]:
        """Say that the body has ended, too early."""
        raise StreamInterrupted('the model was not fetched: the server ended without "success"')


def _failure(said: object) -> AsyncLLMError:
    """Return the error that a line tells."""
    complaint = complaint_of({"error": said})
    error = failure(complaint)
    if type(error) is ProviderError:  # which speaks of an answer
        return ProviderError(f"the server can't fetch the model: {complaint.message}")
    return error
