"""The sandbox as a whole: its life, what it knows about its visitors, and its pytest fixture."""

import asyncio
import errno
import gc
import os
import pydoc
import re
import socket
import ssl
import subprocess
import sys
import textwrap
import weakref
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import pytest
import trustme

import asyncllm.sandbox
from asyncllm import H2o, OpenAICompatible
from asyncllm.sandbox import Drop, HtmlPage, PingForever, Sandbox, SlowAnswer, Stall, Status
from asyncllm.sandbox.background import running_in_background

COMPLETIONS = "/v1/chat/completions"
BODY = {"model": "gpt-4", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


async def clock():
    return asyncio.get_running_loop().time()


def others():
    return asyncio.all_tasks() - {asyncio.current_task()}


def server_tls(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


# --- life --------------------------------------------------------------------------------


def test_public_names_are_all_there():
    for name in asyncllm.sandbox.__all__:
        assert getattr(asyncllm.sandbox, name).__name__ == name
    with pytest.raises(AttributeError):
        asyncllm.sandbox.nonsense  # noqa: B018


def test_help_on_the_faults_lists_every_fault():
    text = pydoc.render_doc(asyncllm.sandbox.faults, renderer=pydoc.plaintext)
    listed = set(re.findall(r"^    class (\w+)\(", text, re.MULTILINE))
    assert set(asyncllm.sandbox.__all__) - {"Request", "Sandbox"} <= listed


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_url_is_where_it_listens(host):
    async with Sandbox(host=host) as sandbox, aiohttp.ClientSession() as http:
        assert sandbox.url == f"http://{host}:{sandbox.port}"
        assert (await http.get(sandbox.url)).status == 200


async def test_ipv6_hosts_are_bracketed():
    assert Sandbox(host="::1", port=80).url == "http://[::1]:80"


async def test_a_fixed_port_can_be_had_again_at_once():
    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:
        await http.get(sandbox.url)
    async with Sandbox(port=sandbox.port) as again, aiohttp.ClientSession() as http:
        assert again.url == sandbox.url
        assert (await http.get(again.url)).status == 200


async def test_a_taken_port_is_an_error_that_leaves_nothing():
    async with Sandbox() as sandbox:
        before = others()
        with pytest.raises(OSError, match=str(sandbox.port)):
            await Sandbox(port=sandbox.port).start()
        assert others() == before


async def test_it_starts_only_once():
    async with Sandbox() as sandbox:
        with pytest.raises(RuntimeError):
            await sandbox.start()


async def test_closing_twice_or_unstarted_does_nothing():
    await Sandbox().aclose()
    sandbox = Sandbox()
    await sandbox.start()
    await asyncio.gather(sandbox.aclose(), sandbox.aclose())
    await sandbox.aclose()


async def test_it_speaks_tls():
    authority = trustme.CA()
    client = ssl.create_default_context()
    authority.configure_trust(client)
    connector = aiohttp.TCPConnector(ssl=client)
    async with (
        Sandbox(
            host="localhost", ssl=server_tls(authority), faults=[Drop(after=2, times=1)]
        ) as sandbox,
        aiohttp.ClientSession(sandbox.url, connector=connector) as http,
    ):
        assert sandbox.url.startswith("https://localhost:")
        async with http.post(COMPLETIONS, json=BODY) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        async with http.post(COMPLETIONS, json=BODY) as response:
            assert (await response.read()).endswith(b"data: [DONE]\n\n")


async def test_a_client_without_tls_is_disconnected(caplog):
    async with Sandbox(ssl=server_tls(trustme.CA())) as sandbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        await reader.read()
        writer.close()
    assert not caplog.records
    assert not others()


@pytest.mark.parametrize(
    "fault", [Stall(after=1), PingForever(after=1, every=0.001), SlowAnswer(3600)]
)
async def test_closing_is_fast_and_leaves_nothing_while_streams_hang(fault):
    async with aiohttp.ClientSession() as http:
        sandbox = Sandbox(faults=[fault])
        await sandbox.start()
        asking = [
            asyncio.ensure_future(read(http, f"{sandbox.url}{COMPLETIONS}")) for _ in range(5)
        ]
        async with asyncio.timeout(30):
            while len(sandbox.requests) < 5:
                await asyncio.sleep(0.001)
        begin = await clock()
        await sandbox.aclose()
        assert await clock() - begin < 1
        assert sandbox.generating == 0
        results = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(result, aiohttp.ClientError) for result in results)
    assert not others()


async def read(http, url):
    async with http.post(url, json=BODY) as response:
        return await response.read()


async def test_closing_does_not_wait_for_a_tls_handshake():
    async with Sandbox(ssl=server_tls(trustme.CA())) as sandbox:
        _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        async with asyncio.timeout(30):
            while not sandbox.connections:
                await asyncio.sleep(0.001)
        begin = await clock()
    assert await clock() - begin < 1
    assert not others()
    writer.close()
    gc.collect()


async def test_closing_survives_being_cancelled_again_and_again():
    sandbox = Sandbox(faults=[Stall(after=1)])
    await sandbox.start()
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{sandbox.url}{COMPLETIONS}", json=BODY) as response,
    ):
        await response.content.readany()
        closing = asyncio.create_task(sandbox.aclose())
        await asyncio.sleep(0)
        while not closing.done():
            closing.cancel()
            await asyncio.sleep(0)
        assert closing.cancelled()
        assert sandbox.generating == 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", sandbox.port)
    assert not others()


async def test_closing_drops_connections_that_never_asked_anything():
    async with Sandbox() as sandbox:
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        # A second one that has answered shows that the first one has been accepted, too.
        async with aiohttp.ClientSession() as http:
            await http.get(sandbox.url)
        begin = await clock()
    assert await clock() - begin < 1
    assert await reader.read() == b""
    writer.close()
    gc.collect()


# --- what it knows -----------------------------------------------------------------------


async def test_requests_tell_what_was_asked():
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        await http.post(f"{COMPLETIONS}?auth=a%2Bb&x=", data=b"raw", headers={"X-Odd": "1"})
        [request] = sandbox.requests
        assert request.method == "POST"
        assert request.path == COMPLETIONS
        assert request.query == {"auth": "a+b", "x": ""}
        assert request.headers["x-odd"] == "1"
        assert request.body == b"raw"
        with pytest.raises(AttributeError):
            request.method = "GET"


async def test_connections_counts_tcp_connections_with_or_without_requests():
    async with Sandbox() as sandbox:
        async with aiohttp.ClientSession(sandbox.url) as http:
            for _ in range(3):
                await (await http.get("/")).read()
        assert sandbox.connections == 1
        with socket.create_connection(("127.0.0.1", sandbox.port)):
            async with asyncio.timeout(30):
                while sandbox.connections < 2:
                    await asyncio.sleep(0.001)


async def test_state_is_served_and_not_itself_a_request():
    async with Sandbox(faults=[Stall()]) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        async with http.post(COMPLETIONS, json=BODY) as response:
            await response.content.readany()
            state = await (await http.get("/_sandbox/state")).json()
        assert state == {"conversations": 0, "generating": 1, "requests": 1, "connections": 2}


async def test_faults_can_be_added_and_cleared_while_it_runs():
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        sandbox.add_fault(Status(500, on="landing", times=1))
        sandbox.add_fault(HtmlPage(404, on="landing"))
        statuses = [(await http.get("/")).status for _ in range(3)]
        assert statuses == [500, 404, 404]
        sandbox.clear_faults()
        assert (await http.get("/")).status == 200


async def test_a_client_that_leaves_during_the_burst_leaves_no_trace(caplog):
    async with Sandbox(tokens=100_000) as sandbox:
        for _ in range(5):
            async with (
                aiohttp.ClientSession(sandbox.url) as http,
                http.post(COMPLETIONS, json=BODY) as response,
            ):
                await response.content.readany()
                response.close()
    assert not caplog.records
    assert not others()


# --- in the background, and as a fixture -------------------------------------------------


def test_background_start_raises_what_start_raises():
    with running_in_background(Sandbox()) as sandbox:
        second = running_in_background(Sandbox(port=sandbox.port))
        with pytest.raises(OSError, match=str(sandbox.port)), second:
            pytest.fail("two servers on one port")


TESTS = """
    import sys
    import urllib.request

    import aiohttp
    import pytest

    from asyncllm.sandbox import Status

    def test_first_nothing_is_imported():
        assert "asyncllm.sandbox.server" not in sys.modules

    def test_blocking(asyncllm_sandbox):
        with urllib.request.urlopen(asyncllm_sandbox.url) as page:
            assert page.status == 200
        assert len(asyncllm_sandbox.requests) == 1

    async def check(sandbox):
        sandbox.add_fault(Status(418, on="landing"))
        async with aiohttp.ClientSession() as http, http.get(sandbox.url) as response:
            assert response.status == 418

    @pytest.mark.anyio
    async def test_anyio(asyncllm_sandbox):
        await check(asyncllm_sandbox)

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.asyncio
    async def test_asyncio(asyncllm_sandbox):
        await check(asyncllm_sandbox)

    @pytest.mark.asyncllm_sandbox(faults=[Status(503, on="landing")])
    async def test_marked(asyncllm_sandbox):
        async with aiohttp.ClientSession() as http, http.get(asyncllm_sandbox.url) as response:
            assert response.status == 503
    test_marked = pytest.mark.asyncio(test_marked)
"""


def test_fixture_serves_blocking_and_asynchronous_tests_under_any_plugin(tmp_path):
    (tmp_path / "test_bot.py").write_text(textwrap.dedent(TESTS))
    spec = find_spec("asyncllm")
    plugins = ["anyio.pytest_plugin", "pytest_asyncio.plugin", "asyncllm.sandbox.pytest_plugin"]
    options = [option for plugin in plugins for option in ("-p", plugin)]
    strict = [
        "-W",
        "error",
        "--strict-markers",
        "-o",
        "asyncio_default_fixture_loop_scope=function",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options, *strict, "test_bot.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "",
            "PYTHONPATH": str(Path(spec.origin).parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


async def test_an_ended_sandbox_is_no_more():
    """aiohttp keeps each middleware that it has built for a handler."""
    sandbox = Sandbox()
    async with sandbox:
        assert await H2o(base_url=sandbox.url).complete("Hello")
        assert await OpenAICompatible(base_url=f"{sandbox.url}/v1", model="gpt-4").complete("Hello")
    gone, backend_gone = weakref.ref(sandbox), weakref.ref(sandbox._backend)
    del sandbox
    async with asyncio.timeout(30):
        while gone() or backend_gone():
            gc.collect()
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "/settings", 405), ("GET", "/conversation/1", 405), ("GET", "/nowhere", 404)],
)
async def test_what_it_does_not_serve_is_refused_and_recorded(sandbox, method, path, status):
    async with aiohttp.ClientSession() as http, http.request(method, sandbox.url + path) as answer:
        assert answer.status == status
    assert [(request.method, request.path) for request in sandbox.requests] == [(method, path)]


async def test_a_busy_port_says_which_it_is_and_what_to_do(sandbox):
    with pytest.raises(OSError, match=f"port {sandbox.port} of 127.0.0.1 is in use") as caught:
        await Sandbox(port=sandbox.port).start()
    assert caught.value.errno == errno.EADDRINUSE
    assert "0 for a free one" in str(caught.value)
