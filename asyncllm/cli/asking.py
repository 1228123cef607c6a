"""A question asked on the command line, and its answer written out, kept and logged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from asyncllm.cli.advice import advise
from asyncllm.cli.answers import End
from asyncllm.cli.asked import content_of
from asyncllm.cli.choosing import Choice, Chosen, chosen
from asyncllm.cli.last import Conversation, load_last, save_last
from asyncllm.cli.log_file import log_answer
from asyncllm.cli.spinner import Spinner
from asyncllm.cli.text import say
from asyncllm.errors import AsyncLLMError, ConfigurationError
from asyncllm.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncllm.cli.answers import Output


_MEASURABLE = 0.001  # seconds; what came in one read came at no speed


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, and of whom.

    Attributes:
        messages: all of them, without the system message.
        system: the system message; None for none.
        params: parameters for the server.
        choice: what was typed about who is to answer.

    """

    messages: list[dict[str, Any]]
    system: str | None
    params: Mapping[str, Any]
    choice: Choice


def asked(
    words: Sequence[str],
    attached: Sequence[str],
    *,
    system: str | None,
    params: Mapping[str, Any],
    choice: Choice,
    go_on: bool,
) -> Asked:
    """Return what is asked; standard input is read for it.

    Args:
        words: the prompt, as it was typed.
        attached: paths and URLs, as they were typed.
        system: the system message, if one was typed.
        params: parameters for the server.
        choice: what was typed about who is to answer.
        go_on: whether the last conversation goes on.

    Raises:
        ConfigurationError: there is nothing to ask, something can't be sent, or there is no last
            conversation.

    """
    last = load_last() if go_on else None
    if go_on and last is None:
        raise ConfigurationError(
            "there is no conversation to continue yet: ask something without -c first"
        )
    if system is None and last is not None:
        system = last.system
    message = {"role": "user", "content": content_of(words, attached, system=system)}
    return Asked(
        messages=[*(last.messages if last else ()), message],
        system=system,
        params=params,
        choice=msgspec.structs.replace(choice, last=last),
    )


async def answer(asked: Asked, output: Output, *, stats: bool) -> None:
    """Ask, write the answer as it comes, and keep it.

    Args:
        asked: what to ask.
        output: where the answer goes.
        stats: whether to say on standard error how fast it came.

    Raises:
        AsyncLLMError: it failed; a note on it says what to type next.

    """
    found: Chosen | None = None
    try:
        async with chosen(asked.choice) as found:
            await _answer_of(found, asked, output, stats=stats)
    except ConfigurationError as error:  # nothing was asked
        if found is not None:
            advise(error, found.name, found.model)
        raise
    except (asyncio.CancelledError, AsyncLLMError) as error:
        if found is None:  # and so there is no stream that has ended
            name = asked.choice.provider or asked.choice.model.partition("/")[0]
            output.end(End(Reply(), name, error))
        raise


async def _answer_of(found: Chosen, asked: Asked, output: Output, *, stats: bool) -> None:
    """Ask whoever was chosen, and end the output, whichever way the answer ends."""
    stream = found.provider.stream(
        asked.messages, model=found.model or None, system=asked.system, **asked.params
    )
    error: BaseException | None = None
    pieces = 0
    try:
        async with stream, Spinner(f"waiting for {found.model or found.name}") as spinner:
            async for item in stream.events():
                pieces += isinstance(item, str)
                if output.shows(item):
                    spinner.stop()
                    output.add(item)
    except (asyncio.CancelledError, BrokenPipeError, AsyncLLMError) as caught:
        error = caught
    if isinstance(error, ConfigurationError):
        raise error  # nothing was sent
    if isinstance(error, AsyncLLMError):
        advise(error, found.name, found.model)
    try:
        if not isinstance(error, BrokenPipeError):
            output.end(End(stream.reply, found.name, error))
    finally:
        _keep(found, asked, stream.reply, error)
    if stats:
        _say_stats(stream.reply, pieces)
    if error is not None:
        raise error


def _keep(found: Chosen, asked: Asked, reply: Reply, error: BaseException | None) -> None:
    """Keep an answer for `--continue`, and in the log."""
    log_answer(
        reply,
        messages=asked.messages,
        provider=found.name,
        model=found.model,
        system=asked.system,
        error=error,
        secrets=(*found.provider.secrets, asked.choice.proxy),
    )
    message: Mapping[str, Any] = reply.message
    if reply.tool_calls:  # whose results nobody will give
        message = {"role": "assistant", "content": reply.text}
    # What failed is asked again, and not continued; what was stopped goes on from where it was.
    if isinstance(error, AsyncLLMError) or not message["content"]:
        return
    conversation = Conversation(
        messages=[*asked.messages, dict(message)],
        model=found.model,
        provider=found.name,
        base_url=found.base_url,
        system=asked.system,
    )
    try:
        save_last(conversation)
    except ConfigurationError as problem:
        say(f"asyncllm: -c can't continue this conversation: {problem}")


def _say_stats(reply: Reply, pieces: int) -> None:
    duration = reply.duration or 0.0
    first = duration if reply.time_to_first_token is None else reply.time_to_first_token
    tokens = (reply.usage and reply.usage.completion_tokens) or pieces
    written = duration - first
    speed = f"{tokens / written:.1f} tokens/s, " if written > _MEASURABLE else ""
    ended = reply.finish_reason or "failed"
    say(f"first token {first:.3f} s, {tokens} tokens, {speed}ended: {ended}")
