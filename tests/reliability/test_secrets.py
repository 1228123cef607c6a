"""No secret in any text: every error path of every provider, against servers that tell all."""

import asyncio
import contextlib
import functools
import gc
import json
import logging
import pprint
import time
from urllib.parse import quote

import pytest
from rich.pretty import pretty_repr

import asyncllm
from asyncllm import (
    Ask,
    Gravityengine,
    H2o,
    Lockchat,
    OpenAICompatible,
    Request,
    SessionManager,
    Timeouts,
)
from asyncllm.http.cookies import CookieJar
from asyncllm.http.entries import Entry
from asyncllm.http.proxies import parse_proxy
from asyncllm.redaction import Mask
from support.canaries import (
    COOKIE,
    HEADERS,
    KEY,
    PASSWORD,
    PROXY_USER,
    SESSION,
    SHOWN,
    TOKEN,
    USER,
    assert_nothing_shown,
    watched,
)
from support.exception_texts import texts_of
from support.leftovers import settled
from support.misdeeds import MISDEEDS, OTHERS, error_in, raw
from support.policies import ONCE, TWICE
from support.telltale import Telltale, answer, step_of

pytestmark = pytest.mark.no_cover  # a hundred times through what others go through too

PROVIDERS = {
    "openai": lambda url, **more: OpenAICompatible(
        base_url=f"{url}/v1", model="m", api_key=KEY, headers={"Cookie": f"sid={COOKIE}"}, **more
    ),
    "openai with a header": lambda url, **more: OpenAICompatible(
        base_url=f"{url}/v1", model="m", headers=HEADERS, **more
    ),
    "gravityengine": lambda url, **more: Gravityengine(
        base_url=url, api_key=KEY, headers={"X-Api-Key": TOKEN}, **more
    ),
    "lockchat": lambda url, **more: Lockchat(base_url=url, auth=KEY, headers=HEADERS, **more),
    "h2o": lambda url, **more: H2o(base_url=url, headers=HEADERS, **more),
}


@pytest.fixture(scope="module", autouse=True)
def _quick_collections():
    gc.collect()
    gc.freeze()  # what is there already is not looked through again for each test
    yield
    gc.unfreeze()


async def failure_of(provider, ask=None):
    """Return the error that asking ends with; whatever else could show something is searched."""
    stream = provider.stream("Hello")
    with pytest.raises(asyncllm.AsyncLLMError) as caught:
        await (stream.collect() if ask is None else ask(provider))
    assert_nothing_shown([repr(provider), repr(stream), str(stream), repr(vars(provider).keys())])
    assert_nothing_shown(texts_of(caught.value))
    return caught.value


# --- every error path of every provider ---------------------------------------------------------


# Silence ends at the limit, before which a busy machine may not even have asked.
PATIENCES = (0.1, 1, 10)


@watched
@pytest.mark.parametrize("misdeed", MISDEEDS.values(), ids=list(MISDEEDS))
@pytest.mark.parametrize("make", PROVIDERS.values(), ids=list(PROVIDERS))
async def test_no_answer_of_any_kind_makes_a_stream_show_a_secret(make, misdeed):
    for first_token in PATIENCES if misdeed is MISDEEDS["silence"] else (10,):
        async with (
            Telltale({"stream": misdeed}) as server,
            SessionManager(retry=TWICE, timeouts=Timeouts(first_token=first_token)) as manager,
        ):
            assert_nothing_shown([repr(manager), repr(manager.connections)])
            await failure_of(make(server.url, sessions=manager))
            if knew := any(SHOWN.search(head.decode()) for head in server.heads):
                break
    assert knew


WITH_HEADERS = ["openai with a header", "lockchat", "h2o"]
KNOWN_BY = {
    "as given": PROVIDERS,
    "without its scheme": WITH_HEADERS,
    "a cookie's value": ["openai", *WITH_HEADERS],
    "the cookies as sent": PROVIDERS,
    "the session cookie": PROVIDERS,
    "in a URL": ["lockchat"],
    "all encoded": ["openai", "gravityengine", "lockchat"],
    "the whole head": PROVIDERS,
}


@watched
@pytest.mark.parametrize(
    ("make", "form"),
    [
        pytest.param(
            *(PROVIDERS[name], form),
            id=f"{name}-{form}",
        )
        for form, names in KNOWN_BY.items()
        for name in names
    ],
)
async def test_no_form_of_a_secret_is_shown(make, form):
    for name in ("text 503 Later", "an error object", "a bad header"):
        misdeeds = {"stream": MISDEEDS[name]}
        async with (
            Telltale(misdeeds, forms=[form]) as server,
            SessionManager(retry=TWICE) as manager,
        ):
            await failure_of(make(server.url, sessions=manager))


H2O_STEPS = ["settings", "create"]


@watched
@pytest.mark.parametrize(
    "misdeed",
    [MISDEEDS[name] for name in ("text 401 Who", "openai 503 Later", "a page", *list(OTHERS)[9:])],
    ids=["401", "503", "a page", *list(OTHERS)[9:]],
)
@pytest.mark.parametrize("step", H2O_STEPS)
async def test_no_answer_to_an_earlier_step_makes_h2o_show_a_secret(step, misdeed):
    limits = Timeouts(first_token=0.5 if misdeed is MISDEEDS["silence"] else 10)
    async with (
        Telltale({step: misdeed}) as server,
        SessionManager(retry=TWICE, timeouts=limits) as manager,
    ):
        h2o = PROVIDERS["h2o"](server.url, sessions=manager)
        stream = h2o.stream("Hello")
        try:
            await stream.collect()
        except asyncllm.AsyncLLMError as error:  # a page is none for settings
            assert_nothing_shown(texts_of(error))


CLEANING_UP = [
    (step, status)
    for step in ("stop", "delete")
    for status in ("401 Who", "404 Gone", "503 Later", "302 There")
    if (step, status) != ("delete", "404 Gone")  # nothing is said of that
]


@watched
@pytest.mark.parametrize(("step", "status"), CLEANING_UP)
async def test_what_is_logged_of_cleaning_up_shows_no_secret(step, status):
    token = b'HTTP/1.1 200 OK\r\n\r\ndata:{"token":{"text":"a"}}\n\n'
    misdeeds = {"stream": lambda _: [token, 0.5], step: error_in("text", status)}
    async with Telltale(misdeeds) as server, SessionManager(retry=TWICE) as manager:
        stream = PROVIDERS["h2o"](server.url, sessions=manager).stream("Hello")
        await anext(stream)
        await stream.aclose()
    assert [head for head in server.heads if head.startswith(b"DELETE")]


@watched
async def test_an_orphaned_creation_that_fails_shows_no_secret():
    def late(echo):
        return [0.05, *error_in("text", "500 Oh")(echo)]

    for step in H2O_STEPS:
        async with Telltale({step: late}) as server, SessionManager(retry=TWICE) as manager:
            task = asyncio.create_task(
                PROVIDERS["h2o"](server.url, sessions=manager).complete("Hello")
            )
            async with asyncio.timeout(30):
                while not any(step_of(*h.decode().split(" ")[:2]) == step for h in server.heads):
                    await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.wait([task])


@watched
async def test_a_spare_that_could_not_be_made_shows_no_secret():
    async with (
        Telltale({"create": error_in("text", "500 Oh")}) as server,
        SessionManager(retry=TWICE, spare_conversations=2) as manager,
    ):
        await failure_of(PROVIDERS["h2o"](server.url, sessions=manager))


@watched
async def test_a_failure_while_renewing_a_lost_session_shows_no_secret():
    answers = iter([error_in("text", "405 Not"), error_in("text", "500 Oh")])

    def misdeed(echo):
        return next(answers)(echo)

    async with (
        Telltale({"create": misdeed}) as server,
        SessionManager(retry=ONCE) as manager,
    ):
        error = await failure_of(PROVIDERS["h2o"](server.url, sessions=manager))
        assert error.status == 500
        assert error.__context__ is None


@watched
@pytest.mark.parametrize(
    "name",
    [
        "openai 401 Who",
        "text 503 Later",
        "a page",
        "other JSON",
    ],
)
@pytest.mark.parametrize("make", [PROVIDERS["openai"], PROVIDERS["lockchat"]])
async def test_listing_models_shows_no_secret(make, name):
    async with (
        Telltale({"models": MISDEEDS[name]}) as server,
        SessionManager(retry=TWICE) as manager,
    ):
        await failure_of(make(server.url, sessions=manager), lambda p: p.list_models())


# --- cookies ------------------------------------------------------------------------------------


@watched
@pytest.mark.parametrize(
    "line",
    [
        f"Set-Cookie: hf-chat={SESSION}\x01; Path=/",
        pytest.param(
            f"Set-Cookie: hf-chat={SESSION}{'x' * 20_000}; Path=/",
            id="too long",
        ),
        f"Set-Cookie: hf chat {SESSION}; Path=/",
        f"Set-Cookie: {SESSION}",
        f"Set-Cookie: hf-chat={SESSION}; Expires={SESSION}; Domain={SESSION}",
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "500 Oh"])
async def test_a_cookie_that_the_server_garbles_is_shown_nowhere(line, status):
    text = f"HTTP/1.1 {status}\r\n{line}\r\nContent-Length: 2\r\n\r\nno"
    async with (
        Telltale(dict.fromkeys(("settings", "stream"), raw(text))) as server,
        SessionManager(retry=TWICE) as manager,
    ):
        await failure_of(PROVIDERS["h2o"](server.url, sessions=manager))


@watched
@pytest.mark.parametrize(
    "cookie",
    [
        f"hf-chat={SESSION}",
        f'hf-chat="{SESSION}"',
        f"hf chat={SESSION}",  # which aiohttp does not take
        SESSION,
        f"={SESSION}",
    ],
)
async def test_a_cookie_that_was_set_just_now_is_not_shown(cookie):
    body = f"{SESSION} may not"
    head = f"HTTP/1.1 401 Who\r\nSet-Cookie: {cookie}; Path=/\r\nContent-Length: {len(body)}\r\n"
    async with (
        Telltale({"stream": raw(f"{head}\r\n{body}")}) as server,
        SessionManager(retry=TWICE) as manager,
    ):
        await failure_of(PROVIDERS["openai"](server.url, sessions=manager))


# --- cut texts: a part of a secret is a secret --------------------------------------------------


@watched
@pytest.mark.parametrize(
    ("before", "status", "kind"),
    [
        (185, "401 Who", "text/plain"),
        (185, "401 ", "text/plain"),
        (65_524, "401 Who", "text/plain"),
        (185, "200 OK", "text/plain"),
        (185, "200 OK", "text/html"),
        (185, "200 OK", "text/event-stream"),
    ],
)
async def test_a_text_cut_amid_a_secret_shows_no_part_of_it(before, status, kind):
    body = "x" * before + KEY + "y" * 300
    if status == "401 ":
        status, body = f"401 {body}", ""
    if kind == "text/event-stream":
        body = f"data: {body}\n\n"
    misdeed = [answer(body.encode(), status=status, kind=kind)]
    async with (
        Telltale({"stream": lambda _: misdeed}) as server,
        SessionManager(retry=TWICE) as manager,
    ):
        await failure_of(PROVIDERS["openai"](server.url, sessions=manager))


CUT_KEY = "k3-4567/8+canary-0123456789-canary=="
CUTS = {
    "an error's body that is too long": lambda said: answer(
        f"{said.rjust(64 * 1024, '.')} and more".encode(), status="401 Who"
    ),
    "an error's body that is lost": lambda said: (
        f"HTTP/1.1 401 Who\r\nContent-Length: 999\r\n\r\n{said}".encode()
    ),
    "an error's body that ends": lambda said: answer(said.encode(), status="401 Who"),
    "a reason that ends": lambda said: f"HTTP/1.1 401 {said}\r\n\r\n".encode(),
    "a page that ends": lambda said: answer(f"<p>{said}".encode(), kind="text/html"),
    "what is no stream": lambda said: answer(said.encode(), kind="text/plain"),
    "a line between events": lambda said: answer(
        f"data: {{}}\n\n{said.rjust(300, '.')} and more\n\n".encode(), kind="text/event-stream"
    ),
    "an event that ends": lambda said: answer(f"data: {said}\n\n".encode()),
    "a message that ends": lambda said: answer(
        json.dumps({"error": {"message": said}}).encode(), status="401 Who"
    ),
}


@watched
@pytest.mark.parametrize("cut", CUTS.values(), ids=list(CUTS))
@pytest.mark.parametrize("encode", [str, functools.partial(quote, safe="")], ids=["raw", "quoted"])
async def test_eight_characters_of_a_secret_are_not_shown_where_an_answer_was_cut(encode, cut):
    told = encode(CUT_KEY)
    least = len(encode(CUT_KEY[:8]))

    def misdeed(_):
        return [cut(told[: sizes.pop()])]

    async with (
        Telltale({"stream": misdeed}) as server,
        SessionManager(retry=ONCE) as manager,
    ):
        sizes = [least, least + 1, least + 4, len(told) - 1]
        while sizes:
            llm = OpenAICompatible(
                base_url=server.url, model="m", api_key=CUT_KEY, sessions=manager
            )
            error = await failure_of(llm)
            assert not any("k3-4567" in text for text in texts_of(error))


# --- what a server can't do with what it knows ----------------------------------------------------

ODD_COOKIES = [
    "Set-Cookie: hf-chat=!!!!!!!!\r\n",
    f"Set-Cookie: hf-chat={quote('{}:,/', safe='') * 250}\r\n",
    "".join(f"Set-Cookie: c{n}={quote('{}:,/', safe='') * 60}\r\n" for n in range(50)),
]
LONG = {
    "an event of backslashes": ("200 OK", 'data: {"' + "\\" * 64 * 1024 + "\n\n"),
    "an error of backslashes": ("500 Oh", "\\" * 65 * 1024),
    "a message of quotes": ("500 Oh", json.dumps({"message": '"' * 32 * 1024})),
    "a page of signs": ("401 No", "%2B&lt;!" * 8 * 1024),
}


@pytest.mark.parametrize(("status", "body"), LONG.values(), ids=list(LONG))
@pytest.mark.parametrize("cookies", ODD_COOKIES, ids=["signs", "4 KiB", "many"])
async def test_no_answer_holds_the_event_loop_up(cookies, status, body):
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/event-stream\r\n{cookies}"
    told = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    async with (
        Telltale({"stream": lambda _: [told]}) as server,
        SessionManager(retry=ONCE) as manager,
    ):
        llm = PROVIDERS["openai"](server.url, sessions=manager)
        began = time.process_time()
        await failure_of(llm)
        took = time.process_time() - began
    assert took < 2, took  # of this process alone, the server and the search in it; it is a tenth


@watched
@pytest.mark.parametrize("api_key", ["x", "ollama", "8080", "lm-studio", "not-needed"])
async def test_a_key_that_is_none_destroys_no_message(api_key):
    said = "no model x in ollama, lm-studio or 8080: not-needed"
    misdeed = [answer(json.dumps({"message": said}).encode(), status="404 Gone")]
    async with Telltale({"stream": lambda _: misdeed}) as server, SessionManager() as manager:
        for key in (api_key, server.url.rpartition(":")[2]):
            llm = OpenAICompatible(base_url=server.url, model="m", api_key=key, sessions=manager)
            error = await failure_of(llm)
            assert str(error) == f"POST {server.url}/chat/completions: 404 {said}"


class OwnErrors(OpenAICompatible):
    """Quotes its key in errors that never passed through `http`."""

    begins = False

    async def generate(self, request, http):
        if self.begins:
            yield ["a"]
        raise asyncllm.TransportError(f"attempt with {self._api_key}\nINFO: forged")


@watched
@pytest.mark.parametrize("begins", [False, True])
async def test_what_a_provider_says_by_itself_is_masked_and_so_is_what_is_logged_of_it(
    begins, caplog
):
    caplog.set_level(logging.INFO)
    llm = OwnErrors(base_url="http://127.0.0.1:1", model="m", api_key=KEY, retry=TWICE)
    llm.begins = begins
    error = await failure_of(llm)
    assert str(error) == "attempt with ***\\nINFO: forged"
    said = [record.getMessage() for record in caplog.records if record.name == "asyncllm"]
    assert said[:1] == ([] if begins else [f"OwnErrors: attempt 1 of 2 failed: {error}"])


# --- what shows an object -----------------------------------------------------------------------


async def test_no_object_that_holds_a_secret_shows_it():
    proxy = f"http://{PROXY_USER}@127.0.0.1:1"
    async with Telltale() as server, SessionManager(proxy=proxy) as manager:
        llm = PROVIDERS["h2o"](server.url, sessions=manager)
        stream = llm.stream("Hello")
        http = llm._http(manager, parse_proxy(proxy))
        request = Request(base_url=server.url, model="m", messages=[], params={})
        entry = Entry(f"{server.url}/conversation/1", HEADERS)
        response = http.open("GET", server.url, headers=HEADERS)
        ask = Ask("/chat", query={"auth": KEY}, headers=HEADERS)
        jar = CookieJar()
        jar.keep([f"session={KEY}"], server.url)
        cookies = [*jar._hosts.values(), *next(iter(jar._hosts.values())).cookies.values()]
        for each in (
            *(manager, manager.connections, manager.conversations, manager.proxy, llm, stream),
            *(http, request, entry, response, response._request),
            *(llm.server(request, http), Mask([KEY]), ask, jar, *cookies),
        ):
            whole = [each, {"one": [each]}]
            assert_nothing_shown(
                [repr(each), str(each), pprint.pformat(whole), pretty_repr(whole, expand_all=True)]
            )


# --- proxies ------------------------------------------------------------------------------------


@watched
@pytest.mark.parametrize(
    "name",
    [
        "text 401 Who",
        "text 500 Oh",
        "a page",
        *list(OTHERS)[10:],
    ],
)
@pytest.mark.parametrize("where", ["manager", "provider", "call"])
async def test_a_forwarding_proxy_that_tells_all_shows_no_secret(name, where):
    async with Telltale({"stream": MISDEEDS[name]}) as server:
        given = {where: {"proxy": f"http://{PROXY_USER}@{server.address}"}}
        for first_token in PATIENCES if name == "silence" else (10,):
            limits = Timeouts(first_token=first_token)
            async with SessionManager(
                retry=TWICE, timeouts=limits, **given.get("manager", {})
            ) as manager:
                provider = PROVIDERS["openai"](
                    "http://example.org", sessions=manager, **given.get("provider", {})
                )
                await failure_of(provider, lambda p: p.complete("Hello", **given.get("call", {})))
            if server.heads:
                break
    assert b"Proxy-Authorization" in server.heads[0]


@watched
@pytest.mark.parametrize(
    "misdeed",
    [
        error_in("text", "407 No"),
        error_in("text", "502 Bad"),
        raw("HTTP/1.1 500 ECHO\r\n\r\n"),
        raw("ECHO\r\n\r\n"),
        raw("HTTP/1.1 200 OK\r\n\r\nECHO is no TLS"),
        raw("HTTP/1.1 200 OK\r\nX: ECHO\x01\r\n\r\n"),
        raw(""),
    ],
)
async def test_a_proxy_that_does_not_connect_shows_no_secret(misdeed):
    async with Telltale({"connect": misdeed}) as server:
        async with SessionManager(
            retry=TWICE, proxy=f"http://{PROXY_USER}@{server.address}"
        ) as manager:
            await failure_of(PROVIDERS["lockchat"]("https://example.org", sessions=manager))
        assert server.heads


@watched
@pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks5", "socks5h"])
async def test_a_proxy_that_is_not_there_or_is_none_shows_no_secret(scheme):
    async with Telltale() as server:
        proxy = f"{scheme}://{PROXY_USER}@{server.address}"
        assert_nothing_shown([repr(parse_proxy(proxy)), str(parse_proxy(proxy))])
        limits = Timeouts(connect=0.2)
        async with SessionManager(retry=TWICE, proxy=proxy, timeouts=limits) as manager:
            await failure_of(PROVIDERS["lockchat"]("https://example.org", sessions=manager))
    async with SessionManager(retry=TWICE, proxy=proxy) as manager:
        await failure_of(PROVIDERS["lockchat"]("https://example.org", sessions=manager))


@pytest.mark.parametrize(
    "make",
    [
        lambda: SessionManager(proxy=f"ftp://{PROXY_USER}@host"),
        lambda: SessionManager(proxy=f"http://{PROXY_USER}@host:port"),
        lambda: SessionManager(proxy=f"http://{USER}:{PASSWORD}@host:99999999"),
        lambda: H2o(proxy=f"nonsense {PASSWORD}"),
        lambda: H2o(base_url=f"http://{USER}:{PASSWORD}@host"),
        lambda: H2o(base_url=f"http://host?auth={KEY}"),
        lambda: H2o(headers={"Cookie": f"{COOKIE}\n"}),
        lambda: Lockchat(auth=f"{KEY}\r\nX: y", headers={"Authorization": f"{KEY}\0"}),
        lambda: OpenAICompatible(base_url="http://host", api_key=f"{KEY}\n"),
        lambda: OpenAICompatible(base_url="http://host", headers={"Authorization": KEY.encode()}),
        lambda: H2o().stream("x", proxy=f"gopher://{PROXY_USER}@host"),
    ],
)
def test_a_refused_option_is_not_shown(make):
    with pytest.raises(asyncllm.ConfigurationError) as caught:
        make()
    assert_nothing_shown(texts_of(caught.value))


@watched
@pytest.mark.parametrize("odd", ["\udcff", "\x7f", "ключ"])
async def test_a_key_that_cannot_be_sent_is_not_shown(odd):
    async with Telltale({"stream": MISDEEDS["a hang-up"]}) as server:
        for make in (
            lambda: OpenAICompatible(base_url=server.url, api_key=KEY + odd, retry=TWICE),
            lambda: Lockchat(base_url=server.url, auth=KEY + odd, retry=TWICE),
            lambda: H2o(base_url=server.url, headers={"Cookie": f"a={COOKIE}{odd}"}, retry=TWICE),
        ):
            with pytest.raises(asyncllm.AsyncLLMError) as caught:
                await make().complete("Hello")
            assert_nothing_shown(texts_of(caught.value))


# --- redirects ----------------------------------------------------------------------------------


@watched
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("make", PROVIDERS.values(), ids=list(PROVIDERS))
async def test_credentials_are_not_sent_to_another_origin_on_a_redirect(make, status):
    steps = ["settings", "create", "stream", "delete"] if make is PROVIDERS["h2o"] else ["stream"]
    for step in steps:
        async with Telltale() as other:

            def misdeed(echo, other=other):
                return [answer(b"", status=f"{status} There", Location=f"{other.url}/conversation")]

            async with (
                Telltale({step: misdeed}) as server,
                SessionManager(retry=TWICE) as manager,
            ):
                with contextlib.suppress(asyncllm.HTTPStatusError):
                    await make(server.url, sessions=manager).complete("Hello")
            assert server.heads
            assert other.heads == []


@watched
async def test_a_cookie_of_one_server_is_not_sent_to_another():
    async with Telltale() as one, SessionManager() as manager:
        await H2o(base_url=one.url, sessions=manager).complete("Hello")
        assert any(SESSION.encode() in head for head in one.heads)
        async with Telltale() as other:
            url = other.url.replace("127.0.0.1", "localhost")
            await OpenAICompatible(base_url=url, model="m", sessions=manager).complete("Hello")
            assert not any(SESSION.encode() in head for head in other.heads)
    await settled()
