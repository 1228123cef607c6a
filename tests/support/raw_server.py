"""A server that answers with raw bytes, for what the sandbox does not do."""

import asyncio
from contextlib import asynccontextmanager, suppress

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def raw_server(*answers, tls=None):
    """Serve one answer after another: bytes are sent, numbers and events waited for, None ends."""
    connections, left = [], list(answers)

    async def serve(reader, writer):
        connections.append(writer)
        while left and (head := await reader.readuntil(b"\r\n\r\n")):
            length = [
                int(line[15:])
                for line in head.lower().split(b"\r\n")
                if line[:15] == b"content-length:"
            ]
            await reader.readexactly(sum(length))
            for step in left.pop(0):
                if step is None:
                    writer.transport.abort()
                elif isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    writer.write(step)
                    await writer.drain()
        writer.close()

    async def quietly(reader, writer):
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}", connections
    finally:
        server.close()
        for writer in connections:
            # Up to Python 3.12, a transport that was closed before all was written, and has written
            # it since, has no loop left to abort in.
            with suppress(AttributeError):
                writer.transport.abort()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)
