"""A listening post in front of a proxy: counts connections, and keeps what clients say first."""

import asyncio
import contextlib

_READ = 64 * 1024


class Tap:
    """Relays TCP to a proxy, whose place it takes in URLs.

    `connections` is how many were accepted, `heads` what each one's client said first.
    """

    def __init__(self, proxy):
        self.proxy = proxy
        self.heads = []
        self.connections = 0
        self._writers = []
        self._tasks = set()

    def url(self, user="", password="", *, scheme=""):
        credentials = f"{user}:{password}@" if user else ""
        return f"{scheme or self.proxy.scheme}://{credentials}127.0.0.1:{self.port}"

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self._writers.append(writer)
        try:
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        except OSError:
            writer.transport.abort()
            return
        self._writers.append(upstream)
        heads, place = self.heads, len(self.heads)
        heads.append(b"")

        def keep(data):
            heads[place] += data

        await asyncio.gather(_pump(reader, upstream, keep), _pump(upstream_reader, writer))


async def _pump(reader, writer, keep=lambda data: None):
    with contextlib.suppress(OSError):
        while data := await reader.read(_READ):
            keep(data)
            writer.write(data)
            await writer.drain()
    # Both directions: who has lost its proxy, or its client, has no use for the other half.
    writer.close()
