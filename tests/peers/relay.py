"""A TCP relay that counts what a client asks of a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Relay:
    """Where to connect to, and what has passed."""

    url: str = ""
    connections: int = 0
    posts: int = 0


@asynccontextmanager
async def relaying(server_url: str) -> AsyncIterator[Relay]:
    """Relay to the server, and back, until the block is left."""
    target, relay, running = urlsplit(server_url), Relay(), set[asyncio.Task]()

    async def pump(reader, writer, *, is_request: bool) -> None:
        try:
            while data := await reader.read(65536):
                # A request's beginning is one write of the client's, which it awaits an answer to.
                relay.posts += is_request and data.startswith(b"POST ")
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def relay_one(reader, writer) -> None:
        running.add(asyncio.current_task())
        relay.connections += 1
        back_reader, back_writer = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(
            pump(reader, back_writer, is_request=True), pump(back_reader, writer, is_request=False)
        )

    server = await asyncio.start_server(relay_one, "127.0.0.1", 0)
    relay.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
