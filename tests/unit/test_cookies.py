"""The session cookie of a self-hosted server works, and `Secure` is obeyed elsewhere."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest
from yarl import URL

from asyncllm.cookies import SessionCookieJar, is_loopback


def sent(jar, url):
    return {name: morsel.value for name, morsel in jar.filter_cookies(URL(url)).items()}


def jar_with(url, cookie):
    jar = SessionCookieJar()
    jar.update_cookies(SimpleCookie(cookie), URL(url))
    return jar


CHAT_UI = "hf-chat=7; Path=/; HttpOnly; Secure; SameSite=None"


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:3000/",
        "http://localhost/",
        "http://127.0.0.1:3000/",
        "http://127.8.9.10:3000/",
        "http://[::1]:3000/",
        "http://chat.localhost:3000/",
        "https://localhost:3000/",
        "https://192.0.2.7/",
        "https://chat.example/",
    ],
)
async def test_a_secure_cookie_goes_back_over_https_and_to_loopback(url):
    jar = jar_with(url, CHAT_UI)
    assert sent(jar, url) == {"hf-chat": "7"}
    assert sent(jar, url + "conversation/1") == {"hf-chat": "7"}


@pytest.mark.parametrize(
    "url", ["http://192.0.2.7:3000/", "http://chat.example/", "http://localhost.example/"]
)
async def test_a_secure_cookie_goes_to_no_other_host_over_http(url):
    assert sent(jar_with(url, CHAT_UI), url) == {}


async def test_a_plain_cookie_of_an_address_is_kept():
    assert sent(jar_with("http://192.0.2.7/", "a=1"), "http://192.0.2.7/") == {"a": "1"}


async def test_a_cookie_goes_to_no_other_host():
    jar = jar_with("http://127.0.0.1:3000/", CHAT_UI)
    assert sent(jar, "http://127.0.0.2:3000/") == {}
    assert sent(jar, "https://chat.example/") == {}
    assert sent(jar, "http://localhost:3000/") == {}


async def test_a_cookie_keeps_to_its_path():
    jar = jar_with("http://localhost/", "a=1; Path=/api; Secure")
    assert sent(jar, "http://localhost/api/x") == {"a": "1"}
    assert sent(jar, "http://localhost/") == {}


@pytest.mark.parametrize(
    "host", ["localhost", "chat.localhost", "127.0.0.1", "127.255.255.254", "::1"]
)
def test_this_machine_is_loopback(host):
    assert is_loopback(host) is True


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "notlocalhost",
        "localhost.example",
        "128.0.0.1",
        "0.0.0.0",
        "::",
        "10.0.0.1",
        "127.1",
    ],
)
def test_any_other_host_is_not_loopback(host):
    assert is_loopback(host) is False
