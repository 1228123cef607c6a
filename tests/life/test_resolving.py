"""Names of servers: looked up once, and an address that does not answer holds up nobody."""

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver

from asyncllm.http.connections import ConnectionPool
from asyncllm.http.warm import warm
from support.raw_server import raw_server

DEAF, HEARING = "127.0.0.2", "127.0.0.1"


class Resolver(AbstractResolver):
    """Knows two addresses for any name, of which the first does not answer."""

    def __init__(self):
        self.asked = []

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked.append(host)
        return [
            {"hostname": host, "host": each, "port": port, "family": socket.AF_INET}
            | {"proto": 0, "flags": 0}
            for each in (DEAF, HEARING)
        ]

    async def close(self):
        pass


@pytest.fixture
def deaf():
    """A function that has a port of the first address take no more connections."""
    sockets = []

    def make(port):
        listening = socket.create_server((DEAF, port), backlog=0)
        sockets.append(listening)
        for _ in range(4):
            sockets.append(socket.socket())
            sockets[-1].setblocking(False)
            sockets[-1].connect_ex((DEAF, port))

    yield make
    for each in sockets:
        each.close()


@pytest.mark.parametrize("accelerate", [False, True])
async def test_the_next_address_is_tried_before_the_first_has_failed(deaf, accelerate, contexts):
    """A hook into aiohttp: a resolver of the test's own stands in for the system's."""
    pool, resolver = ConnectionPool(ssl=contexts[1], accelerate=accelerate), Resolver()
    pool._route_for(None, keeps=True)._client.connector._resolver = resolver
    async with raw_server([b""], [b""], tls=contexts[0]) as (server, connections):
        port = int(server.rpartition(":")[2])
        deaf(port)
        async with asyncio.timeout(20):  # less than the first address takes to fail
            await warm(pool, f"https://localhost:{port}", 1, proxy=None, connect=None)
            await warm(pool, f"https://localhost:{port}", 2, proxy=None, connect=None)
        assert len(connections) == 2
    assert resolver.asked == ["localhost"]
    await pool.aclose()
