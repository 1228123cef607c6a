"""Real proxies, each started once, when a test first needs it; and a look at every text."""

import asyncio
import base64
import contextlib
import logging
import ssl
from urllib.parse import quote

import pytest
import trustme

from asyncllm import H2o, OpenAICompatible, Retry, SessionManager
from asyncllm.sandbox import Sandbox
from support.exception_texts import texts_of

from . import launcher
from .launcher import KNOWN_TO_THE_PROXY, OTHER_USER, PASSWORD, USER
from .tap import Tap

CANARIES = [
    PASSWORD,
    quote(PASSWORD, safe=""),
    *(base64.b64encode(f"{u}:{PASSWORD}".encode()).decode() for u in (USER, OTHER_USER)),
]


# The proxy, and the scheme to name it with.
ROUTES = [
    ("tinyproxy", "http"),
    ("tinyproxy with users", "http"),
    ("proxy.py over TLS", "https"),
    ("microsocks", "socks5"),
    ("microsocks with a user", "socks5"),
    ("microsocks with a user", "socks5h"),
    ("dante", "socks4"),
    ("dante", "socks5h"),
    ("socks4a", "socks4a"),
]
KINDS = sorted({kind for kind, _ in ROUTES})
GUARDED = ["tinyproxy with users", "proxy.py over TLS", "microsocks with a user"]
MODEL = "gpt-4"


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def trust(authority):
    """A client's TLS context that trusts the tests' own authority, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="session")
def server_tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost", KNOWN_TO_THE_PROXY).configure_cert(context)
    return context


@pytest.fixture(scope="session")
def launch(authority, tmp_path_factory):
    """How to start each kind of proxy."""
    directory = tmp_path_factory.mktemp("proxies")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    users = (USER, OTHER_USER)
    return {
        "tinyproxy": lambda: launcher.tinyproxy(directory),
        "tinyproxy with users": lambda: launcher.tinyproxy(directory, users),
        "proxy.py over TLS": lambda: launcher.proxy_py(directory, certificate, users),
        "microsocks": lambda: launcher.microsocks(directory),
        "microsocks with a user": lambda: launcher.microsocks(directory, users),
        "dante": lambda: launcher.dante(directory),
        "socks4a": lambda: launcher.socks4a(directory),
    }


@pytest.fixture(scope="session")
def proxies(launch):
    """Running proxies by their kind, started when asked for and ended with the session."""
    with contextlib.ExitStack() as stack:
        running = {}

        def get(kind):
            if kind not in running:
                running[kind] = stack.enter_context(launch[kind]())
            return running[kind]

        yield get


@pytest.fixture
async def tap():
    """Open a listening post in front of a proxy: `await tap(proxy)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_tap(proxy):
            return await stack.enter_async_context(Tap(proxy))

        yield open_tap


@pytest.fixture(params=["http", "https"])
async def server(request):
    """A sandbox that is spoken to in the clear, and one over TLS."""
    tls = request.getfixturevalue("server_tls") if request.param == "https" else None
    async with Sandbox(ssl=tls) as running:
        yield running


@pytest.fixture
async def manager(trust):
    """Make session managers that are closed after the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(**options):
            retry = Retry(attempts=3, initial_wait=0.01, max_wait=0.02)
            made = SessionManager(**{"ssl": trust, "retry": retry, "grace": 2.0, **options})
            return await stack.enter_async_context(made)

        yield make


@pytest.fixture(params=[H2o, OpenAICompatible])
def ask(request):
    """Make a provider of each wire: `ask(server, sessions)`."""

    def make(server, sessions, **options):
        if request.param is H2o:
            return H2o(base_url=server.url, sessions=sessions, **options)
        return ask_openai(server, sessions, **options)

    return make


def ask_openai(server, sessions, **options):
    url = f"{server.url}/v1"
    return OpenAICompatible(base_url=url, model=MODEL, sessions=sessions, **options)


@pytest.fixture(autouse=True)
def _no_canary_in_any_log(caplog):
    """Hold that no log record of any logger at any level shows a proxy's password."""
    caplog.set_level(logging.DEBUG)
    for name in ("asyncio", "aiohttp", "asyncllm"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield
    for when in ("setup", "call", "teardown"):
        for record in caplog.get_records(when):
            texts = [record.getMessage(), record.exc_text or "", repr(vars(record))]
            if record.exc_info:
                texts += texts_of(record.exc_info[1])
            assert_no_canary(texts)


@pytest.fixture
async def _talkative_loop():
    """Let asyncio log all that it has to say."""
    asyncio.get_running_loop().set_debug(True)


@contextlib.contextmanager
def raises(kind, match=None):
    """Expect an error that drags nothing along and shows no password."""
    with pytest.raises(kind, match=match) as caught:
        yield caught
    assert type(caught.value) is kind
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert_no_canary(texts_of(caught.value))


def assert_no_canary(texts):
    for text in texts:
        assert not [canary for canary in CANARIES if canary in text], "a password is shown"
