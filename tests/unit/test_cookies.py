"""The session cookie of a self-hosted server works, and `Secure` is obeyed elsewhere."""

from __future__ import annotations

from http.cookies import SimpleCookie

import pytest
from aiohttp import CookieJar
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from asyncllm.cookies import KeepingOnly, SessionCookieJar, is_loopback, with_cookies


def sent(jar, url):
    told = {name: morsel.value for name, morsel in SimpleCookie(jar.header_for(url)).items()}
    assert told == {name: morsel.value for name, morsel in jar.filter_cookies(URL(url)).items()}
    return told


def jar_with(url, *cookies):
    jar = SessionCookieJar()
    KeepingOnly(jar).update_cookies_from_headers(cookies, URL(url))
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


URLS = st.sampled_from(
    [
        "https://chat.example/c",
        "http://chat.example/",
        "https://a.chat.example/c/d",
        "http://localhost:1/c",
        "http://localhost:2/",
    ]
)
ATTRIBUTES = st.sampled_from(
    [
        "; Path=/",
        "; Path=/; Secure",
        "; Path=/c",
        "",
        "; Path=/; Domain=chat.example",
        "; Path=/; Max-Age=0",
        "; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ]
)
COOKIES = st.builds("{}={}{}".format, st.sampled_from("ab"), st.sampled_from("123"), ATTRIBUTES)
ANSWERS = st.lists(COOKIES, max_size=2)


@settings(max_examples=300)
@given(answers=st.lists(st.tuples(URLS, ANSWERS), max_size=12))
@example(
    [
        ("http://localhost:1/c", ["a=2; Path=/"]),
        ("http://localhost:2/", ["a=1; Path=/"]),
        ("http://localhost:1/c", ["a=2; Path=/"]),
    ]
)
async def test_what_is_remembered_is_what_a_jar_without_memory_says(answers):
    jar, plain = SessionCookieJar(), SessionCookieJar()
    for url, cookies in answers:
        if cookies:
            jar.update_cookies_from_headers(cookies, URL(url))
            CookieJar.update_cookies_from_headers(plain, cookies, URL(url))
        told = {name: morsel.value for name, morsel in plain.filter_cookies(URL(url)).items()}
        assert sent(jar, url) == told


async def test_a_session_cookie_that_is_told_again_costs_nothing():
    jar = jar_with("https://chat.example/", CHAT_UI)
    before = jar.header_for("https://chat.example/c/1")
    jar.update_cookies_from_headers((CHAT_UI,), URL("https://chat.example/c/2"))
    assert jar.header_for("https://chat.example/c/3") is before


@pytest.mark.parametrize(
    ("given_cookies", "added", "both"),
    [
        ("theme=dark", "hf-chat=7", "theme=dark; hf-chat=7"),
        ("hf-chat=1; theme=dark", "hf-chat=7", "theme=dark; hf-chat=7"),
        ("hf-chat=1", "hf-chat=7", "hf-chat=7"),
    ],
)
def test_of_two_cookies_of_one_name_the_server_s_is_sent(given_cookies, added, both):
    assert with_cookies(given_cookies, added) == both


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
