"""TLS on loopback: what a server shows, and what its connections are made of."""

import ssl

import pytest
import trustme


@pytest.fixture(scope="session")
def contexts():
    """What a server shows, and what its clients verify it with."""
    authority, server = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


def open_transports(pool):
    """Return the transports of the connections that a pool has open."""
    return [each.transport for route in pool._routes.values() for each in route._open.values()]


def buffers(transport):
    """Return what a connection of asyncio's own reads into: for each layer of TLS, a buffer."""
    found = []
    while (protocol := getattr(transport, "_ssl_protocol", None)) is not None:
        found.append(protocol._ssl_buffer)
        transport = protocol._transport
    return found
