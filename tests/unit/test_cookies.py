"""The session cookie of a self-hosted server works, and `Secure` is obeyed elsewhere."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncllm.http.cookies import CookieJar, CookieJars, with_cookies
from asyncllm.http.plain_http import is_loopback


def sent(jar, url):
    header = jar.header_for(url)
    return dict(pair.split("=", 1) for pair in header.split("; ")) if header else {}


def jar_with(url, *cookies):
    jar = CookieJar()
    jar.keep(cookies, url)
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


async def test_ports_of_a_host_share_cookies():
    jar = jar_with("http://localhost:1/", "a=1")
    assert sent(jar, "http://localhost:2/c") == {"a": "1"}


@pytest.mark.parametrize("domain", ["com", ".com", "example.com", "a.example.com", "other.com"])
@pytest.mark.parametrize("form", ["; Domain={}", "; path=/ domain={}", '; DOMAIN="{}"'])
def test_a_cookie_goes_to_no_other_host_whatever_domain_it_names(domain, form):
    jar = jar_with("https://a.example.com/", "a=1" + form.format(domain))
    for other in ("example.com", "b.example.com", "b.a.example.com", "other.com", "com"):
        assert sent(jar, f"https://{other}/") == {}


def test_a_cookie_for_a_domain_is_kept_for_its_host():
    jar = jar_with("https://a.example.com/", "a=1; Domain=example.com")
    assert sent(jar, "https://a.example.com/") == {"a": "1"}


@pytest.mark.parametrize(
    ("url", "cookie", "fitting", "others"),
    [
        ("http://h/", "a=1; Path=/api", ["/api", "/api/", "/api/x", "/api?q"], ["/", "/apis"]),
        ("http://h/", "a=1; Path=/api/", ["/api/", "/api/x"], ["/api", "/"]),
        ("http://h/c/d", "a=1", ["/c", "/c/d", "/c/e?f=/"], ["/", "", "/cd"]),
        ("http://h/c/d?e=/f/g", "a=1; Path=x", ["/c"], ["/"]),
        ("http://h?e=/f/g", "a=1", ["", "/", "/c"], []),
    ],
)
def test_a_cookie_keeps_to_its_path(url, cookie, fitting, others):
    jar = jar_with(url, cookie)
    assert [path for path in fitting + others if sent(jar, f"http://h{path}")] == fitting


def test_of_two_cookies_of_one_name_the_one_for_the_longer_path_is_sent():
    jar = jar_with("http://h/", "a=2; Path=/c", "a=1; Path=/")
    assert [sent(jar, f"http://h{path}") for path in ("/c", "/")] == [{"a": "2"}, {"a": "1"}]


@pytest.mark.parametrize(
    ("attributes", "is_kept"),
    [
        ("Max-Age=60", True),
        ("Max-Age=" + "9" * 5000, True),
        ("Max-Age=0", False),
        ("Max-Age=-1", False),
        ("Max-Age=soon", True),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", False),
        ("Expires=Thu, 01-Jan-1970 00:00:00 GMT", False),
        ("Expires=Thu, 01 Jan 2970 00:00:00 GMT", True),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", True),
        ("Expires=tomorrow", True),
        ("Expires=Thu, 99 Jan 99999999 99:99:99 GMT", True),
    ],
)
def test_a_cookie_ends_when_it_says(attributes, is_kept):
    jar = jar_with("http://h/", "a=1", "b=1")
    jar.keep([f"a=2; {attributes}"], "http://h/")
    assert sent(jar, "http://h/") == ({"a": "2", "b": "1"} if is_kept else {"b": "1"})


def test_a_cookie_is_not_sent_after_its_end(monkeypatch):
    jar = jar_with("http://h/", "a=1; Max-Age=60")
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert sent(jar, "http://h/") == {}


def test_a_cookie_that_is_set_again_ends_later(monkeypatch):
    jar, now = jar_with("http://h/", "a=1; Max-Age=60"), time.time()
    for later, is_sent in ((50, True), (100, True), (161, False)):
        monkeypatch.setattr(time, "time", lambda: now + later)  # noqa: B023 - called at once
        assert bool(sent(jar, "http://h/")) == is_sent
        jar.keep(["a=1; Max-Age=60"], "http://h/")


def test_an_address_without_a_path_is_a_host_too():
    jar = jar_with("http://a.example", "a=1")
    assert sent(jar, "http://a.example") == sent(jar, "http://a.example/x?y=/") == {"a": "1"}
    assert sent(jar, "http://b.example") == {}


@pytest.mark.parametrize(
    "cookie", ["", "a", "=1", ";a=1", "a=\udcff", "a=\tb\x00", "a\u2028=1", "a=" + "x" * 5000]
)
def test_what_can_not_be_sent_again_is_not_kept(cookie):
    assert jar_with("http://h/", cookie).header_for("http://h/") == ""


def test_a_host_has_so_many_cookies_and_no_more_and_the_newest_are_kept():
    jar = CookieJar()
    for count in range(1000):
        jar.keep([f"a{count}=1"], "http://many/")
        jar.keep([f"a{count}=" + "x" * 4000], "http://large/")
    assert list(sent(jar, "http://many/")) == [f"a{count}" for count in range(950, 1000)]
    assert list(sent(jar, "http://large/")) == ["a998", "a999"]
    assert sum(len(host.cookies) for host in jar._hosts.values()) == 52
    assert all(len(host._told) <= 50 for host in jar._hosts.values())


TEXTS = st.text('ab=; ,"/\\\tx1-:\xe9\udc80\0', max_size=12)
NAMES = st.sampled_from(["Path", "path", "Domain", "Secure", "Max-Age", "Expires", "x"])
HEADERS = st.builds(
    lambda pair, attributes: ";".join([pair, *map("=".join, attributes)]),
    TEXTS,
    st.lists(st.tuples(NAMES, TEXTS | st.text("-0123456789: JanGMT,", max_size=40)), max_size=4),
)


@given(headers=st.lists(HEADERS, max_size=5), path=TEXTS)
def test_whatever_a_server_sets_what_is_sent_is_a_header_and_goes_to_it_alone(headers, path):
    jar = jar_with(f"https://h/{path}", *headers)
    header = jar.header_for(f"https://h/{path}")
    assert header.isprintable() or not header
    assert ";" not in header.replace("; ", "")
    assert jar.header_for("https://x/") == ""


# What follows the value, and the path that it gives at /a/b; some end the cookie.
PATHS = {"": "/a", "; Path=/": "/", "; Path=/a": "/a"}
ENDS = {**dict.fromkeys(PATHS, False), "; Max-Age=0": True, "; Path=/; Max-Age=0": True}
TOLD = st.tuples(*map(st.sampled_from, ("ab", "12", list(ENDS))))


@given(told=st.lists(TOLD, max_size=12), asked=st.sampled_from(["http://h/", "http://h/a"]))
def test_what_is_remembered_of_repeated_headers_changes_nothing(told, asked):
    jar, kept = CookieJar(), {}
    for name, value, attributes in told:
        jar.keep([f"{name}={value}{attributes}"], "http://h/a/b")
        path = PATHS[attributes.removesuffix("; Max-Age=0")]
        kept.pop((path, name), None)
        if not ENDS[attributes]:
            kept[path, name] = value
        here = [key for key in sorted(kept) if key[0] == "/" or asked.endswith(key[0])]
        assert sent(jar, asked) == {name: kept[path, name] for path, name in here}


@pytest.mark.parametrize(
    ("given_cookies", "added", "both"),
    [
        ("theme=dark", "hf-chat=7", "theme=dark; hf-chat=7"),
        ("hf-chat=1; theme=dark", "hf-chat=7", "hf-chat=1; theme=dark"),
        ("hf-chat=1", "hf-chat=7; a=2", "hf-chat=1; a=2"),
    ],
)
def test_of_two_cookies_of_one_name_the_caller_s_is_sent(given_cookies, added, both):
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


def test_a_session_s_cookies_last_while_somebody_uses_them_or_they_are_new():
    jars = CookieJars()
    used, pair = jars.jar_of("used"), "a=1"
    used.keep([pair], "http://h/")
    for user in range(1200):
        jars.jar_of(user).keep([pair], "http://h/")
    assert jars.jar_of("used") is used
    assert [jars.jar_of(user).header_for("http://h/") for user in (0, 100, 300, 1199)] == [
        "",
        "",
        pair,
        pair,
    ]
