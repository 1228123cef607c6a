"""What real proxies refuse, and how they die: typed errors that show no password."""

import ssl
import sys
from types import SimpleNamespace

import pytest
from rich.pretty import pretty_repr

import asyncllm
from asyncllm import ConfigurationError, ProxyError, Retry, StreamInterrupted, TransportError
from asyncllm.sandbox import Sandbox, Status

from .conftest import GUARDED, KINDS, ROUTES, ask_openai, assert_no_canary, raises
from .launcher import PASSWORD, USER, free_port

pytestmark = [
    pytest.mark.timeout(300),  # installing takes a while
    pytest.mark.usefixtures("_talkative_loop"),
]


@pytest.mark.parametrize("kind", GUARDED)
async def test_refused_credentials_are_a_proxy_error_and_not_tried_again(
    ask, server, kind, proxies, tap, manager
):
    tapped = await tap(proxies(kind))
    sessions = await manager(proxy=tapped.url(USER, f"{PASSWORD}-of-old"))
    with raises(ProxyError, match="401|407|authentication failure"):
        await ask(server, sessions).complete("Hello")
    assert tapped.connections == 1
    assert not server.requests


@pytest.mark.parametrize("kind", GUARDED)
async def test_missing_credentials_are_a_proxy_error_and_not_asked_for_again(
    ask, server, kind, proxies, tap, manager
):
    tapped = await tap(proxies(kind))
    with raises(ProxyError, match="407|No acceptable authentication"):
        await ask(server, await manager(proxy=tapped.url())).complete("Hello")
    assert tapped.connections == 1
    assert not server.requests


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("route", ROUTES, ids=" as ".join)
async def test_a_server_that_the_proxy_cannot_reach_is_a_proxy_error(
    ask, scheme, route, proxies, tap, manager
):
    tapped = await tap(proxies(route[0]))
    sessions = await manager(proxy=tapped.url(USER, PASSWORD, scheme=route[1]))
    nobody = SimpleNamespace(url=f"{scheme}://127.0.0.1:{free_port()}")
    with raises(ProxyError, match=r"refused|rejected|50\d"):
        await ask(nobody, sessions).complete("Hello")
    assert tapped.connections == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", ["http", "https", "socks4", "socks4a", "socks5", "socks5h"])
async def test_a_proxy_that_is_not_there_is_a_proxy_error(ask, proxy, scheme, manager):
    url = f"{proxy}://{USER}:{PASSWORD}@127.0.0.1:{free_port()}"
    server = SimpleNamespace(url=f"{scheme}://example.org")
    with raises(ProxyError, match="proxy 127.0.0.1:.*(refused|[Cc]onnect)"):
        await ask(server, await manager(proxy=url)).complete("Hello")


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_that_dies_amid_the_answer_interrupts_it_with_what_had_come(
    ask, tls, kind, launch, server_tls, manager, caplog
):
    with launch[kind]() as proxy:
        url = f"{proxy.scheme}://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}"
        sessions = await manager(proxy=url)
        async with Sandbox(token_rate=50, tokens=1000, ssl=server_tls if tls else None) as server:
            stream = ask(server, sessions).stream("Hello")
            tokens = [await anext(stream) for _ in range(3)]
            proxy.kill()
            with raises(StreamInterrupted) as caught:
                async for token in stream:
                    tokens.append(token)
            assert caught.value.reply.text == "".join(tokens)
            assert len(server.requests) <= 3  # nothing was tried again
            await sessions.aclose()
            assert ("not deleted" in caplog.text) == bool(server.conversations)


@pytest.mark.parametrize("kind", ["tinyproxy", "tinyproxy with users", "proxy.py over TLS"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, asyncllm.AuthenticationError),
        (403, asyncllm.AuthenticationError),
        (404, asyncllm.NotFoundError),
        (429, asyncllm.RateLimitError),
        (500, asyncllm.ServerError),
        (502, asyncllm.ServerError),
        (503, asyncllm.ServerError),
    ],
)
async def test_what_the_server_refuses_stays_its_own(
    sandbox, kind, status, error, proxies, manager
):
    proxy = proxies(kind)
    url = f"{proxy.scheme}://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}"
    sandbox.add_fault(Status(status=status, retry_after=7))
    sessions = await manager(proxy=url, retry=Retry(attempts=1))
    with raises(error, match=str(status)) as caught:
        await ask_openai(sandbox, sessions).complete("Hello")
    assert caught.value.retry_after == 7


async def test_a_proxy_that_is_not_trusted_is_a_proxy_error(server, proxies, manager):
    proxy = proxies("proxy.py over TLS")
    url = f"https://{USER}:{PASSWORD}@127.0.0.1:{proxy.port}"
    sessions = await manager(proxy=url, ssl=ssl.create_default_context())
    with raises(ProxyError, match="certificate verify failed"):
        await ask_openai(server, sessions).complete("Hello")


@pytest.mark.parametrize("kind", ["tinyproxy", "microsocks", "dante"])
async def test_a_server_that_is_not_trusted_is_no_fault_of_the_proxy(
    server_tls, kind, proxies, manager
):
    proxy = proxies(kind)
    url = f"{proxy.scheme}://127.0.0.1:{proxy.port}"
    sessions = await manager(proxy=url, ssl=ssl.create_default_context(), retry=Retry(attempts=1))
    async with Sandbox(ssl=server_tls) as server:
        with raises(TransportError, match="certificate verify failed"):
            await ask_openai(server, sessions).complete("Hello")


async def test_socks_without_its_extra_names_the_extra(ask, server, manager, monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp_socks", None)  # as if it were not installed
    sessions = await manager(proxy=f"socks5://{USER}:{PASSWORD}@127.0.0.1:1080")
    with raises(ConfigurationError, match=r"pip install 'asyncllm-sdk\[socks\]'"):
        await ask(server, sessions).complete("Hello")


async def test_no_repr_shows_a_password(ask, server, manager):
    url = f"http://{USER}:{PASSWORD}@127.0.0.1:1"
    sessions = await manager(proxy=url)
    provider = ask(server, sessions, proxy=url)
    stream = provider.stream("Hello", proxy=url)
    shown = [sessions, sessions.proxy, sessions.connections, provider, stream]
    assert_no_canary([show(each) for each in shown for show in (repr, str, pretty_repr)])
