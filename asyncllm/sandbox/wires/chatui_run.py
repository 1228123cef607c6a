"""An answer of today's chat-ui: what becomes of it, and two ways to read it.

A run outlives its readers: it ends when it is complete or stopped. Its updates are kept, so that
who lost the connection reads them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asyncllm.sandbox.faults import (
    BadJson,
    Break,
    Drop,
    ErrorInStream,
    Framing,
    PingForever,
    Stall,
    Truncate,
)
from asyncllm.sandbox.generation import start_generation
from asyncllm.sandbox.wires.event_stream import EventStream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from asyncllm.sandbox.generation import Backend, Generation
    from asyncllm.sandbox.wires.body import JSON

_KEEP_ALIVE_SECONDS = 0.1
_PADDED = 16
_PERFORMED = (BadJson, Drop, ErrorInStream, PingForever, Stall, Truncate)
_PROXY_FILLER = " " * 4096  # so that proxies pass on what comes before
_STARTED: JSON = {"type": "status", "status": "started"}
_FINISHED: JSON = {"type": "status", "status": "finished"}


@dataclass(eq=False)
class Run:
    """One answer; `updates` are what its readers are told."""

    tokens: Sequence[str]
    title: str
    retried_after: int | None = None
    """After how many tokens the model failed once, and was asked again."""
    title_seconds: float | None = None
    """How long after the whole answer the title comes; None for before it."""
    updates: list[JSON] = field(default_factory=lambda: [_STARTED])
    text: str = ""
    is_stored: bool = False
    is_stopped: bool = False
    is_over: bool = False
    status: str = "running"
    fault: Break | None = None
    generation: Generation | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self, backend: Backend, *, delay: float) -> None:
        """Have the model begin.

        Raises:
            TypeError: a break is declared that nobody performs.

        """
        self.fault = fault = backend.faults.take(Break, "stream")
        if fault is not None and not isinstance(fault, _PERFORMED):
            raise TypeError(f"not a break that can be performed: {fault!r}")
        self.generation = start_generation(backend, self.tokens, fault, delay=delay)
        if self.is_stopped:
            self.generation.stop()
        backend.keep(asyncio.create_task(self._run(self.generation)))

    def stop(self) -> None:
        """End it; the model is let go of at once."""
        self.is_stopped = True
        if self.generation is not None:
            self.generation.stop()

    async def more_than(self, count: int, seconds: float | None = None) -> bool:
        """Wait for more than `count` updates; False where there are none, or not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while len(self.updates) <= count and not self.is_over:
                    self.news.clear()
                    await self.news.wait()
        return len(self.updates) > count

    async def _run(self, generation: Generation) -> None:
        try:
            await self._relay(generation)
            await self._conclude(generation)
        finally:
            self.is_over = True
            self.news.set()

    async def _relay(self, generation: Generation) -> None:
        sent = 0
        while await generation.has_more_than(sent):
            for token in self.tokens[sent : generation.produced]:
                self._tell_token(token, sent)
                sent += 1
        self.text = "".join(self.tokens[:sent])

    def _tell_token(self, token: str, number: int) -> None:
        if number == self.retried_after:  # without a sign between the two tries
            for again in self.tokens[:number]:
                self._tell({"type": "stream", "token": again})
        self._tell({"type": "stream", "token": token})

    async def _conclude(self, generation: Generation) -> None:
        title: JSON = {"type": "title", "title": self.title}
        if self.title_seconds is None:
            self._tell(title)
        match self.fault:
            case ErrorInStream() as fault if not generation.is_stopped:
                error: JSON = {"type": "status", "status": "error", "message": fault.message}
                code = fault.status or fault.code
                self._tell({**error, "statusCode": code} if isinstance(code, int) else error)
                self.status = "error"
            case Truncate() if not generation.is_stopped:
                self.status = "completed"
                self._tell(_FINISHED)
            case _:
                self.is_stored = True
                self.status = "interrupted" if generation.is_stopped else "completed"
                text, is_stopped = self.text.rstrip(), generation.is_stopped
                self._tell({"type": "finalAnswer", "text": text, "interrupted": is_stopped})
                if self.title_seconds is not None:
                    await asyncio.sleep(self.title_seconds)
                    self._tell(title)
                self._tell(_FINISHED)

    def _tell(self, update: JSON) -> None:
        self.updates.append(update)
        self.news.set()


async def stream_lines(
    backend: Backend,
    request: web.Request,
    run: Run,
    *,
    headers: Mapping[str, str],
    delay: float,
) -> web.StreamResponse:
    """Begin a run, and write what comes of it as lines, with padding and keep-alives.

    Raises:
        ConnectionError: the client has gone.

    """
    framing = backend.faults.take(Framing, "stream")
    stream = EventStream(
        request,
        headers=headers,
        framing=Framing("one_byte") if framing and framing.kind == "one_byte" else None,
        media_type="application/jsonl",
    )
    run.start(backend, delay=delay)
    sent = tokens = 0
    while True:
        is_silent = isinstance(run.fault, Stall) and tokens >= run.fault.after
        if not await run.more_than(sent, None if is_silent else _KEEP_ALIVE_SECONDS):
            if run.is_over:
                return await stream.finish()
            await stream.write('{"type":"status","status":"keepAlive"}\n')
            await stream.flush()
            continue
        for update in run.updates[sent:]:
            if isinstance(run.fault, Drop) and tokens >= run.fault.after and sent:
                return await stream.cut(reset=run.fault.reset)
            if isinstance(run.fault, BadJson) and tokens == run.fault.after and sent:
                await stream.write('{"this is": not JSON}\n')
            await stream.write(_line(update))
            sent += 1
            tokens += update["type"] == "stream"
        await stream.flush()


async def follow_events(
    backend: Backend, request: web.Request, run: Run | None, *, after: int
) -> web.StreamResponse:
    """Write the updates of a run as server-sent events, from the one after `after` on.

    Raises:
        ConnectionError: the client has gone.

    """
    drop = backend.faults.take(Drop, "stream")
    stream = EventStream(request, headers={}, space=" ")
    sent, tokens = after, 0
    while run is not None and (await run.more_than(sent, 0.25) or not run.is_over):
        news = run.updates[sent:]
        if not news:
            await stream.write(": heartbeat\n\n")
        for update in news:
            if drop is not None and tokens >= drop.after:
                return await stream.cut(reset=drop.reset)
            sent += 1
            tokens += update["type"] == "stream"
            await stream.write(f"id: {sent}\nevent: update\ndata: {_json(update)}\n\n")
        await stream.flush()
    status = "gone" if run is None else run.status
    await stream.write(f"event: end\ndata: {_json({'status': status})}\n\n")
    return await stream.finish()


def _line(update: JSON) -> str:
    token = update.get("token")
    if isinstance(token, str):
        units = len(token.encode("utf-16-le")) // 2
        update = {**update, "token": token + "\0" * max(0, _PADDED - units)}
    filler = _PROXY_FILLER if update["type"] == "finalAnswer" else ""
    return f"{_json(update)}\n{filler}"


def _json(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
