"""Of a stream with an event that is too large the caller gets all that comes before it."""

import pytest

import asyncllm
from asyncllm import H2o, Lockchat, OpenAICompatible, SessionManager
from support.policies import ONCE
from support.raw_server import CHUNKED, chunk, raw_server

LIMIT = 1000
OPENAI = b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n'
TGI = b'data:{"token":{"text":"%b"}}\n\n'
OPENAI_END = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
TGI_END = b'data:{"token":{"text":"."},"generated_text":"ab."}\n\n'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"
CREATED = b'{"conversationId":"c"}'
BEFORE = [[OK % (0, b"")], [OK % (len(CREATED), CREATED)]]
AFTER = [[OK % (0, b"")]] * 2

every_wire = pytest.mark.parametrize(
    ("make", "event", "end"),
    [(H2o, TGI, TGI_END), (OpenAICompatible, OPENAI, OPENAI_END), (Lockchat, OPENAI, OPENAI_END)],
    ids=["h2o", "openai", "lockchat"],
)


def answers(make, *steps):
    stream = [CHUNKED, *steps]
    return [*BEFORE, stream, *AFTER] if make is H2o else [stream]


@pytest.mark.parametrize("then", [b"0\r\n\r\n", 30.0, None], ids=["end", "silence", "hang-up"])
@every_wire
async def test_what_came_in_the_same_read_is_given_out_before_the_error(make, event, end, then):
    body = event % b"a" + event % b"b" + event % (b"x" * LIMIT) + end
    async with (
        raw_server(*answers(make, chunk(body), then)) as (url, _),
        SessionManager(max_event_bytes=LIMIT, retry=ONCE, grace=0.2) as sessions,
    ):
        stream, tokens = make(base_url=url, sessions=sessions).stream("Hello"), []
        with pytest.raises(asyncllm.ProtocolError, match="max_event_bytes") as caught:
            async for token in stream:
                tokens.append(token)
    assert tokens == ["a", "b"]
    assert caught.value.reply.text == "ab"


@every_wire
async def test_what_is_too_large_behind_the_end_of_an_answer_is_nobodys_concern(make, event, end):
    body = event % b"a" + event % b"b" + end + event % (b"x" * LIMIT)
    async with (
        raw_server(*answers(make, chunk(body), b"0\r\n\r\n")) as (url, _),
        SessionManager(max_event_bytes=LIMIT, retry=ONCE, grace=0.2) as sessions,
    ):
        reply = await make(base_url=url, sessions=sessions).complete("Hello")
    assert reply.text.startswith("ab")
    assert reply.finish_reason
