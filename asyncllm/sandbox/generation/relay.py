"""How the tokens of a generation reach one client, and what a declared break does to that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asyncllm.sandbox.faults import (
    BadJson,
    Break,
    Drop,
    ErrorInStream,
    PingForever,
    Stall,
    Truncate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from asyncllm.sandbox.generation.backend import Backend, Generation
    from asyncllm.sandbox.wires.event_stream import EventStream

_NOT_JSON = '{"this is": not JSON'


@dataclass(frozen=True)
class Script:
    """What is to be written of the tokens of an answer.

    First comes the opening, before a token is there; then events for the first `count` tokens,
    and then the ending; or what is written for an error, which is at least one event.
    """

    tokens: Sequence[str]
    event: Callable[[str], str]
    count: int
    ending: Sequence[str]
    error: Callable[[ErrorInStream], Sequence[str]]
    opening: Sequence[str] = ()


def start_generation(
    backend: Backend,
    tokens: Sequence[str],
    fault: Break | None,
    *,
    delay: float = 0.0,
    on_end: Callable[[Generation], None] | None = None,
) -> Generation:
    """Start generating, as far as a break that lies upstream of the wire lets it come."""
    until = len(tokens)
    if isinstance(fault, (Stall, PingForever, ErrorInStream, Truncate)):
        until = min(fault.after, until)
    is_hanging = isinstance(fault, (Stall, PingForever))
    is_failing = isinstance(fault, (ErrorInStream, Truncate))
    return backend.generate(
        tokens, delay=delay, until=until, hang=is_hanging, fails=is_failing, on_end=on_end
    )


async def relay(
    stream: EventStream, generation: Generation, script: Script, fault: Break | None
) -> web.StreamResponse:
    """Write the script as the generation goes on, with the break where it is declared.

    When the generation is stopped from outside, the client sees its connection drop.

    Raises:
        ConnectionError: the client has gone.
        TypeError: nobody performs this kind of break.

    """
    after = min(fault.after, script.count) if fault is not None else script.count
    await _send_tokens(stream, generation, script, 0, after)
    match fault:
        case Drop(reset=reset):
            return await stream.cut(reset=reset)
        case Truncate():
            return await stream.finish()
        case ErrorInStream():
            await _send_error(stream, script, fault)
            return await stream.finish()
        case PingForever(every=every):
            while not generation.is_over:
                await stream.ping()
                await asyncio.sleep(every)
        case BadJson():
            await stream.send(_NOT_JSON)
            await _send_tokens(stream, generation, script, after, script.count)
        case Stall() | None:
            pass  # It goes on when the generation does, which for a stall is never.
        case _:
            raise TypeError(f"not a break that can be performed: {fault!r}")
    await generation.wait_over()
    if generation.is_stopped:
        return await stream.cut()
    for payload in script.ending:
        await stream.send(payload)
    return await stream.finish()


async def _send_error(stream: EventStream, script: Script, fault: ErrorInStream) -> None:
    error, *rest = script.error(fault)
    await stream.send(error, event="error" if fault.named_event else None)
    for payload in rest:
        await stream.send(payload)


async def _send_tokens(
    stream: EventStream, generation: Generation, script: Script, sent: int, end: int
) -> None:
    while sent < end and await generation.has_more_than(sent):
        ready = min(generation.produced, end)
        for token in generation.tokens[sent:ready]:
            await stream.send(script.event(token))
        await stream.flush()
        sent = ready
