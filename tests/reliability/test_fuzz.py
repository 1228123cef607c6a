"""Whatever bytes come, every provider gives tokens or a typed error, and the same for any cuts."""

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

import asyncllm
from asyncllm import (
    Finish,
    Gravityengine,
    H2o,
    Lockchat,
    Mistral,
    OpenAICompatible,
    OpenAIResponses,
    Ping,
    Request,
    Retry,
    Timeouts,
)
from asyncllm.http.refusals import status_error
from asyncllm.http.request import HttpRequest
from asyncllm.http.response import Response
from support.leftovers import settled
from support.raw_server import raw_server

ITEMS = (str, *asyncllm.Event.__args__)
URL = "http://127.0.0.1:9"
PROVIDERS = {
    "h2o": H2o(base_url=URL),
    "openai": OpenAICompatible(base_url=URL, model="m"),
    "responses": OpenAIResponses(base_url=URL, model="m"),
    "mistral": Mistral(base_url=URL, model="m"),
    "gravityengine": Gravityengine(base_url=URL),
    "lockchat": Lockchat(base_url=URL),
}
every_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))

# --- a provider, fed by hand --------------------------------------------------------------------


class Body:
    """The content of a response, of which each read brings one of the given pieces."""

    def __init__(self, pieces):
        self._pieces = iter(pieces)

    async def readany(self):
        return next(self._pieces, b"")

    def at_eof(self):
        return False


class NoHttp:
    """Answers every request with one body, and waits for nothing."""

    def __init__(self, pieces, max_event_bytes):
        raw = SimpleNamespace(
            status=200,
            headers=CIMultiDict(),
            cookies={},
            content_type="text/event-stream",
            content=Body(pieces),
        )
        request = HttpRequest(method="POST", url=URL, headers={})
        self._response, self.refused_fields = Response(raw, max_event_bytes, request=request), set()

    @asynccontextmanager
    async def open(self, *_, **__):
        yield self._response


def outcome(provider, pieces, max_event_bytes=1 << 20):
    """Return what came, pings left out, and the type of the error, if any."""
    request = Request(
        base_url=URL, model="m", messages=[{"role": "user", "content": "x"}], params={}
    )
    items = []

    async def read():
        async for batch in provider.generate(request, NoHttp(pieces, max_event_bytes)):
            items.extend(batch)

    reading, error = read(), None
    try:
        reading.send(None)
    except StopIteration:
        pass
    except asyncllm.AsyncLLMError as caught:
        error = caught
        assert str(error)
    else:
        pytest.fail("it waits for something")
    assert all(type(item) in ITEMS for item in items)
    assert [item for item in items[:-1] if isinstance(item, Finish)] == []
    assert (error is None) == (bool(items) and isinstance(items[-1], Finish))
    return [item for item in items if not isinstance(item, Ping)], type(error)


def cut(body, places):
    """Return `body` in pieces, cut where `places` (any numbers) say."""
    places = sorted({place % (len(body) + 1) for place in places})
    return [body[a:b] for a, b in pairwise([0, *places, len(body)]) if a < b]


# --- bodies -------------------------------------------------------------------------------------

WORDS = [
    *("choices", "delta", "content", "message", "finish_reason", "index", "tool_calls", "id"),
    *("function", "name", "arguments", "usage", "error", "code", "type", "detail", "refusal"),
    *("reasoning", "reasoning_content", "prompt_tokens", "completion_tokens", "token", "text"),
    *("special", "generated_text", "details", "generated_tokens", "error_type", "", "x"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from(
        [10**30, -(2**63) - 1, 2**64, 1.5, 1e308, "stop", "", "a", "[DONE]", "\u2028"]
    )
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


def chunk_of(**delta):
    return st.fixed_dictionaries(
        {
            "choices": st.lists(
                st.fixed_dictionaries({"delta": st.fixed_dictionaries(delta)}), max_size=2
            )
        }
    )


CALL = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b", ""]),
        "index": st.integers(0, 2) | st.none(),
        "function": st.fixed_dictionaries({}, optional={"name": VALUES, "arguments": VALUES}),
    },
)
SHAPED = st.one_of(
    VALUES,
    chunk_of(content=VALUES),
    chunk_of(content=st.text(max_size=3), tool_calls=st.lists(CALL, max_size=3)),
    st.fixed_dictionaries({"token": VALUES, "generated_text": st.none() | st.text(max_size=3)}),
    st.fixed_dictionaries(
        {"token": st.fixed_dictionaries({"text": st.text(max_size=3)})},
        optional={"generated_text": VALUES, "details": VALUES},
    ),
    st.fixed_dictionaries({"error": VALUES}, optional={"error_type": VALUES, "choices": VALUES}),
)
DATA = st.builds(json.dumps, SHAPED, ensure_ascii=st.booleans()).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
END = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\n", b"\n", b"\r", b"\r\r", b"", b"\n\n\n"])
FIELD = st.sampled_from(
    [
        *(b"data:", b"data: ", b"data:  ", b"data", b":", b""),
        *(b"event: error\ndata: ", b"event: error\r\ndata: ", b"event:x\rdata:"),
    ]
)
LINE = st.tuples(
    FIELD, DATA | st.binary(max_size=8) | st.sampled_from([b"[DONE]", b" [DONE] ", b""]), END
).map(b"".join)
STREAMS = st.lists(LINE, max_size=6).map(b"".join)
GOOD = [
    b"""data:{"token":{"text":" Hi","special":false},"generated_text":null,"details":null}

: ping

data:{"token":{"text":"<|endoftext|>","special":true},"generated_text":"Hi","details":{"finish_\
reason":"eos_token","generated_tokens":2}}

""",
    b"""data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}

data: {"choices":[{"delta":{"content":"\xe4\xb8\x80\xf0\x9f\x98\x80"}}]}

: ping

data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","function":{"arguments":"{}"}}]}}]}

data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}

data: [DONE]

""",
    b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}',
    b"The model: `gpt-4` does not exist\n\n",
    b'event: error\ndata: {"error":{"message":"no","type":"t","code":500}}\n\n',
]


@st.composite
def mutated(draw):
    """Draw a good stream with a few bytes changed, dropped, repeated or put elsewhere."""
    body = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(0, 4))):
        a, b, c = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 3)))
        body = draw(
            st.sampled_from(
                [
                    body[:a] + body[b:],
                    body[:b] + body[a:],
                    body[:a] + body[b:c] + body[a:b] + body[c:],
                    body[:a] + draw(st.binary(max_size=4)) + body[a:],
                    body[:a]
                    + draw(st.sampled_from([b"\n", b"\r", b"\0", b"\\", b'"', b"{", b"}"]))
                    + body[a + 1 :],
                ]
            )
        )
    return body


BODIES = st.binary(max_size=60) | STREAMS | mutated()
LIMITS = st.just(1 << 20) | st.integers(10, 120)
CUTS = st.lists(st.integers(0, 10**6), max_size=6)
quick = settings(deadline=None, max_examples=50, derandomize=True)
rare = settings(deadline=None, max_examples=20, derandomize=True)


# --- what holds ---------------------------------------------------------------------------------


@every_provider
@quick
@given(body=BODIES, cuts=CUTS)
@example(body=b'{"choices":' + b"[" * 5000, cuts=[])
@example(body=b"data: " + b"[" * 100_000 + b"\n\n", cuts=[])
@example(body=b'data: {"error": ' + b"[" * 900 + b"]" * 900 + b"}\n\n", cuts=[])
def test_any_bytes_give_tokens_or_a_typed_error(provider, body, cuts):
    outcome(provider, cut(body, cuts))


@pytest.mark.parametrize("name", ["h2o", "lockchat"])  # one for each decoder
@settings(deadline=None, max_examples=120, derandomize=True)
@given(body=STREAMS | mutated(), cuts=CUTS, limit=LIMITS)
@example(body=b"event: error\r\ndata: no\r\n\r\n", cuts=[], limit=1 << 20)
@example(body=GOOD[1], cuts=[], limit=100)  # its tool call is larger
@example(body=GOOD[0], cuts=[], limit=100)  # so is its end
def test_what_comes_does_not_depend_on_how_the_body_is_cut(name, body, cuts, limit):
    provider = PROVIDERS[name]
    at_once = outcome(provider, [body], limit)
    assert outcome(provider, cut(body, cuts), limit) == at_once
    assert outcome(provider, cut(body, range(len(body))), limit) == at_once


CHUNK = b'{"choices":[{"delta":{"content":"a"}}]}'


def test_a_line_of_json_before_the_events_means_the_same_however_it_is_cut():
    body = b'{"object": "x"}\n\ndata: ' + CHUNK + b"\n\ndata: [DONE]\n\n"
    openai = PROVIDERS["openai"]
    assert outcome(openai, [body[:5], body[5:]]) == outcome(openai, [body])


def test_one_json_object_is_too_large_however_it_is_cut():
    body, openai = GOOD[2], PROVIDERS["openai"]
    for limit in (len(body) - 1, len(body)):
        at_once = outcome(openai, [body], limit)
        assert outcome(openai, [body[:40], body[40:]], limit) == at_once, limit
        assert at_once[1] is (asyncllm.ProtocolError if limit < len(body) else type(None))


@pytest.mark.parametrize(("name", "event"), [("openai", CHUNK), ("h2o", b'{"token":{"text":"a"}}')])
def test_two_objects_in_one_event_are_refused_however_the_body_is_cut(name, event):
    body = b"data: " + event + b"\ndata: " + event + b"\n\ndata:\n\n"
    provider = PROVIDERS[name]
    assert outcome(provider, [body]) == outcome(provider, cut(body, range(len(body))))


# --- the answer to an HTTP request as a whole ---------------------------------------------------

LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=12)
HEADER_VALUES = LATIN | st.sampled_from(
    [
        *("1", "-1", "1.5", "inf", "nan", "1e400", "²", "soon", "", "9" * 5000),
        *("Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359"),
        "Fri, 31 Dec 99999999999 23:59:59 GMT",
    ]
)


@quick
@given(
    status=st.integers(100, 999),
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "retry-after-ms", "Set-Cookie", "X"]), HEADER_VALUES
    ),
    body=DATA.map(bytes.decode) | st.text(max_size=30) | st.just("[" * 990 + "]" * 990),
)
@example(status=503, headers={"Retry-After": "Fri, 31 Dec 99999999999 23:59:59 GMT"}, body="")
@example(status=503, headers={"Retry-After": "Mon, 01 Jan 2030 00:00:00 +" + "9" * 30}, body="")
@example(status=500, headers={}, body="[" * 100_000)
@example(status=500, headers={}, body='{"error": 1' + "0" * 5000 + "}")
def test_any_error_answer_is_a_typed_error(status, headers, body):
    error = status_error(
        method="POST", url=URL, status=status, reason="", headers=headers, body=body
    )
    assert isinstance(error, asyncllm.AsyncLLMError)
    error.redact(())  # as each error that leaves `http`
    assert len(str(error)) < 1000
    asked = getattr(error, "retry_after", None)
    assert asked is None or asked >= 0


OK = b"HTTP/1.1 200 OK\r\n"
HEADS = st.builds(
    lambda status, headers: b"HTTP/1.1 " + b"\r\n".join([status, *headers, b"", b""]),
    st.sampled_from([b"200 OK", b"200", b"429 Slow", b"500 Oh", b"100 Go", b"101 Up", b"204 No"])
    | st.binary(max_size=8),
    st.lists(
        st.sampled_from(
            [
                b"Content-Type: text/event-stream",
                b"Content-Type: \xff/;=;charset=\xff",
                b"Content-Type: application/json; charset=nonsense",
                b"Content-Length: 10",
                b"Content-Length: -1",
                b"Content-Length: 99999",
                b"Transfer-Encoding: chunked",
                b"Content-Encoding: gzip",
                b"Content-Encoding: deflate",
                b"Content-Encoding: br, nonsense",
                b"Connection: close",
                b"Retry-After: \xff",
                b"Set-Cookie: \xff=\xff; Expires=\xff; Max-Age=\xff",
                b"Location: http://[",
                b"Upgrade: websocket",
            ]
        )
        | st.binary(max_size=12),
        max_size=3,
        unique=True,
    ),
)
CHUNKED_BODIES = st.lists(
    st.tuples(st.sampled_from([b"%x" % 3, b"0", b"zz", b"-1", b"ffffffffffffffffff"]), BODIES)
).map(lambda parts: b"".join(b"%s\r\n%s\r\n" % part for part in parts))


def asked(base_url, make):
    async def ask():
        limits = Timeouts(connect=1, first_token=0.25, stall=0.25, total=2)
        provider = make(base_url=base_url, timeouts=limits, retry=Retry(attempts=1))
        try:
            await provider.complete("x")
        except asyncllm.AsyncLLMError as error:
            assert error.__context__ is None  # noqa: PT017

    return ask()


@pytest.mark.parametrize("make", [H2o, Lockchat])
@rare
@given(head=HEADS, body=BODIES | CHUNKED_BODIES, cuts=CUTS)
@example(head=OK + b"Content-Length: 99\r\n\r\n", body=GOOD[0][:90], cuts=[])
@example(head=OK + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\n", body=b"x" * 9, cuts=[])
@example(head=OK + b"Transfer-Encoding: chunked\r\n\r\n", body=b"zz\r\n", cuts=[46])
@example(head=OK + b"Connection: close\r\n\r\n", body=GOOD[1][:150], cuts=[])
def test_any_answer_of_a_real_server_is_tokens_or_a_typed_error(make, head, body, cuts):
    async def main():
        answer = [*cut(head + body, cuts), None]
        async with asyncio.timeout(30), raw_server(*[answer] * 4) as (url, _):
            await asked(url, make)
        await settled()

    asyncio.run(main())


@rare
@given(conversation_id=st.text(max_size=8) | st.sampled_from(["../../x", "?a", "#", "//h", "a b"]))
def test_any_conversation_id_is_usable_or_a_typed_error(conversation_id):
    created = json.dumps({"conversationId": conversation_id}, ensure_ascii=False)
    created = created.encode("utf-8", "surrogatepass")

    def ok(body):
        return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body]

    async def main():
        answers = [ok(b""), ok(created), ok(GOOD[0]), ok(b""), ok(b"")]
        async with asyncio.timeout(30), raw_server(*answers) as (url, _):
            await asked(url, H2o)

    asyncio.run(main())
