"""The faults a sandbox can be told to show.

A fault is frozen; how often it has been used is kept in the `FaultBook`. Every fault takes
`times`: how many requests it applies to, `None` for every one. Faults of one kind (refusals,
breaks, ...) queue up in the order in which they were declared, so that
``[Status(status=429, times=2), Drop(after=3, times=1)]`` is a script: two refusals, one
broken stream, then all is well.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal

Step = Literal["landing", "settings", "create", "stream", "stop", "delete", "delete_all", "models"]
"""What a request wants: chat-ui's steps; "stream" is also a chat completion, streamed or not."""

AnyStep = Step | Literal["any"]


@dataclass(frozen=True)
class Fault:
    """Something a server does that a client must cope with; by itself, during a stream.

    Attributes:
        times: how many requests it befalls; None for every one.

    """

    _: KW_ONLY
    times: int | None = None

    @property
    def step(self) -> AnyStep:
        """What the requests that it befalls want."""
        return "stream"

    @property
    def body_field(self) -> str | None:
        """A field that their JSON body must have, if that matters."""
        return None


# --- the answer is something else altogether ---------------------------------------------


@dataclass(frozen=True)
class Refusal(Fault):
    """Another answer takes the place of the real one; the request has no effect."""

    _: KW_ONLY
    on: AnyStep = "stream"

    @property
    def step(self) -> AnyStep:
        """As declared."""
        return self.on


@dataclass(frozen=True)
class Status(Refusal):
    """An HTTP error in the wire's own form.

    `retry_after` (seconds, or a string such as an HTTP date, sent as it is) becomes the header
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
    """A web page where a stream or JSON was asked for, as from a proxy in between."""

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

    `form` "line" is the bare text on a line of its own, "data" an SSE event holding an error
    object, "json" an error object as the whole body. It befalls bodies that name a model.
    """

    times: int | None = 1
    status: int = 200
    backticks: bool = True
    form: Literal["line", "data", "json"] = "line"

    @property
    def body_field(self) -> str:
        """The model, which chat-ui's requests for a stream do not name."""
        return "model"


# --- the stream does not run as it should ------------------------------------------------


@dataclass(frozen=True)
class Break(Fault):
    """Something happens after `after` tokens; at the latest between the last one and the end."""

    after: int = 0


@dataclass(frozen=True)
class Drop(Break):
    """The connection is closed without the end of the chunked body.

    With `reset` it is a TCP reset, and tokens that are not yet on the wire may be lost.
    """

    reset: bool = False


@dataclass(frozen=True)
class Stall(Break):
    """No more tokens, and no more bytes, until the client leaves or the generation is stopped."""


@dataclass(frozen=True)
class PingForever(Break):
    """No more tokens, but comment lines every `every` seconds."""

    every: float = 0.01


@dataclass(frozen=True)
class ErrorInStream(Break):
    """An error event inside the 200, and then a clean end.

    `named_event` puts ``event: error`` before it.
    """

    message: str = "the model ran out of memory"
    named_event: bool = False


@dataclass(frozen=True)
class Truncate(Break):
    """A clean end of the body, but without what marks the end of an answer."""


@dataclass(frozen=True)
class BadJson(Break):
    """One event whose data is not JSON; the stream then goes on."""


# --- delays and lost state ---------------------------------------------------------------


@dataclass(frozen=True)
class Delay(Fault):
    """The answer comes `seconds` later. What was asked takes effect at once."""

    seconds: float


@dataclass(frozen=True)
class SlowCreate(Delay):
    """chat-ui's answer with the new conversation's id is late; the conversation exists."""

    @property
    def step(self) -> Step:
        """Create."""
        return "create"


@dataclass(frozen=True)
class SlowAnswer(Delay):
    """Any answer is late; that of a stream is its first token and with it the headers."""

    on: AnyStep = "stream"

    @property
    def step(self) -> AnyStep:
        """As declared."""
        return self.on


@dataclass(frozen=True)
class Late(Fault):
    """A request is held up on its way: it takes effect `seconds` later, its client gone or not."""

    seconds: float
    on: AnyStep = "stream"

    @property
    def step(self) -> AnyStep:
        """As declared."""
        return self.on


@dataclass(frozen=True)
class LoseSessions(Fault):
    """Settings and conversations are forgotten just before such a request is looked at."""

    before: Step = "stream"
    times: int | None = 1

    @property
    def step(self) -> Step:
        """As declared."""
        return self.before


@dataclass(frozen=True)
class NewId(Fault):
    """chat-ui gives the new conversation this id, as a hostile server might."""

    id: str

    @property
    def step(self) -> Step:
        """Create."""
        return "create"


@dataclass(frozen=True)
class NoOrigin(Fault):
    """chat-ui runs without ORIGIN, and takes itself to be served over https."""

    @property
    def step(self) -> Step:
        """Settings, as these come as a form."""
        return "settings"


# --- habits: the same answer, differently put --------------------------------------------


@dataclass(frozen=True)
class Framing(Fault):
    """Other bytes on the wire, the same content."""

    kind: Literal["crlf", "cr", "no_space", "multi_line", "id_retry", "comments", "bom", "one_byte"]


@dataclass(frozen=True)
class BigEvent(Fault):
    """The answer's first token is `size` characters long."""

    size: int = 2_000_000


@dataclass(frozen=True)
class PlainJson(Fault):
    """One plain JSON answer although a stream was asked for (Gravityengine)."""


@dataclass(frozen=True)
class Usage(Fault):
    """Where the token counts come, asked for or not.

    "last": in a last chunk with `choices: []`; "finish": in the chunk with the finish reason;
    "with_choices": in a last chunk whose choices are not empty; "never": nowhere.
    """

    position: Literal["last", "finish", "with_choices", "never"] = "last"


@dataclass(frozen=True)
class NoDone(Fault):
    """The stream ends without ``data: [DONE]``."""


@dataclass(frozen=True)
class NoFinishReason(Fault):
    """No chunk has a finish reason."""


@dataclass(frozen=True)
class NullContent(Fault):
    """The first and the finish chunk have ``"content": null``."""


@dataclass(frozen=True)
class ReasoningField(Fault):
    """Some reasoning deltas come first, under this name."""

    name: Literal["reasoning", "reasoning_content"] = "reasoning_content"


@dataclass(frozen=True)
class ToolIndex(Fault):
    """Tool-call deltas without an index, or all with index 0; each of them has its id."""

    kind: Literal["missing", "duplicate"] = "missing"
