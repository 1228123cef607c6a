"""Proxies out of the environment, where a session manager trusts it."""

import pytest

from asyncllm import ConfigurationError
from asyncllm.http.environment import EnvironmentProxies
from asyncllm.http.proxies import Proxy
from asyncllm.sandbox import Sandbox

from .conftest import ask_openai, raises
from .launcher import PASSWORD, USER

pytestmark = pytest.mark.timeout(300)  # installing takes a while

WEB, SAFE, ALL = (Proxy("http", host, 80) for host in ("web", "safe", "all"))


@pytest.fixture
def environment(monkeypatch):
    """Set variables, and return what they make of a URL."""

    def look(url, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return EnvironmentProxies().proxy_for(url)

    return look


@pytest.mark.parametrize(
    ("url", "proxy"), [("http://chat.example", WEB), ("https://chat.example", SAFE)]
)
def test_each_scheme_has_its_variable(environment, url, proxy):
    variables = {"HTTP_PROXY": "http://web", "HTTPS_PROXY": "http://safe"}
    assert environment(url, **variables, ALL_PROXY="http://all") == proxy


@pytest.mark.parametrize("url", ["http://chat.example", "https://chat.example"])
@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy"])
def test_all_proxy_is_for_what_has_none_of_its_own(environment, url, name):
    assert environment(url, **{name: "http://all"}) == ALL


def test_all_proxy_may_be_socks(environment):
    found = environment("https://chat.example", ALL_PROXY=f"socks5h://{USER}:{PASSWORD}@all:9")
    assert found == Proxy("socks5", "all", 9, USER, PASSWORD)


def test_the_lower_case_name_comes_first(environment):
    assert environment("http://x", http_proxy="http://web", HTTP_PROXY="http://all") == WEB


def test_http_proxy_is_not_believed_in_a_cgi_script(environment):
    assert environment("http://x", HTTP_PROXY="http://web", REQUEST_METHOD="GET") is None


def test_a_proxy_without_a_scheme_is_an_http_proxy(environment):
    assert environment("http://x", HTTP_PROXY="web:80") == WEB


def test_an_empty_environment_names_none(environment):
    assert environment("https://x") is None
    assert environment("https://x", HTTP_PROXY="http://web", HTTPS_PROXY="") is None


@pytest.mark.parametrize(
    ("url", "no_proxy", "goes_direct"),
    [
        ("https://chat.example", "*", True),
        ("https://chat.example", "chat.example", True),
        ("https://chat.example", "other.example, chat.example", True),
        ("https://chat.example", "CHAT.example", True),
        ("https://a.chat.example", "chat.example", True),
        ("https://a.chat.example", ".chat.example", True),
        ("https://badchat.example", "chat.example", False),
        ("https://chat.example:8443/v1", "chat.example:8443", True),
        ("https://chat.example:8443/v1", "chat.example", True),
        ("https://chat.example", "chat.example:443", True),
        ("https://chat.example", "chat.example:8443", False),
        ("http://127.0.0.1:3000", "localhost,127.0.0.1", True),
        ("http://[::1]:3000", "::1", True),
        ("http://[::1]:3000", "[::1]", True),
        ("http://[::1]:3000", "[::1]:3000", True),
        ("http://[::1]:3000", "::2", False),
        ("https://chat.example", "", False),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_names_what_is_reached_directly(environment, name, url, no_proxy, goes_direct):
    found = environment(url, ALL_PROXY="http://all", **{name: no_proxy})
    assert found == (None if goes_direct else ALL)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_variable_that_names_no_proxy_is_named_and_not_shown(environment, name):
    with raises(ConfigurationError, match=f"the proxy URL in {name} can't be used"):
        environment("https://x", **{name: f"socks9://{USER}:{PASSWORD}@proxy"})


def test_a_variable_that_does_not_matter_is_not_looked_at(environment):
    assert environment("http://x", HTTP_PROXY="http://web", ALL_PROXY="socks://all") == WEB


async def test_a_trusted_environment_is_used_for_all_of_a_streams_life(
    ask, server, proxies, tap, manager, monkeypatch
):
    tapped = await tap(proxies("tinyproxy with users"))
    scheme = server.url.partition(":")[0]
    monkeypatch.setenv(f"{scheme}_proxy", tapped.url(USER, PASSWORD))
    sessions = await manager(trust_env=True)
    await ask(server, sessions).complete("Hello")
    await sessions.aclose()
    assert server.conversations == 0
    assert tapped.connections == server.connections > 0


async def test_a_socks_proxy_in_the_environment_is_used(
    ask, server, proxies, tap, manager, monkeypatch
):
    tapped = await tap(proxies("microsocks with a user"))
    monkeypatch.setenv("ALL_PROXY", tapped.url(USER, PASSWORD, scheme="socks5h"))
    sessions = await manager(trust_env=True)
    await ask(server, sessions).complete("Hello")
    await sessions.aclose()
    assert tapped.connections == server.connections > 0


async def test_an_explicit_proxy_comes_before_the_environment(
    server, proxies, tap, manager, monkeypatch
):
    named, given = [await tap(proxies("tinyproxy")) for _ in range(2)]
    monkeypatch.setenv("ALL_PROXY", named.url())
    for sessions, proxy in [
        (await manager(trust_env=True, proxy=given.url()), None),
        (await manager(trust_env=True), given.url()),
    ]:
        await ask_openai(server, sessions, proxy=proxy).complete("Hello")
    assert (named.connections, given.connections) == (0, 2)


async def test_an_environment_that_is_not_trusted_is_not_used(
    server, proxies, tap, manager, monkeypatch
):
    tapped = await tap(proxies("tinyproxy"))
    monkeypatch.setenv("ALL_PROXY", tapped.url())
    await ask_openai(server, await manager()).complete("Hello")
    assert tapped.connections == 0


async def test_no_netrc_is_read(manager, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login {USER} password {PASSWORD}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with Sandbox() as sandbox:
        await ask_openai(sandbox, await manager(trust_env=True)).complete("Hello")
        assert "authorization" not in sandbox.requests[0].headers


async def test_a_refusal_of_a_proxy_from_the_environment_shows_no_password(
    ask, server, proxies, manager, monkeypatch
):
    proxy = proxies("tinyproxy with users")
    monkeypatch.setenv("ALL_PROXY", f"http://eve:{PASSWORD}@127.0.0.1:{proxy.port}")
    sessions = await manager(trust_env=True)
    with pytest.raises(Exception, match="401") as caught:
        await ask(server, sessions).complete("Hello")
    with raises(type(caught.value)):
        raise caught.value
