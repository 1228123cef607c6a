"""Proxy URLs are understood or refused, and their passwords shown nowhere."""

from __future__ import annotations

import base64
import sys

import pytest
from rich.pretty import pretty_repr

from asyncllm import ConfigurationError
from asyncllm.http.proxies import Proxy, parse_proxy


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("http://proxy.example", Proxy("http", "proxy.example", 80)),
        ("http://proxy.example/", Proxy("http", "proxy.example", 80)),
        ("https://proxy.example", Proxy("https", "proxy.example", 443)),
        ("HTTP://proxy.example", Proxy("http", "proxy.example", 80)),
        ("socks5://proxy.example", Proxy("socks5", "proxy.example", 1080)),
        ("socks5h://proxy.example:9", Proxy("socks5", "proxy.example", 9)),
        ("socks4://proxy.example", Proxy("socks4", "proxy.example", 1080)),
        ("socks4a://proxy.example", Proxy("socks4a", "proxy.example", 1080)),
        ("http://[::1]:3128", Proxy("http", "::1", 3128)),
        ("http://ann@proxy.example", Proxy("http", "proxy.example", 80, "ann")),
        ("http://ann:pw@proxy.example", Proxy("http", "proxy.example", 80, "ann", "pw")),
        ("http://a%40b:p%3Aw%2F@proxy.example", Proxy("http", "proxy.example", 80, "a@b", "p:w/")),
    ],
)
def test_a_proxy_url_is_taken_apart(url, proxy):
    assert parse_proxy(url) == proxy


@pytest.mark.parametrize("proxy", [None, ""])
def test_no_proxy_is_none(proxy):
    assert parse_proxy(proxy) is None


@pytest.mark.parametrize(
    "url",
    [
        "proxy.example",
        "proxy.example:3128",
        "ann:sesame@proxy.example:3128",
        "//ann:sesame@proxy.example:3128",
        "ftp://ann:sesame@proxy.example",
        "ftp://ann:sesame@proxy.example:21",
        "socks://ann:sesame@proxy.example:1080",
        "socks6://ann:sesame@proxy.example:1080",
        "http://ann:sesame@:3128",
        "http://ann:sesame@proxy.example:99999",
        "http://ann:sesame@proxy.example:port",
        "http://ann:sesame@[proxy",
        "http://",
        5,
        b"http://proxy.example",
    ],
)
def test_what_names_no_usable_proxy_is_refused_without_showing_it(url):
    schemes = "http, https, socks5, socks5h, socks4 or socks4a"
    with pytest.raises(
        ConfigurationError, match=f"the proxy URL can't be used.*{schemes}"
    ) as caught:
        parse_proxy(url)
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("show", [repr, str, "{}".format, pretty_repr, ascii])
def test_no_text_of_a_proxy_shows_its_credentials(show):
    proxy = parse_proxy("http://ann:sesame@proxy.example:3128")
    assert "sesame" not in show(proxy)
    assert "ann" not in show(proxy)


def test_credentials_are_a_basic_header():
    header = parse_proxy("http://ann:s%C3%A9same@proxy.example").credentials
    assert list(header) == ["Proxy-Authorization"]
    kind, _, pair = header["Proxy-Authorization"].partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(pair).decode() == "ann:sésame"


def test_a_user_without_a_password_has_an_empty_one():
    header = parse_proxy("http://ann@proxy.example").credentials
    assert header == {"Proxy-Authorization": f"Basic {base64.b64encode(b'ann:').decode()}"}


def test_without_a_user_there_are_no_credentials():
    assert parse_proxy("http://proxy.example").credentials == {}


def test_only_socks_schemes_are_socks():
    assert parse_proxy("socks5h://proxy.example").is_socks
    assert parse_proxy("socks4://proxy.example").is_socks
    assert parse_proxy("socks4a://proxy.example").is_socks
    assert not parse_proxy("https://proxy.example").is_socks


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://ann:sesame@proxy.example", "http://proxy.example"),
        ("https://ann:sesame@proxy.example:3128", "https://proxy.example:3128"),
        ("http://ann:sesame@[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_aiohttp_gets_the_credentials_in_a_header_and_not_in_the_url(url, address):
    proxy = parse_proxy(url)
    options = proxy.request_options()
    assert str(options["proxy"]) == address
    assert options["proxy"].user is options["proxy"].password is None
    assert options["proxy_headers"] == proxy.credentials != {}


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h"])
async def test_a_socks_proxy_has_a_connector_of_its_own_with_the_options_given(scheme):
    proxy = parse_proxy(f"{scheme}://proxy.example")
    async with proxy.connector(limit=7, force_close=True) as connector:
        assert (connector.limit, connector.force_close) == (7, True)


def test_socks_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp_socks", None)  # as if it were not installed
    proxy = parse_proxy("socks5://ann:sesame@proxy.example")
    with pytest.raises(ConfigurationError, match=r"pip install 'asyncllm-sdk\[socks\]'") as caught:
        proxy.connector(ssl=True)
    assert caught.value.__context__ is None
