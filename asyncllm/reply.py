"""`Reply`: an answer, and what to say it was in the next turn."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations

import msgspec
from typing_extensions import override

from asyncllm.events import (
    Citation,
    Logprob,
    Media,
    ToolCall,
    ToolResult,
    Usage,
    object_in,
)


class Reply(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """An answer, complete or as far as it has arrived; `str(reply)` is its text.

    Two replies are equal if the same arrived, however long it took. A reply without a raw finish
    reason is compared by its `finish_reason`.

    Attributes:
        text: the answer's text.
        reasoning: the thinking that came with it.
        tool_calls: the calls that the model asks for.
        usage: what it cost, or None if the server did not say.
        finish_reason: `Finish.reason`; "cancelled" if the stream was closed or cancelled before its
            end; None while it runs and after a failure.
        model: the full id of the model that answered, if the server reports it; otherwise of the
            one that was asked.
        id: the server's name for the answer; "" if it has none.
        provider: who answered, if the server passes requests on to others; otherwise "".
        refusal: what the model said when it refused to answer.
        raw_finish_reason: the server's own word for why the answer ended.
        citations: the sources that it cites.
        media: the images and sounds that it contains.
        tool_results: the results of tools that the server called during the answer.
        logprobs: how likely its tokens were, if you asked for that.
        time_to_first_token: seconds from the first read to the first content; None before it.
        duration: seconds from the first read to the end; None while it runs.
        opaque: what the server wants back with it; `message` includes it.
        extra: what else the server said about it, by the server's own names, such as
            "system_fingerprint" or "content_filter_results".

    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish_reason: str | None = None
    model: str = ""
    id: str = ""
    provider: str = ""
    refusal: str = ""
    raw_finish_reason: str | None = None
    citations: tuple[Citation, ...] = ()
    media: tuple[Media, ...] = ()
    tool_results: tuple[ToolResult, ...] = ()
    logprobs: tuple[Logprob, ...] = ()
    time_to_first_token: float | None = None
    duration: float | None = None
    opaque: Mapping[str, object] = {}
    extra: Mapping[str, object] = {}

    @override
    def __str__(self) -> str:
        return self.text

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reply):
            return NotImplemented
        is_same = all(getattr(self, name) == getattr(other, name) for name in _COMPARED)
        words = [each.raw_finish_reason or each.finish_reason for each in (self, other)]
        return is_same and words[0] == words[1]

    __hash__ = None  # type: ignore[assignment] # it has mappings

    @property
    def cost(self) -> float | None:
        """What it cost in US dollars; None if the server did not say."""
        return None if self.usage is None else self.usage.cost

    @property
    def message(self) -> dict[str, object]:
        """What to append to `messages` for the next turn.

        It is a new assistant's message each time, with its tool calls and whatever the server wants
        back unchanged, such as the signatures of its thinking. After it, append a result for each
        of its calls: `{"role": "tool", "tool_call_id": call.id, "content": …}`.
        """
        said = self.text or self.refusal
        message: dict[str, object] = {"role": "assistant", "content": said or None, **self.opaque}
        if self.tool_calls:
            message["tool_calls"] = [_call(call) for call in self.tool_calls]
        elif not said:
            message["content"] = ""
        return message


_COMPARED = set(Reply.__struct_fields__) - {
    "raw_finish_reason",
    "time_to_first_token",
    "duration",
}


def _call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    opaque = object_in(call.opaque) or {}
    return {"id": call.id, "type": "function", "function": function, **opaque}
