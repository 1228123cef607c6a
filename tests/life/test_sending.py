"""Requests that are sent in one piece: the same bytes as aiohttp's client sends."""

import asyncio
import contextlib
import functools
import gc
import re
import string
from contextlib import asynccontextmanager

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asyncllm
from asyncllm.http import client, sending
from asyncllm.http.connections import ConnectionPool
from asyncllm.http.http import Http
from asyncllm.http.proxies import parse_proxy
from support.raw_server import HEAD, raw_server
from support.waiting import until

DONE = HEAD + b"Content-Length: 2\r\n\r\n{}"
KNOWN = sending.IS_KNOWN
KNOWN_CODE = aiohttp.ClientSession._request.__code__


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    monkeypatch.setattr(sending, "IS_KNOWN", KNOWN)  # whatever the tests are run with


@asynccontextmanager
async def recorder(answer=DONE):
    """Serve requests, and give the list of those that have come, each as its head and its body."""
    came, serving = [], []

    async def serve(reader, writer):
        serving.append(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)^content-length: (\d+)\r$", head, re.MULTILINE)
                came.append((head, await reader.readexactly(int(length[1]) if length else 0)))
                writer.write(answer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", came
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def parts(request):
    """Return what is the same in two requests: the first line, the other lines, and the body."""
    head, body = request
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    return first, sorted(lines), body


async def sent_both_ways(method, path="/", *, proxy=None, keeps=True, **options):
    """Return what a request is when it is sent here, and when aiohttp's client sends it."""
    both = []
    async with recorder() as (recording, came):
        url = recording if proxy is None else "http://server.test:8080"
        through = parse_proxy(proxy and recording.replace("//", f"//{proxy}"))
        for way in (KNOWN, False):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sending, "IS_KNOWN", way)
                pool = ConnectionPool()
                http = Http(pool, proxy=through)
                route = pool._route_for(None, keeps=keeps)
                patch.setattr(pool, "_route_for", lambda *_, route=route, **__: route)
                try:
                    async with http.open(method, url + path, **options) as response:
                        assert response.status == 200
                finally:
                    await pool.aclose()
                both.append(parts(came.pop()))
    return both


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("POST", {"json": {"a": "Привет"}}),
        ("POST", {"json": b"{}", "headers": {"content-type": "text/plain"}}),
        ("POST", {"form": {"a b": "c&d", "Я": "é\n"}}),
        ("POST", {}),
        ("PUT", {"form": {}}),
        ("PATCH", {"json": b""}),
        ("DELETE", {}),
        ("DELETE", {"json": {}}),
        ("GET", {"query": {"a b": "c&d=ё", "e": "+%"}}),
        ("GET", {"headers": {"accept": "text/event-stream", "user-agent": "ours", "X-Ä": "ß ё"}}),
        ("GET", {"headers": {"Accept-Encoding": "gzip", "Cookie": "a=b"}}),
        ("GET", {"headers": {"X-A": "1", "x-a": "2"}}),
        ("GET", {"json": b""}),
        ("OPTIONS", {}),
    ],
)
@pytest.mark.parametrize("proxy", [None, "nobody@", "user:p%40ss@"])
@pytest.mark.parametrize("keeps", [True, False])
async def test_what_is_sent_is_what_aiohttps_client_sends(method, options, proxy, keeps):
    here, by_client = await sent_both_ways(method, "/a", proxy=proxy, keeps=keeps, **options)
    assert here == by_client
    assert keeps == ("Connection: close" not in here[1])


PATHS = st.text(string.printable + "éя%?#/😀", max_size=30).map(lambda text: "/" + text)
VALUES = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=10)


@given(path=PATHS, value=VALUES, word=WORDS, proxy=st.sampled_from([None, "nobody@"]))
def test_whatever_is_sent_is_what_aiohttps_client_sends(path, value, word, proxy):
    async def compare():
        try:
            here, by_client = await sent_both_ways(
                "POST", path, proxy=proxy, headers={"X-Value": value}, form={word: value}
            )
        except asyncllm.ConfigurationError:
            assert not value.isprintable() or not path.isprintable()
        else:
            assert here == by_client

    asyncio.run(compare())


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "Connection", "Expect"]
)
def test_headers_that_say_how_a_request_is_sent_are_left_to_aiohttps_client(name):
    assert sending._beside((name,), "") is None


@pytest.mark.parametrize("proxy", [None, "nobody@"])
async def test_a_fragment_is_not_sent(proxy):
    here, by_client = await sent_both_ways("GET", "/a?b=c#d", proxy=proxy)
    assert here == by_client
    assert here[0].endswith("/a?b=c HTTP/1.1")


@pytest.mark.parametrize("way", [KNOWN, False])
async def test_credentials_in_a_url_are_sent_as_a_header(monkeypatch, http, way):
    monkeypatch.setattr(sending, "IS_KNOWN", way)
    async with recorder() as (url, came):
        async with http.open("GET", url.replace("//", "//user:password@")):
            pass
        assert "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n" in came[0][0]


async def test_a_method_in_lower_case_is_sent_in_upper_case(http):
    async with recorder() as (url, came), http.open("get", url):
        assert came[0][0].startswith("GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("way", [KNOWN, False])
async def test_a_header_with_a_control_character_is_not_sent(monkeypatch, http, way):
    monkeypatch.setattr(sending, "IS_KNOWN", way)
    async with recorder() as (url, came):
        with pytest.raises(asyncllm.ConfigurationError, match="the request can't be sent"):
            async with http.open("POST", url, headers={"X": "a\x1bb"}):
                pass
        assert came == []


class Wrapper:
    """What stands in for a function, and says that it has its code, as wrapt's wrappers do."""

    def __init__(self, function):
        self.function = function

    def __get__(self, instance, owner):
        return type(self)(self.function.__get__(instance, owner))

    def __call__(self, *arguments, **options):
        return self.function(*arguments, **options)

    @property
    def __code__(self):
        return KNOWN_CODE


class Codeless(Wrapper):
    """What stands in for a function, and has no code to show, as mocks have none."""

    __code__ = property()


@pytest.mark.parametrize("stand_in", [lambda function: function, Wrapper, Codeless])
async def test_where_somebody_stands_in_for_aiohttps_client_that_is_asked(
    http, monkeypatch, stand_in
):
    asked, original = [], aiohttp.ClientSession._request

    @functools.wraps(original)
    async def wrapped(*arguments, **options):
        asked.append(arguments[1:])
        return await original(*arguments, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", stand_in(wrapped))
    async with recorder() as (url, _), http.open("POST", url, json={}):
        assert asked == [("POST", url)]


async def test_who_traces_what_aiohttps_client_sends_is_told(http, monkeypatch):
    traced = aiohttp.TraceConfig()
    told, original = [], aiohttp.ClientSession.__init__

    async def tell(_, __, started):
        told.append((started.method, str(started.url)))

    traced.on_request_start.append(tell)
    monkeypatch.setattr(
        aiohttp.ClientSession,
        "__init__",
        functools.partialmethod(original, trace_configs=[traced]),
    )
    async with recorder() as (url, _), http.open("POST", f"{url}/", json={}):
        assert told == [("POST", f"{url}/")]


async def test_what_may_be_sent_twice_is_where_a_kept_connection_breaks_later(http):
    later = [0.3, None]
    async with raw_server([DONE], later, [DONE]) as (url, connections):
        for _ in range(2):
            async with http.open("DELETE", url) as response:
                assert response.status == 200
        assert len(connections) == 2


async def test_what_may_not_be_sent_twice_is_not_where_a_kept_connection_breaks_later(http):
    later = [0.3, None]
    async with raw_server([DONE], later, [DONE]) as (url, connections):
        async with http.open("POST", url, json={}):
            pass
        with pytest.raises(asyncllm.TransportError, match="broke before there was an answer"):
            async with http.open("POST", url, json={}):
                pass
        assert len(connections) == 1


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("DELETE", 2)])
async def test_a_request_whose_answer_has_begun_was_read(http, method, times):
    begun = [HEAD + b"Content-Len", None]
    async with raw_server([DONE], begun, [DONE]) as (url, connections):
        async with http.open(method, url):
            pass
        with contextlib.suppress(asyncllm.TransportError):
            async with http.open(method, url) as response:
                assert response.status == 200
        assert len(connections) == times


@pytest.mark.parametrize("is_lost", [True, False])
async def test_a_connection_that_is_lost_as_soon_as_it_is_open_is_no_fault_of_ours(
    http, monkeypatch, is_lost
):
    create = aiohttp.TCPConnector._create_connection

    async def create_and_lose(*arguments):
        protocol = await create(*arguments)
        lost = protocol.closed
        if is_lost:
            protocol.transport.abort()
            await lost
        else:  # as over TLS, where it is closing until the other side has said farewell too
            monkeypatch.setattr(protocol.transport, "is_closing", lambda: True)
        return protocol

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", create_and_lose)
    async with recorder() as (url, came):
        with pytest.raises(asyncllm.TransportError, match="broke before there was an answer"):
            async with http.open("POST", url, json={}):
                pass
        assert came == []


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's advice
@pytest.mark.parametrize("is_secure", [False, True])
async def test_an_answer_that_comes_before_its_request_was_taken_costs_the_connection(
    contexts, accelerate, is_secure
):
    connections, is_taken = [], asyncio.Event()
    pool = ConnectionPool(ssl=contexts[1], accelerate=accelerate)
    http = Http(pool)

    async def refuse(reader, writer):
        connections.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await is_taken.wait()
        writer.close()

    server = await asyncio.start_server(
        refuse, "127.0.0.1", 0, ssl=contexts[0] if is_secure else None
    )
    scheme = "https" if is_secure else "http"
    url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for _ in range(2):
        with pytest.raises(asyncllm.HTTPStatusError):
            async with asyncio.timeout(20), http.open("POST", url, json=b" " * 24_000_000):
                pass
    assert len(connections) == 2
    is_taken.set()
    await until(lambda: all(writer.is_closing() for writer in connections))
    await pool.aclose()
    server.close()


async def test_nothing_of_a_request_is_remembered_with_its_destination(http, pool):
    async with recorder() as (url, _):
        for number in range(3):
            headers = {"Authorization": "Bearer canary"}
            secret = {"query": {"key": "canary"}, "json": b"canary", "headers": headers}
            async with http.open("POST", f"{url}/canary/{number}", **secret):
                pass
        [route] = pool._routes.values()
        [known] = route._destinations._known.values()
        gc.collect()
        assert known.asked.body in (None, b"")
        assert "canary" not in f"{known.info} {vars(known.asked)}"


async def test_so_many_destinations_are_remembered(http, pool, monkeypatch):
    monkeypatch.setattr(client, "_REMEMBERED", 2)
    async with recorder() as (first, _), recorder() as (second, _), recorder() as (third, _):
        for url in (first, second, third, first):
            async with http.open("POST", url, json={}):
                pass
    [route] = pool._routes.values()
    assert len(route._destinations._known) == 2
