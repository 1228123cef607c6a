"""A pool of connections and what asks over it, without a session manager around them."""

import pytest

from asyncllm.http.connections import ConnectionPool
from asyncllm.http.http import Http


@pytest.fixture
async def pool():
    pool = ConnectionPool()
    yield pool
    await pool.aclose()


@pytest.fixture
def http(pool):
    return Http(pool, connect=1.0, max_event_bytes=100_000)
