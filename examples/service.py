"""A service that relays answers as server-sent events; when a client leaves, generation stops.

python service.py                        with ASYNCLLM_H2O_BASE_URL set to a chat-ui server
curl -N -d '{"prompt": "Hello"}' http://127.0.0.1:8090/ask
"""

import asyncio
import logging
from collections.abc import AsyncGenerator

import msgspec
from aiohttp import web

from asyncllm import AsyncLLMError, H2o, SessionManager, Stream, Timeouts

HOST = "127.0.0.1"
PORT = 8090
LIMITS = Timeouts(first_token=30, stall=15, total=300)  # seconds
MOST = 200  # answers at a time
SPARES = 2  # conversations that are created in advance
SLOWEST_READ = 30.0  # seconds that a client may read nothing
DRAIN = 10.0  # seconds that running answers have to finish after SIGTERM

SESSIONS = web.AppKey("sessions", SessionManager)
RUNNING = web.AppKey("running", set[asyncio.Task[object]])
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold tokens back
}

log = logging.getLogger("service")


async def sessions_of(app: web.Application) -> AsyncGenerator[None]:
    """Keep one session manager for as long as the process runs."""
    async with SessionManager(timeouts=LIMITS, spare_conversations=SPARES) as app[SESSIONS]:
        yield


async def end_answers(app: web.Application) -> None:
    """After SIGTERM, wait for running answers, and end the rest with an error event."""
    running = app[RUNNING]
    if running:
        await asyncio.wait(running, timeout=DRAIN)
    await app[SESSIONS].aclose()


async def ask(request: web.Request) -> web.StreamResponse:
    """Relay one answer; aiohttp cancels this handler when its client leaves."""
    prompt = await prompt_of(request)
    if len(request.app[RUNNING]) >= MOST:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
    response = web.StreamResponse(headers=HEADERS)
    task = asyncio.current_task()
    assert task is not None
    request.app[RUNNING].add(task)
    task.add_done_callback(request.app[RUNNING].discard)
    await response.prepare(request)
    async with H2o(sessions=request.app[SESSIONS]).stream(prompt) as stream:
        try:
            async for event in events_of(stream):
                async with asyncio.timeout(SLOWEST_READ):
                    await response.write(event)
        except TimeoutError:
            log.warning("a client read nothing for %g s and was cut off", SLOWEST_READ)
            if request.transport is not None:
                request.transport.abort()
        except asyncio.CancelledError:  # the access log has no line for it
            log.info("a client left after %d characters", len(stream.reply.text))
            raise
    return response


async def prompt_of(request: web.Request) -> str:
    """Return the prompt, or answer 400."""
    try:
        question = await request.json()
    except ValueError:
        question = None
    match question:
        case {"prompt": str(prompt)} if prompt.strip():
            return prompt
    raise web.HTTPBadRequest(text='send {"prompt": "…"} as JSON\n')


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


def service() -> web.Application:
    """Return the application."""
    app = web.Application()
    app[RUNNING] = set()
    app.cleanup_ctx.append(sessions_of)
    app.on_shutdown.append(end_answers)
    app.router.add_post("/ask", ask)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(
        service(),
        host=HOST,
        port=PORT,
        handler_cancellation=True,  # when the client leaves
        shutdown_timeout=5,  # to write the last events
    )
