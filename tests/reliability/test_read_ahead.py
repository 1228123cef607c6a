"""What streams cost that nobody reads: bytes that have come are bounded for each, and so in sum."""

import asyncio
import sys

import pytest

from asyncllm.options import READ_AHEAD
from support.raw_server import CHUNKED, chunk

STREAMS = 100
ONE_READ = 64 * 1024
STREAM = 20 * 1024  # which waits, with its connection
EVENT = chunk(b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % (b"x" * 100))

CLIENT = """
import asyncio, os, sys
from asyncllm import OpenAICompatible, SessionManager

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def main(url, streams):
    async with SessionManager() as sessions:
        provider = OpenAICompatible(base_url=url, model="m", sessions=sessions)
        async with provider.stream("warm") as stream:
            await anext(stream)
        before = resident()
        held = [provider.stream("Hello") for _ in range(streams)]
        await asyncio.gather(*(anext(stream) for stream in held))
        await asyncio.to_thread(sys.stdin.readline)  # until the server can't write any more
        print(resident() - before, flush=True)
        await asyncio.gather(*(stream.aclose() for stream in held))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""

pytestmark = [
    pytest.mark.reliability,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


async def test_streams_of_an_endless_server_that_nobody_reads_take_what_is_promised():
    stuck = asyncio.Semaphore(0)

    async def flood(reader, writer):
        writer.write(CHUNKED)
        try:
            while True:
                writer.write(EVENT * 400)
                try:
                    async with asyncio.timeout(1):
                        await writer.drain()
                except TimeoutError:
                    stuck.release()
                    await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, url, str(STREAMS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        for _ in range(STREAMS):
            await stuck.acquire()
        said, _ = await client.communicate(b"\n")
    server.close()
    assert client.returncode == 0
    # What has come takes as much again where it is small pieces; the first read is items already.
    assert int(said) < STREAMS * (2 * (READ_AHEAD + ONE_READ) + STREAM)
