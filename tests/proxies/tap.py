"""A listening post in front of a proxy: counts connections, and keeps what clients say first."""

import asyncio
import contextlib
import socket

_READ = 64 * 1024


class Tap:
    """Relays TCP to a proxy, whose place it takes in URLs.

    `connections` is how many were accepted, `heads` what each one's client has said.

    It uses bare sockets: asyncio's streams forget what they have read where a reset follows, and
    a proxy that refuses a request before it has read it all resets the connection.
    """

    def __init__(self, proxy):
        self.proxy = proxy
        self.heads = []
        self._tasks = set()

    @property
    def connections(self):
        return len(self.heads)

    def url(self, user="", password="", *, scheme=""):
        credentials = f"{user}:{password}@" if user else ""
        return f"{scheme or self.proxy.scheme}://{credentials}127.0.0.1:{self.port}"

    async def __aenter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept())
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()

    def _start(self, work):
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self):
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            self.heads.append(bytearray())
            self._start(self._relay(client, self.heads[-1]))

    async def _relay(self, client, head):
        with client, socket.socket() as upstream, contextlib.suppress(OSError):
            for each in (client, upstream):
                each.setblocking(False)
            await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", self.proxy.port))
            pumps = [
                asyncio.ensure_future(_pump(client, upstream, head)),
                asyncio.ensure_future(_pump(upstream, client, bytearray())),
            ]
            try:
                # Whoever has lost its proxy, or its client, has no use for the other half.
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(source, target, heard):
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _READ):
        heard += data
        await loop.sock_sendall(target, data)
