"""What comes out of a stream."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from typing import TypeAlias

import msgspec


class Reasoning(msgspec.Struct, frozen=True):
    """A piece of the model's visible thinking, before or between the answer's text.

    Attributes:
        text: the piece.

    """

    text: str


class Refusal(msgspec.Struct, frozen=True):
    """A piece of what the model says when it refuses to answer.

    Attributes:
        text: the piece.

    """

    text: str


class ToolCall(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A complete call that the model asks for.

    Attributes:
        id: the server's name for the call; return it with the tool's result.
        name: the function's name.
        arguments: its arguments as the model wrote them: meant as JSON, but perhaps not valid.
        opaque: what the server wants back with the call, such as a signature, as a JSON object; ""
            for nothing. `Reply.message` includes it.

    """

    id: str
    name: str
    arguments: str
    opaque: str = ""

    @property
    def parsed_arguments(self) -> dict[str, object] | None:
        """The arguments as a dictionary; None if they are not a JSON object."""
        return object_in(self.arguments or "{}")


class ToolResult(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """The result of a tool that the server called during the answer.

    Attributes:
        id: of the call.
        name: the function's name.
        content: what the model is told.
        is_error: whether the tool failed.

    """

    id: str
    name: str
    content: str
    is_error: bool = False


class Citation(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A source that the answer cites, or that the server searched for it.

    Attributes:
        url: its address; "" if it has none.
        title: its title.
        text: what it says, or the part of it that is cited.
        start: where the citing part of the answer's text begins, in characters as the server counts
            them; None if the server does not say.
        end: where that part ends.

    """

    url: str = ""
    title: str = ""
    text: str = ""
    start: int | None = None
    end: int | None = None


class Media(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """An image or a sound that the model made.

    Attributes:
        media_type: such as "image/png".
        data: the bytes; b"" if there is a URL.
        url: the address; "" if there are bytes.

    """

    media_type: str
    data: bytes = b""
    url: str = ""


class Logprob(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """How likely the model considered a token.

    Attributes:
        token: its text, as far as it is text.
        logprob: the natural logarithm of its probability.
        token_bytes: its bytes; None if the server does not say.
        top: the likeliest tokens in its place, if you asked for them.

    """

    token: str
    logprob: float
    token_bytes: bytes | None = None
    top: tuple[Logprob, ...] = ()


class Logprobs(msgspec.Struct, frozen=True):
    """How likely the tokens of a piece of the answer's text were.

    Attributes:
        tokens: one for each token.

    """

    tokens: tuple[Logprob, ...]


class Usage(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """What the answer cost, in tokens; None where the server did not say.

    The counts are the server's own. Servers differ in whether `completion_tokens` includes the
    reasoning: `input_tokens` and `output_tokens` mean the same for every provider.

    Attributes:
        prompt_tokens: the tokens that were sent.
        completion_tokens: the tokens of the answer.
        total_tokens: both together.
        cached_tokens: the tokens sent that the server had in a cache.
        cache_write_tokens: the tokens sent that it put into a cache.
        reasoning_tokens: the tokens of the thinking, shown or not.
        cost: in US dollars, if the server reports it.

    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None

    @property
    def input_tokens(self) -> int | None:
        """The tokens of everything that was sent, cached or not."""
        return self.prompt_tokens

    @property
    def output_tokens(self) -> int | None:
        """The tokens of everything that was written, including the thinking."""
        written, thought = self.completion_tokens, self.reasoning_tokens
        if written is None or not thought or self.total_tokens is None:
            return written
        # xAI's counts are 12 + 1 + 290 = 303, where others' are 12 + 291 = 303.
        is_beside = (self.prompt_tokens or 0) + written + thought == self.total_tokens
        return written + thought if is_beside else written


class Finish(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """The server's own sign that the answer is complete.

    Attributes:
        reason: "stop", "length", "tool_calls", "content_filter" or the server's own word.
        raw: the server's own word, if `reason` is a different one; otherwise "".

    """

    reason: str
    raw: str = ""


class Restart(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Discard what came before: another answer begins in its place.

    Attributes:
        discarded: what had arrived of the answer's text.

    """

    discarded: str = ""


class Ping(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A keep-alive: the server is there, and nothing new has arrived.

    Attributes:
        comment: what the server said, mostly nothing.

    """

    comment: str = ""


class About(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """What a server says about its answer; for `Reply`, and never given out.

    There may be several in an answer; each adds to those before it.

    Attributes:
        id: the server's name for the answer.
        model: the full id of the model that answers.
        provider: who answers, if the server passes requests on to others.
        opaque: what the server wants back with the answer, for `Reply.message`, by the names that
            it has there.
        extra: anything else, by the server's own names.

    """

    id: str = ""
    model: str = ""
    provider: str = ""
    opaque: Mapping[str, object] = {}
    extra: Mapping[str, object] = {}


Event: TypeAlias = (
    Reasoning
    | Refusal
    | ToolCall
    | ToolResult
    | Citation
    | Media
    | Logprobs
    | Usage
    | Finish
    | Restart
    | Ping
    | About
)
Item: TypeAlias = str | Event


def object_in(text: str) -> dict[str, object] | None:
    """Return the object that a text is as JSON; None where it is none."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (ValueError, RecursionError):
        return None


def parts_of(batch: list[Item]) -> tuple[str, list[Event]]:
    """Return the text of a batch, joined, and its events, which nearly always come behind it."""
    end = len(batch)
    while end and not isinstance(batch[end - 1], str):
        end -= 1
    try:
        return "".join(batch[:end]), batch[end:]  # type: ignore[arg-type, return-value] # see above
    except TypeError:
        texts = [item for item in batch if isinstance(item, str)]
        return "".join(texts), [item for item in batch if not isinstance(item, str)]
