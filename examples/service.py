"""A service that relays answers as server-sent events; who hangs up stops the generation.

python examples/service.py               with ASYNCLLM_H2O_BASE_URL set to a chat-ui server
curl -N -d '{"prompt": "Hello"}' http://127.0.0.1:8090/ask
"""

import json
from collections.abc import AsyncGenerator

from aiohttp import web

from asyncllm import AsyncLLMError, H2o, SessionManager, Timeouts

SESSIONS = web.AppKey("sessions", SessionManager)


async def sessions_of(app: web.Application) -> AsyncGenerator[None]:
    """Keep one session manager for as long as the service runs."""
    async with SessionManager(timeouts=Timeouts(first_token=30, stall=15)) as app[SESSIONS]:
        yield


async def ask(request: web.Request) -> web.StreamResponse:
    """Relay one answer; this handler is cancelled when its client leaves."""
    prompt = (await request.json())["prompt"]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    async with H2o(sessions=request.app[SESSIONS]).stream(prompt) as stream:
        try:
            while tokens := await stream.read():  # all that one network read brought
                await response.write(event({"text": "".join(tokens)}))
            await response.write(event({"finish_reason": stream.reply.finish_reason}))
        except AsyncLLMError as error:
            await response.write(event({"error": str(error)}))
    return response


def event(data: dict[str, object]) -> bytes:
    """Return one server-sent event."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def service() -> web.Application:
    """Return the application."""
    app = web.Application()
    app.cleanup_ctx.append(sessions_of)
    app.router.add_post("/ask", ask)
    return app


if __name__ == "__main__":
    web.run_app(service(), host="127.0.0.1", port=8090, handler_cancellation=True)
