"""What comes out of a stream."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from typing_extensions import override


class Reasoning(msgspec.Struct, frozen=True):
    """A piece of the model's visible thinking, before or between the answer's text.

    Attributes:
        text: the piece.

    """

    text: str


class ToolCall(msgspec.Struct, frozen=True):
    """A call that the model asks for, whole.

    Attributes:
        id: the server's name for the call, to be given back with the tool's result.
        name: the function's name.
        arguments: its arguments as the model wrote them: meant as JSON, perhaps not valid.

    """

    id: str
    name: str
    arguments: str

    @property
    def parsed_arguments(self) -> dict[str, object] | None:
        """The arguments as a dictionary; None where they are not a JSON object."""
        try:
            return msgspec.json.decode(self.arguments or "{}", type=dict[str, object])
        except (ValueError, RecursionError):
            return None


class Usage(msgspec.Struct, frozen=True):
    """What the answer cost, in tokens; None where the server did not say.

    Attributes:
        prompt_tokens: of what was sent.
        completion_tokens: of the answer.
        total_tokens: of both.

    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


class Finish(msgspec.Struct, frozen=True):
    """The wire's own sign that the answer is whole.

    Attributes:
        reason: "stop", "length", "tool_calls", "content_filter" or the server's own word.

    """

    reason: str


class Ping(msgspec.Struct, frozen=True):
    """A keep-alive: the server is there, and nothing new has come.

    Attributes:
        comment: what the server said, mostly nothing.

    """

    comment: str = ""


Event: TypeAlias = Reasoning | ToolCall | Usage | Finish | Ping
Item: TypeAlias = str | Event


class Reply(msgspec.Struct, frozen=True):
    """An answer, whole or as far as it came; `str(reply)` is its text.

    Attributes:
        text: the answer's text.
        reasoning: the thinking that came with it.
        tool_calls: the calls that the model asks for.
        usage: what it cost, or None where the server did not say.
        finish_reason: `Finish.reason`; "cancelled" when the stream was closed or cancelled
            before its end; None while it runs and after a failure.
        model: the full id of the model that was asked.

    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish_reason: str | None = None
    model: str = ""

    @override
    def __str__(self) -> str:
        return self.text


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
