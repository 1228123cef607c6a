"""What an answer looks like as a stream, with the faults that befall one on any wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from asyncllm.sandbox.faults import Break, Framing
from asyncllm.sandbox.generation import relay, start_generation
from asyncllm.sandbox.wires.event_stream import EventStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from asyncllm.sandbox.generation import Backend, Generation, Script
    from asyncllm.sandbox.wires.framings import Form


class Keeper(Protocol):
    """Keeps what is generated, whether or not somebody reads it."""

    def begin(self, generation: Generation) -> None:
        """Take a generation that has been started."""

    def end(self, generation: Generation) -> None:
        """Let go of one that is complete or stopped."""


async def stream_answer(
    backend: Backend,
    request: web.Request,
    script: Script,
    *,
    headers: Mapping[str, str],
    space: str = "",
    form: Form = "data",
    delay: float = 0.0,
    keeper: Keeper | None = None,
) -> web.StreamResponse:
    """Generate an answer, and stream it to the client as it comes.

    The first token comes `delay` seconds after the script's opening. `headers`, `space` and
    `form` are as in `EventStream`. With a keeper the generation outlives its reader; otherwise it
    ends with it.

    Raises:
        ConnectionError: the client has gone.
        TypeError: a break is declared that nobody performs.

    """
    fault = backend.faults.take(Break, "stream")
    framing = backend.faults.take(Framing, "stream")
    stream = EventStream(request, headers=headers, space=space, framing=framing, form=form)
    if script.opening:
        for payload in script.opening:
            await stream.send(payload)
        await stream.flush()
    on_end = keeper.end if keeper is not None else None
    generation = start_generation(backend, script.tokens, fault, delay=delay, on_end=on_end)
    if keeper is not None:
        keeper.begin(generation)
    try:
        return await relay(stream, generation, script, fault)
    finally:
        if keeper is None:
            generation.stop()
