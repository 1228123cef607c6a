"""One stream of the soak, from its first read to the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncllm import AsyncLLMError
from benchmarks.soak.readers import Hearing, use
from benchmarks.soak.verdicts import end_of, judge, look_again

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncllm import Stream
    from benchmarks.soak.canaries import Canaries
    from benchmarks.soak.plans import Plan


async def follow(
    plan: Plan, stream: Stream, canaries: Canaries, on_first: Callable[[], None]
) -> tuple[str, AsyncLLMError | None, list[str]]:
    """Have a stream read and ended as planned; return its end, its error and what is wrong.

    Args:
        plan: how it is read and ended.
        stream: the stream.
        canaries: what its error may not show.
        on_first: called when its caller has its first text.

    """
    hearing = Hearing(on_first)
    error: AsyncLLMError | None = None
    is_cancelled = False
    try:
        is_cancelled = await use(stream, plan, hearing)
    except AsyncLLMError as failure:
        error = failure
    end = end_of(stream.reply, error, is_cancelled=is_cancelled)
    wrong = [*judge(stream, plan, hearing, error, end), *canaries.shown_by(error)]
    if plan.way != "drop":
        wrong += await look_again(stream, error)
    return end, error, wrong
