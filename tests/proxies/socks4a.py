"""A small SOCKS4a proxy: none of those that can be installed resolves names for SOCKS4.

Run as `python socks4a.py PORT NAME`. It connects to addresses and to `localhost`; NAME, which
nobody else knows, is this machine as well.
"""

import asyncio
import sys

GRANTED, REJECTED = (b"\0%c" % code + bytes(6) for code in (0x5A, 0x5B))


async def serve(reader, writer):
    try:
        server = await _connect(reader)
    except (OSError, asyncio.IncompleteReadError):
        writer.write(REJECTED)
    else:
        writer.write(GRANTED)
        await asyncio.gather(_pump(reader, server[1]), _pump(server[0], writer))
    writer.close()


async def _connect(reader):
    head = await reader.readexactly(8)  # version, command, port, address
    await reader.readuntil(b"\0")  # the user
    host = ".".join(map(str, head[4:]))
    if head[4:7] == bytes(3) and head[7]:  # no address: the name follows
        name = (await reader.readuntil(b"\0"))[:-1].decode()
        host = "127.0.0.1" if name == sys.argv[2] else name
    return await asyncio.open_connection(host, int.from_bytes(head[2:4], "big"))


async def _pump(source, target):
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    target.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
