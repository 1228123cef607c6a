"""The same service with FastAPI: when a client leaves, generation stops.

uvicorn service_fastapi:app --port 8090 --timeout-graceful-shutdown 10 --limit-concurrency 200
curl -N --json '{"prompt": "Hello"}' http://127.0.0.1:8090/ask
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated

import msgspec
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, StringConstraints
from starlette.types import Message, Receive, Scope, Send

from asyncllm import AsyncLLMError, H2o, SessionManager, Stream, Timeouts

LIMITS = Timeouts(first_token=30, stall=15, total=300)  # seconds
SPARES = 2  # conversations that are created in advance
SLOWEST_READ = 30.0  # seconds that a client may read nothing

HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold tokens back
}

log = logging.getLogger("service")
logging.basicConfig(level=logging.INFO)  # uvicorn sets up its own loggers only


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Keep one session manager for as long as the process runs."""
    async with SessionManager(timeouts=LIMITS, spare_conversations=SPARES) as sessions:
        app.state.h2o = H2o(sessions=sessions)
        yield


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    """What a client sends."""

    prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Answer(StreamingResponse):
    """Server-sent events that end, together with their stream, when the client leaves."""

    media_type = "text/event-stream"

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.events = events_of(stream)
        super().__init__(self.events, headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them. Starlette alone leaves an unfinished generator to the garbage collector."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SLOWEST_READ):
                await send(message)

        async with self.stream, aclosing(self.events):
            try:
                await super().__call__(scope, receive, send_in_time)
            except* TimeoutError:
                log.warning("a client read nothing for %g s and was cut off", SLOWEST_READ)
            except* asyncio.CancelledError:  # the time that uvicorn gives after SIGTERM is over
                last = event(
                    "error", {"error": "StreamInterrupted", "text": self.stream.reply.text}
                )
                await send_in_time({"type": "http.response.body", "body": last})
            else:
                reply = self.stream.reply
                if reply.finish_reason == "cancelled":
                    log.info("a client left after %d characters", len(reply.text))


@app.post("/ask")
async def ask(question: Question) -> Answer:
    """Relay one answer."""
    h2o: H2o = app.state.h2o
    return Answer(h2o.stream(question.prompt))


async def events_of(stream: Stream) -> AsyncGenerator[bytes]:
    """Yield an answer as server-sent events; the last one is `done` or `error`."""
    try:
        while tokens := await stream.read():  # all that one network read brought
            yield event("text", {"text": "".join(tokens)})
    except AsyncLLMError as error:
        log.warning("an answer failed: %s: %s", type(error).__name__, error)
        # The message may name the server behind us: it belongs in the log only.
        yield event("error", {"error": type(error).__name__, "text": stream.reply.text})
    else:
        reply = stream.reply
        yield event("done", {"finish_reason": reply.finish_reason, "usage": reply.usage})


def event(name: str, data: dict[str, object]) -> bytes:
    """Return one server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
