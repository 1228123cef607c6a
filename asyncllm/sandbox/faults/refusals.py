"""Refusals: another answer takes the place of the real one."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from asyncllm.sandbox.faults.fault import AnyStep, Fault, Placed


@dataclass(frozen=True)
class Refusal(Placed, Fault):
    """Another answer takes the place of the real one; the request has no effect."""

    _: KW_ONLY
    on: AnyStep = "stream"


@dataclass(frozen=True)
class Status(Refusal):
    """An HTTP error in the API's own form.

    `retry_after` (seconds, or a string such as an HTTP date, sent unchanged) becomes the header
    Retry-After, `retry_after_ms` the header retry-after-ms.
    """

    status: int = 429
    retry_after: float | str | None = None
    retry_after_ms: float | None = None
    message: str | None = None


@dataclass(frozen=True)
class DetailError(Refusal):
    """An HTTP error whose body is ``{"detail": ...}``."""

    status: int = 422
    detail: str = "the sandbox refuses this request"


@dataclass(frozen=True)
class PlainError(Refusal):
    """An HTTP error whose body is plain text."""

    status: int = 502
    text: str = "upstream is not available"


@dataclass(frozen=True)
class HtmlPage(Refusal):
    """A web page where a stream or JSON was requested, as from a proxy in between."""

    status: int = 200


@dataclass(frozen=True)
class EmptyBody(Refusal):
    """A 200 `text/event-stream` that ends cleanly without a byte."""


@dataclass(frozen=True)
class RefuseField(Refusal):
    """A 400 that names an unknown field, for requests whose body has this field."""

    name: str = "stream_options"

    @property
    def body_field(self) -> str:
        """The field that is refused."""
        return self.name


@dataclass(frozen=True)
class ModelDoesNotExist(Refusal):
    """Lockchat's passing fault: a line that says the model does not exist.

    `form` "line" is the bare text on its own line, "data" an SSE event that holds an error object,
    "json" an error object as the whole body. It affects bodies that name a model.
    """

    times: int | None = 1
    status: int = 200
    backticks: bool = True
    form: Literal["line", "data", "json"] = "line"

    @property
    def body_field(self) -> str:
        """The model, which chat-ui's requests for a stream do not name."""
        return "model"
