"""What is wrong with a stream of the soak that has ended: its end, its text, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm import AsyncLLMError, StreamInterrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncllm import Reply, Stream
    from benchmarks.soak.plans import Plan
    from benchmarks.soak.readers import Hearing

ENDS = ("finished", "closed", "cancelled", "failed")

_CLOSING = {"aclose", "break", "drop"}
_BY_COUNT = {"break", "drop"}
_READ_TO_THE_END = {"finish", "cancel", "scope", "timeout"}


def end_of(reply: Reply, error: AsyncLLMError | None, *, is_cancelled: bool) -> str:
    """Return which of the four ends a stream has come to, by what it says itself."""
    if is_cancelled:
        return "cancelled"
    if error is not None and reply.finish_reason != "cancelled":
        return "failed"
    return "closed" if _is_cut(reply) else "finished"


def judge(
    stream: Stream, plan: Plan, hearing: Hearing, error: AsyncLLMError | None, end: str
) -> Iterator[str]:
    """Say what is wrong with a stream that has come to its `end`."""
    reply, whole, seen = stream.reply, plan.whole_texts, "".join(hearing.tokens)
    if not _is_cut(reply) and reply.text not in whole:
        yield "it says that it is whole, and is not"
    if not any(text.startswith(reply.text) for text in whole):
        yield "its text is not the beginning of its answer"
    if not reply.text.startswith(seen):
        yield "its caller has seen another text than it says"
    if (
        end == "finished"
        and plan.way in _READ_TO_THE_END
        and plan.style != "collect"
        and seen != reply.text
    ):
        yield "its caller has not seen all of it"
    if end == "failed" and (error is None or error.reply != reply or not _is_cut(reply)):
        yield "its error has another reply than itself"
    if end == "cancelled" and " running" in repr(stream):
        yield "it runs on"
    if end == "closed":
        is_short = plan.way in _BY_COUNT and len(hearing.tokens) < plan.tokens
        if plan.way not in _CLOSING or is_short:
            yield "it was cut off silently"
        if error is not None and type(error) is not StreamInterrupted:
            yield "it was closed, and its reader got another error than that"


async def look_again(stream: Stream, error: AsyncLLMError | None) -> list[str]:
    """Return what is wrong with a stream that has ended and is iterated again."""
    await stream.aclose()
    before = stream.reply
    again: AsyncLLMError | None = None
    items = []
    try:
        items = [item async for item in stream.events()]
    except AsyncLLMError as failure:
        again = failure
    wrong = ["it gives more after its end"] if items or stream.reply != before else []
    if again is not error and before.finish_reason is None:
        wrong.append(f"it says something else when iterated again: {again!r}")
    if error is None and before.finish_reason is None:
        wrong.append("it does not say how it ended")
    return wrong


def _is_cut(reply: Reply) -> bool:
    return reply.finish_reason in {None, "cancelled"}
