"""A turn of a chat: a question, and what came for it."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from typing import Any

import msgspec

from asyncllm.events import Usage  # noqa: TC001 - as above
from asyncllm.parts import described, text_in
from asyncllm.reply import Reply  # noqa: TC001 - as above

STOPPED = "stopped"


class Turn(msgspec.Struct, frozen=True):
    """A question, and what came for it.

    Attributes:
        question: the user's message.
        by: the provider and the model that were asked.
        answer: the assistant's message, as the next question's messages have it; None where
            nothing came.
        reasoning: the thinking that came with it.
        ended: why it is not whole: `STOPPED`, or the error; "" where it is.
        model: that answered.
        finish_reason: why it ended, in the server's words.
        usage: what it cost.

    """

    question: Mapping[str, Any]
    by: str = ""
    answer: Mapping[str, Any] | None = None
    reasoning: str = ""
    ended: str = ""
    model: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """What the answer says."""
        return content_text((self.answer or {}).get("content"))

    def with_reply(self, reply: Reply, ended: str) -> Turn:
        """Return the turn with what came.

        Args:
            reply: what came.
            ended: why it is not whole; "" where it is.

        """
        said = reply.text or reply.refusal
        message: dict[str, Any] | None = reply.message if said else None
        if message is not None and (ended or reply.tool_calls):
            # Half of what a server wants back with an answer is nothing that it would take; and
            # nobody here answers a call.
            message = {"role": "assistant", "content": said}
        return msgspec.structs.replace(
            self,
            answer=message,
            reasoning=reply.reasoning,
            ended=ended,
            model=reply.model,
            finish_reason=reply.finish_reason,
            usage=reply.usage,
        )


def content_text(content: object) -> str:
    """Return the text of a message's content; of its other parts what they are."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        return ""
    return "\n\n".join(map(_part_text, content))


def question_text(message: Mapping[str, Any]) -> str:
    """Return the text of a question, without what was attached to it."""
    content = message.get("content")
    if not isinstance(content, list | tuple):
        return content_text(content)
    return content_text([part for part in content if text_in(part) is not None])


def _part_text(part: Mapping[str, Any]) -> str:
    text = text_in(part)
    return f"({described(part)})" if text is None else text
