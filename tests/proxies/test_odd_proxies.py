"""Proxies that answer as some in the wild do, and none of those that can be installed."""

import asyncio
import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import asyncllm
from asyncllm import ProxyError, Retry, StreamTimeout, Timeouts, TransportError
from asyncllm.http.proxies import parse_proxy
from asyncllm.http.refusals import is_proxy_refusal
from support.lateness import Watch, hold_in_time

from .conftest import CANARIES, ask_openai, raises
from .launcher import PASSWORD, USER

BASIC = next(canary for canary in CANARIES if canary.endswith("="))


class Elsewhere:
    """A server that only the proxy is asked for."""

    def __init__(self, scheme):
        self.url = f"{scheme}://example.org"


@pytest.fixture(params=["http", "https"])
def elsewhere(request):
    return Elsewhere(request.param)


@contextlib.asynccontextmanager
async def odd_proxy(*answers, says_nothing=False):
    """Give each connection the answers, one for each read; keep what was read."""
    heard, writers = [], []

    async def serve(reader, writer):
        writers.append(writer)
        heard.append(b"")
        for answer in answers:
            heard[-1] += await reader.read(65536)
            writer.write(answer)
        if says_nothing:
            heard[-1] += await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


@pytest.mark.parametrize("status", [401, 403, 407, 500, 502, 503, 504])
async def test_a_tunnel_that_is_refused_in_whatever_way_is_a_proxy_error(status, manager):
    answer = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
    async with odd_proxy(answer) as (port, heard):
        sessions = await manager(proxy=f"http://{USER}:{PASSWORD}@127.0.0.1:{port}")
        with raises(ProxyError, match=f"refused to connect: {status} No"):
            await ask_openai(Elsewhere("https"), sessions).complete("Hello")
    assert len(heard) == 1


@pytest.mark.parametrize("header", [b"X-Squid-Error: ERR_CONNECT_FAIL 111", b"Proxy-Agent: x"])
async def test_a_forward_that_is_refused_with_the_proxys_sign_is_a_proxy_error(header, manager):
    answer = b"HTTP/1.1 503 Unavailable\r\n%s\r\nContent-Length: 0\r\n\r\n" % header
    async with odd_proxy(answer) as (port, heard):
        sessions = await manager(proxy=f"http://{USER}:{PASSWORD}@127.0.0.1:{port}")
        with raises(ProxyError, match="refused to forward: 503 Unavailable"):
            await ask_openai(Elsewhere("http"), sessions).complete("Hello")
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("status", "headers", "is_the_proxys"),
    [
        (407, {"Proxy-Authenticate": "Basic"}, True),
        (401, {"Server": "tinyproxy/1.11.1", "WWW-Authenticate": "Basic"}, True),
        (500, {"Server": "tinyproxy/1.11.1"}, True),
        (502, {"Proxy-Agent": "proxy.py v2.4.10"}, True),
        (403, {"X-Squid-Error": "ERR_ACCESS_DENIED 0", "Via": "1.1 here (squid/5.7)"}, True),
        (401, {"WWW-Authenticate": "Bearer"}, False),
        (503, {"Server": "nginx", "Via": "1.1 here (tinyproxy/1.11.1)"}, False),
        (429, {"Proxy-Agent": "x", "Retry-After": "7"}, False),
        (404, {"Server": "tinyproxy/1.11.1"}, False),
        (500, {}, False),
    ],
)
def test_whose_refusal_it_is(status, headers, is_the_proxys):
    assert is_proxy_refusal(status, headers) is is_the_proxys


async def test_a_sign_of_a_proxy_says_nothing_where_none_was_asked(manager):
    answer = b"HTTP/1.1 503 No\r\nServer: tinyproxy/1\r\nContent-Length: 0\r\n\r\n"
    async with odd_proxy(answer) as (port, _):
        server = Elsewhere("http")
        server.url = f"http://127.0.0.1:{port}"
        with raises(asyncllm.ServerError):
            await ask_openai(server, await manager(retry=Retry(attempts=1))).complete("Hello")


@pytest.mark.parametrize("scheme", ["http", "socks4", "socks5"])
async def test_a_proxy_that_says_nothing_is_a_connect_timeout_in_time(scheme, manager):
    async with odd_proxy(says_nothing=True) as (port, _):
        sessions = await manager(
            proxy=f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{port}",
            timeouts=Timeouts(connect=0.2),
            retry=Retry(attempts=1),
        )
        server = Elsewhere("https")
        server.url = "https://127.0.0.1:1"  # no name, which SOCKS4 would have resolved here

        async def measure():
            watch = Watch(0.2)
            with raises(StreamTimeout) as caught:
                await ask_openai(server, sessions).complete("Hello")
            assert (caught.value.phase, caught.value.limit) == ("connect", 0.2)
            return watch.stop()

        await hold_in_time(measure)


async def test_without_a_connect_limit_the_socks_library_sets_none_of_its_own(manager, monkeypatch):
    monkeypatch.setattr("python_socks.async_.asyncio.v2._proxy.DEFAULT_TIMEOUT", 0.05)
    async with odd_proxy(says_nothing=True) as (port, _):
        sessions = await manager(
            proxy=f"socks5://127.0.0.1:{port}", timeouts=Timeouts(connect=None, first_token=0.3)
        )
        with raises(StreamTimeout) as caught:
            await ask_openai(Elsewhere("http"), sessions).complete("Hello")
    assert caught.value.phase == "first_token"


@pytest.mark.parametrize(
    "answers",
    [[b""], [b"\5"], [b"\5\2", b""], [b"\5\2", b"\1\0", b""], [b"\5\2", b"\1\0", b"\5\0\0"]],
)
async def test_a_socks_proxy_that_hangs_up_before_it_connects_is_a_proxy_error(
    elsewhere, answers, manager
):
    async with odd_proxy(*answers) as (port, heard):
        sessions = await manager(proxy=f"socks5://{USER}:{PASSWORD}@127.0.0.1:{port}")
        with raises(ProxyError, match=f"proxy 127.0.0.1:{port}: it hung up"):
            await ask_openai(elsewhere, sessions).complete("Hello")
    assert len(heard) == 1


async def test_a_socks_reply_with_a_name_that_is_none_is_a_proxy_error(elsewhere, manager):
    async with odd_proxy(b"\5\0", b"\5\0\0\3\2\xff\xfe\0\1") as (port, _):
        sessions = await manager(proxy=f"socks5://127.0.0.1:{port}")
        with raises(ProxyError, match="proxy's answer can't be read"):
            await ask_openai(elsewhere, sessions).complete("Hello")


REPLIES = st.one_of(
    st.binary(max_size=24),
    st.builds(
        lambda kind, rest: b"\5\0\0" + kind + rest,
        st.sampled_from([b"\1", b"\3", b"\3\2", b"\3\xff", b"\4", b"\2"]),
        st.binary(max_size=24),
    ),
    st.builds(lambda code, rest: b"\0" + code + rest, st.binary(max_size=1), st.binary(max_size=8)),
)


@settings(max_examples=60, deadline=None)
@given(scheme=st.sampled_from(["socks4", "socks5"]), reply=REPLIES)
@example("socks5", b"\5\0\0\3\1\xff\0\1")
def test_whatever_a_socks_proxy_replies_is_not_the_callers_fault(scheme, reply):
    async def ask():
        hello = [b"\5\0"] if scheme == "socks5" else []
        async with odd_proxy(*hello, reply) as (port, _):
            proxy = f"{scheme}://127.0.0.1:{port}"
            async with asyncllm.SessionManager(proxy=proxy, retry=Retry(attempts=1)) as sessions:
                server = Elsewhere("http")
                server.url = "http://127.0.0.1:1"
                with pytest.raises(asyncllm.AsyncLLMError) as caught:
                    await ask_openai(server, sessions).complete("Hello")
        assert not isinstance(caught.value, asyncllm.ConfigurationError)

    asyncio.run(ask())


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad\r\n\r\n", b"\4\0", b"\5\x07"])
async def test_what_is_no_socks_proxy_is_a_proxy_error(elsewhere, answer, manager):
    async with odd_proxy(answer, says_nothing=True) as (port, _):
        sessions = await manager(proxy=f"socks5://{USER}:{PASSWORD}@127.0.0.1:{port}")
        with raises(ProxyError, match="SOCKS|authentication"):
            await ask_openai(elsewhere, sessions).complete("Hello")


async def test_socks5_proxies_resolve_the_names_of_servers(elsewhere, manager):
    async with odd_proxy(b"\5\0", b"\5\4\0") as (port, heard):
        sessions = await manager(proxy=f"socks5://127.0.0.1:{port}")
        with raises(ProxyError, match="Host unreachable"):
            await ask_openai(elsewhere, sessions).complete("Hello")
    assert b"\3\x0bexample.org" in heard[0]


async def test_a_proxy_that_hangs_up_on_a_request_is_tried_again(elsewhere, manager):
    async with odd_proxy(b"") as (port, heard):
        sessions = await manager(proxy=f"http://{USER}:{PASSWORD}@127.0.0.1:{port}")
        with raises(TransportError, match="broke before there was an answer"):
            await ask_openai(elsewhere, sessions).complete("Hello")
    assert len(heard) >= 3


@pytest.mark.parametrize("status", [418, 502])
@pytest.mark.parametrize("canary", CANARIES)
async def test_a_proxy_that_quotes_the_password_makes_no_text_show_it(
    elsewhere, status, canary, manager
):
    body = f"no: {canary}".encode()
    head = f"HTTP/1.1 {status} {canary}\r\nX-Seen: {canary}\r\nContent-Length: {len(body)}\r\n\r\n"
    async with odd_proxy(head.encode() + body) as (port, _):
        user = USER if canary != CANARIES[-1] else "bob"
        sessions = await manager(
            proxy=f"http://{user}:{PASSWORD}@127.0.0.1:{port}", retry=Retry(attempts=1)
        )
        with pytest.raises(asyncllm.AsyncLLMError) as caught:
            await ask_openai(elsewhere, sessions).complete("Hello")
        with raises(type(caught.value), match=r"\*\*\*"):
            raise caught.value


@pytest.mark.parametrize("scheme", ["socks4", "socks5"])
@pytest.mark.parametrize("secret", ["s%C3%A9same", "s" * 256])
def test_socks_credentials_that_cannot_be_sent_are_refused_without_showing_them(scheme, secret):
    with pytest.raises(asyncllm.ConfigurationError, match="ASCII, at most 255") as caught:
        parse_proxy(f"{scheme}://ann:{secret}@proxy.example")
    assert "same" not in repr(caught.value)
    assert "ss" not in repr(caught.value).replace("password", "")
