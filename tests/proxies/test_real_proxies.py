"""Streams through real proxies: tinyproxy, microsocks and Dante from Debian, proxy.py from PyPI.

For SOCKS4a, which none of them speaks, there is a small one of our own.

Each is approached through a tap, which counts the connections that go through the proxy: as many
as reach the server, or something has gone past it.
"""

import asyncio
import base64

import pytest

from asyncllm import H2o, OpenAICompatible, ProxyError, SessionManager
from asyncllm.sandbox import Sandbox
from support.loops import LOOPS
from support.tls import buffers, open_transports

from .conftest import GUARDED, MODEL, ROUTES, ask_openai, raises
from .launcher import KNOWN_TO_THE_PROXY, OTHER_USER, PASSWORD, USER

pytestmark = [
    pytest.mark.timeout(300),  # installing takes a while
    pytest.mark.usefixtures("_talkative_loop"),
]


@pytest.fixture(params=ROUTES, ids=" as ".join)
async def route(request, proxies, tap):
    """A tap in front of a running proxy, and the URL to use it with."""
    kind, scheme = request.param
    proxy = proxies(kind)
    opened = await tap(proxy)
    user, password = (USER, PASSWORD) if proxy.wants_credentials else ("", "")
    return opened, opened.url(user, password, scheme=scheme)


async def test_a_stream_goes_through_and_so_does_all_of_its_life(ask, server, route, manager):
    tapped, url = route
    direct = await ask(server, await manager()).complete("Hello")
    before = server.connections
    sessions = await manager(proxy=url)
    async with ask(server, sessions).stream("Hello") as stream:
        tokens = [token async for token in stream]
    assert len(tokens) > 1
    assert "".join(tokens) == direct.text
    await sessions.aclose()
    assert server.conversations == 0
    assert server.connections - before == tapped.connections > 0


# Hooks into aiohttp and into aiohttp_socks.


async def test_tls_through_a_proxy_is_begun_by_the_routes_own_loop(
    route, server_tls, manager, accelerate
):
    _, url = route
    async with Sandbox(ssl=server_tls) as server:
        sessions = await manager(proxy=url, accelerate=accelerate)
        async with ask_openai(server, sessions).stream("Hello") as stream:
            await anext(stream)
            [transport] = open_transports(sessions.connections)
            layers = buffers(transport)
    if accelerate:
        assert type(transport).__module__.startswith("aiofastnet")
    else:
        assert len(layers) == (2 if url.startswith("https") else 1)
        assert all(len(buffer) < 64 * 1024 for buffer in layers)


@pytest.mark.parametrize(("kind", "scheme"), ROUTES)
def test_tls_goes_through_on_uvloop_too(kind, scheme, proxies, server_tls, trust, accelerate):
    proxy = proxies(kind)
    credentials = f"{USER}:{PASSWORD}@" if proxy.wants_credentials else ""
    url = f"{scheme}://{credentials}127.0.0.1:{proxy.port}"

    async def ask():
        async with (
            Sandbox(ssl=server_tls) as server,
            SessionManager(proxy=url, ssl=trust, accelerate=accelerate) as sessions,
        ):
            model = ask_openai(server, sessions)
            assert (await model.complete("Hello")).finish_reason == "stop"
            async with model.stream("Hello") as stream:
                await anext(stream)

    with asyncio.Runner(loop_factory=LOOPS["uvloop"]) as runner:
        runner.run(ask())


async def test_a_stream_takes_the_connection_that_was_opened_ahead(server, route, manager):
    tapped, url = route
    sessions = await manager(proxy=url)
    await sessions.warm(server.url, 2)
    assert tapped.connections == 2
    model = ask_openai(server, sessions)
    await asyncio.gather(model.complete("Hello"), model.complete("Hello"))
    assert tapped.connections == server.connections == 2


async def test_a_stream_that_is_left_early_is_cleaned_up_through_the_proxy(route, manager):
    tapped, url = route
    async with Sandbox(token_rate=50, tokens=1000) as server:
        sessions = await manager(proxy=url, grace=60)  # a quarter of it is for stopping
        async with H2o(base_url=server.url, sessions=sessions).stream("Hello") as stream:
            await anext(stream)
        await sessions.aclose()
        assert (server.conversations, server.generating) == (0, 0)
        assert server.connections == tapped.connections


async def test_a_host_name_works_with_a_socks4_proxy_that_knows_no_names(
    server, proxies, tap, manager
):
    tapped = await tap(proxies("dante"))
    sessions = await manager(proxy=tapped.url(scheme="socks4"))
    named = server.url.replace("127.0.0.1", "localhost") + "/v1"
    assert await OpenAICompatible(base_url=named, model=MODEL, sessions=sessions).complete("Hello")
    assert tapped.connections == 1


async def test_a_name_that_only_a_socks4a_proxy_knows_is_resolved_there(
    server, proxies, tap, manager
):
    tapped = await tap(proxies("socks4a"))
    sessions = await manager(proxy=tapped.url())
    named = server.url.replace("127.0.0.1", KNOWN_TO_THE_PROXY) + "/v1"
    assert await OpenAICompatible(base_url=named, model=MODEL, sessions=sessions).complete("Hello")
    assert tapped.connections == server.connections == 1


@pytest.mark.parametrize("levels", range(1, 8))
async def test_the_nearest_proxy_wins(ask, sandbox, levels, proxies, tap, manager):
    taps = [await tap(proxies("tinyproxy")) for _ in range(3)]
    given = [each.url() if levels & 1 << i else None for i, each in enumerate(taps)]
    of_manager, of_provider, of_call = given
    sessions = await manager(proxy=of_manager)
    await ask(sandbox, sessions, proxy=of_provider).complete("Hello", proxy=of_call)
    await sessions.aclose()
    went_through = [each.connections > 0 for each in taps]
    assert went_through.index(True) == levels.bit_length() - 1
    assert went_through.count(True) == 1


async def test_a_proxy_for_one_call_needs_no_session_manager(ask, sandbox, proxies, tap):
    tapped = await tap(proxies("tinyproxy"))
    await ask(sandbox, None).complete("Hello", proxy=tapped.url())
    assert tapped.connections == sandbox.connections > 0


async def test_users_of_one_proxy_share_no_connection_and_no_credentials(
    server_tls, proxies, tap, manager
):
    tapped = await tap(proxies("tinyproxy with users"))
    sessions = await manager()
    async with Sandbox(ssl=server_tls) as server:
        ann, bob = (
            ask_openai(server, sessions, proxy=tapped.url(user, PASSWORD))
            for user in (USER, OTHER_USER)
        )
        await ann.complete("Hello")
        await ann.complete("Hello")
        assert tapped.connections == 1  # kept and used again: there is something to share
        await bob.complete("Hello")
        await ann.complete("Hello")
        await bob.complete("Hello")
    assert tapped.connections == 2
    for user, head in zip((USER, OTHER_USER), tapped.heads, strict=True):
        token = base64.b64encode(f"{user}:{PASSWORD}".encode())
        assert head.count(b"Proxy-Authorization") == head.count(token) == 1


@pytest.mark.parametrize("kind", GUARDED)
async def test_an_open_connection_serves_nobody_with_other_credentials(
    server, kind, proxies, tap, manager
):
    tapped = await tap(proxies(kind))
    sessions = await manager()
    ann = ask_openai(server, sessions, proxy=tapped.url(USER, PASSWORD))
    await ann.complete("Hello")
    for url in (tapped.url(USER, "wrong"), tapped.url("eve", PASSWORD), tapped.url()):
        with raises(ProxyError):
            await ask_openai(server, sessions, proxy=url).complete("Hello")
    await ann.complete("Hello")
    assert len(server.requests) == 2


async def test_different_proxies_and_none_share_no_connection(server_tls, proxies, tap, manager):
    taps = [await tap(proxies(kind)) for kind in ("tinyproxy", "tinyproxy", "microsocks", "dante")]
    sessions = await manager()
    async with Sandbox(ssl=server_tls) as server:
        for _ in range(2):
            await ask_openai(server, sessions).complete("Hello")
            for each in taps:
                await ask_openai(server, sessions, proxy=each.url()).complete("Hello")
        assert [each.connections for each in taps] == [1, 1, 1, 1]
        assert server.connections == 5
