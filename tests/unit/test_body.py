"""Which framing a body has is decided by what was asked, its media type and how it begins."""

import json
from itertools import combinations_with_replacement, pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncllm import (
    AsyncLLMError,
    Finish,
    HTTPStatusError,
    JSONTranslator,
    ProtocolError,
    StreamInterrupted,
)
from asyncllm.framing import BodyDecoder, NamedEvent

LINES = b'{"a":1}\n{"b":2}\n'
ARRAY = b'[{"a":1}\n,\r\n{"b":2}]\n'
EVENTS = b'data: {"a":1}\n\ndata: {"b":2}\n\n'
OBJECT = b'{\n  "a": 1\n}\n'
BARE = b'{\n"error":1\n}'
BOTH = [b'{"a":1}', b'{"b":2}']
STREAM, JSON, NDJSON, NONE = "text/event-stream", "application/json", "application/x-ndjson", ""
TYPES = (STREAM, JSON, NDJSON, "application/jsonl", "text/plain", NONE)
LINE_TYPES = tuple(
    f"application/{name}"
    for name in (
        *("x-ndjson", "ndjson", "jsonl", "x-jsonl", "jsonlines", "x-jsonlines", "json-lines"),
        *("json-l", "x-json-stream", "stream+json"),
    )
)
NO_STREAM = "something other than a stream"


def outcome(body, pieces):
    """Return what comes of a body to its end, and its error if there is one."""
    payloads = []
    try:
        for piece in pieces:
            payloads += (body.events or body).feed(piece)
            body.check()
        payloads += body.close()
    except AsyncLLMError as error:
        return payloads, body.explained(error)
    return payloads, None


def in_any_pieces(content_type, text, asked, limit=1000):
    """Return what comes of a body, and make sure that it does so in any two or three pieces."""
    payloads, error = outcome(BodyDecoder(content_type, limit, asked), [text])
    for first, second in combinations_with_replacement(range(len(text) + 1), 2):
        pieces = [piece for piece in (text[:first], text[first:second], text[second:]) if piece]
        seen, other = outcome(BodyDecoder(content_type, limit, asked), pieces)
        assert (seen, type(other)) == (payloads, type(error)), pieces
    return payloads, error


def rows(asked, content_types, text, payloads):
    return [(asked, content_type, text, payloads) for content_type in content_types]


SSE, JSON_LINES, JSON_ARRAY = "sse", "json_lines", "json_array"
NO_LINES = (STREAM, JSON, "text/plain", NONE)


@pytest.mark.parametrize(
    ("asked", "content_type", "text", "payloads"),
    [
        # As was asked, whatever its type says.
        *rows(SSE, NO_LINES, EVENTS, BOTH),
        *rows(JSON_LINES, TYPES, LINES, BOTH),
        *rows(JSON_ARRAY, TYPES, ARRAY, BOTH),
        # As its type says.
        *rows(SSE, LINE_TYPES, LINES, BOTH),
        *rows(JSON_ARRAY, (NDJSON, "application/jsonl"), LINES, BOTH),
        *rows(JSON_LINES, (STREAM,), EVENTS, BOTH),
        *rows(JSON_ARRAY, NO_LINES, EVENTS, BOTH),
        # As it begins.
        *rows(SSE, TYPES, ARRAY, BOTH),
        *rows(JSON_LINES, TYPES, ARRAY, BOTH),
        *rows(SSE, NO_LINES[1:], OBJECT, [OBJECT]),
        *rows(JSON_ARRAY, NO_LINES, OBJECT, [OBJECT]),
        *rows(JSON_LINES, TYPES, OBJECT, [b'{\n"a": 1\n}']),
        # JSON among events is one of them, at the beginning too.
        *rows(SSE, (STREAM,), b"\n " + OBJECT, [NamedEvent("error", OBJECT.strip())]),
        *rows(SSE, (STREAM,), BARE + b"\n\n" + EVENTS, [NamedEvent("error", BARE), *BOTH]),
        # Errors, as they come.
        *rows(SSE, NO_LINES, b'[{\n"error":{}}\n]\n', [b'{\n"error":{}}']),
        *rows(JSON_ARRAY, TYPES, b'[{"error":{}}]', [b'{"error":{}}']),
        *rows(JSON_LINES, TYPES, b'{"error":"no"}', [b'{"error":"no"}']),
        *rows(JSON_LINES, TYPES[1:], b"too many\nrequests\n", [b"too many", b"requests"]),
        *rows(JSON_LINES, TYPES[1:], b"[ERROR] no\n", [b"[ERROR] no"]),
        *rows(SSE, NO_LINES, EVENTS + BARE, [*BOTH, NamedEvent("error", BARE)]),
        *rows(SSE, NO_LINES, b'Oh:\n\n{"error":1}', [NamedEvent("error", b'{"error":1}')]),
        # White space before it says nothing.
        *rows(SSE, NO_LINES, b"\r\n" + EVENTS, BOTH),
        *rows(SSE, NO_LINES, b"\n \t" + ARRAY, BOTH),
        *rows(SSE, NO_LINES[1:], b" \n" + OBJECT, [OBJECT]),
        *rows(JSON_LINES, TYPES, b"\n \r\n" + LINES, BOTH),
        # Nothing, and an array of it.
        *rows(SSE, TYPES, b"", []),
        *rows(JSON_LINES, TYPES, b" \n", []),
        *rows(JSON_ARRAY, TYPES, b"[]", []),
        *rows(SSE, TYPES, b"[ ]", []),
    ],
)  # fmt: skip
def test_a_body_of_any_type_gives_its_events(asked, content_type, text, payloads):
    assert in_any_pieces(content_type, text, asked) == (payloads, None)


@pytest.mark.parametrize("asked", [SSE, JSON_LINES, JSON_ARRAY])
@pytest.mark.parametrize("text", [LINES, ARRAY, EVENTS, OBJECT, b"", b"<!doctype html>"])
def test_a_page_is_never_a_stream(asked, text):
    payloads, error = in_any_pieces("text/html", text, asked)
    assert (payloads, type(error)) == ([], ProtocolError)
    assert NO_STREAM in str(error)


def test_of_a_page_no_more_is_read_than_an_error_may_show():
    body = BodyDecoder("text/html", 1000)
    assert body.feed(b"x" * (64 * 1024 - 1)) == []
    with pytest.raises(ProtocolError, match=NO_STREAM):
        body.feed(b"x")


def test_of_a_page_as_much_is_shown_as_of_an_error_s_body():
    _, error = outcome(BodyDecoder("text/html", 1000), [b"x" * 900])
    error.redact([])
    assert str(error).count("x") == HTTPStatusError.most_characters


@pytest.mark.parametrize(
    "text", [b"The model does not exist\n\n", b"[ERROR] no", b"[1]", b"[", b"[DONE]"]
)
@pytest.mark.parametrize("content_type", NO_LINES)
def test_a_body_without_any_event_is_an_error_that_quotes_it(content_type, text):
    payloads, error = in_any_pieces(content_type, text, SSE)
    assert (payloads, type(error)) == ([], ProtocolError)
    assert f"{NO_STREAM}: {text.decode().strip()!r}" in str(error)


@pytest.mark.parametrize(
    ("asked", "text", "kind", "said"),
    [
        (JSON_LINES, LINES + b'{"c":', StreamInterrupted, "cut off"),
        (JSON_ARRAY, ARRAY.replace(b"]", b""), StreamInterrupted, "cut off"),
        (JSON_ARRAY, ARRAY.replace(b"]", b",{"), StreamInterrupted, "cut off"),
        (SSE, ARRAY.replace(b"]", b""), StreamInterrupted, "cut off"),
        (SSE, ARRAY + b"oops", ProtocolError, "not part of a JSON array"),
        (JSON_LINES, LINES + b'{"c":"%s"}\n' % (b"x" * 100), ProtocolError, "max_event_bytes"),
        (JSON_ARRAY, ARRAY.replace(b"]", b',{"c":"%s"' % (b"x" * 100)), ProtocolError, "max_event"),
    ],
)
def test_what_came_before_an_error_is_given_out(asked, text, kind, said):
    payloads, error = in_any_pieces(JSON, text, asked, limit=100)
    assert (payloads, type(error)) == (BOTH, kind)
    assert said in str(error)


@pytest.mark.parametrize("asked", [SSE, JSON_ARRAY])
def test_an_object_of_just_the_limit_is_accepted_and_one_byte_more_is_not(asked):
    text = b'{"a":"%s"}' % (b"x" * 92)
    assert in_any_pieces(JSON, text, asked, limit=100) == ([text], None)
    payloads, error = in_any_pieces(JSON, text + b" ", asked, limit=100)
    assert (payloads, type(error)) == ([], ProtocolError)
    assert "a body of more than 100 bytes" in str(error)


def test_a_stream_that_is_cut_off_amid_bare_json_says_what_came_of_it():
    body = BodyDecoder(STREAM, 1000)
    assert body.feed(EVENTS + b'{\n  "error": "overlo') == BOTH
    cut_off = body.explained(StreamInterrupted("the connection broke"))
    assert str(cut_off) == (
        """the connection broke; between the events there was '{\\n  "error": "overlo'"""
    )


def test_the_events_of_a_body_may_be_fed_directly_as_soon_as_there_are_any():
    for asked, text in ((SSE, EVENTS), (JSON_LINES, LINES), (JSON_ARRAY, ARRAY)):
        body = BodyDecoder(NONE, 1000, asked)
        assert body.events is None
        middle = text.index(b"}") + 3
        assert body.feed(text[:middle]) == BOTH[:1]
        assert body.events.feed(text[middle:]) == BOTH[1:]
        assert (body.close(), body.has_failed, body.ignored) == ([], False, "")


def test_a_byte_order_mark_before_json_is_no_part_of_it():
    for cut in range(12):
        text = b'\xef\xbb\xbf{"text":"a"}'
        body = BodyDecoder("application/json", 1000)
        payloads = [*body.feed(text[:cut]), *body.feed(text[cut:]), *body.close()]
        assert payloads == [b'{"text":"a"}'], cut


# --- from bytes to items ------------------------------------------------------------------------


class _Event(msgspec.Struct):
    text: str = ""
    done: bool = False


class _Words(JSONTranslator[_Event]):
    def __init__(self):
        super().__init__(msgspec.json.Decoder(_Event))

    def take(self, event, batch):
        batch.append(Finish("stop") if event.done else event.text)
        return event.done


WRITTEN = {
    SSE: lambda events: b"".join(b"data: %b\n\n" % event for event in events),
    JSON_LINES: lambda events: b"".join(event + b"\n" for event in events),
    JSON_ARRAY: lambda events: b"[%b]" % b"\n,\r\n".join(events),
}


def items_of(asked, chunks):
    body, translator, items = BodyDecoder("", 1000, asked), _Words(), []
    for chunk in chunks:
        payloads = body.feed(chunk)
        if payloads and not translator.is_done:
            translator.feed(payloads, items)
    return items


@pytest.mark.parametrize("asked", WRITTEN)
@settings(max_examples=50, deadline=None)
@given(
    texts=st.lists(
        st.text(st.sampled_from('a"\\{}[],: \u2028\u2029\x85é😀\n\r\t'), max_size=6), max_size=5
    ),
    is_plain=st.booleans(),
    points=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_cut_of_any_stream_gives_the_same_items(asked, texts, is_plain, points):
    events = [{"text": text} for text in texts] + [{"done": True}]
    written = WRITTEN[asked](
        [json.dumps(event, ensure_ascii=is_plain).encode() for event in events]
    )
    places = sorted({0, len(written), *(point for point in points if point < len(written))})
    pieces = [written[start:end] for start, end in pairwise(places)]
    wanted = [*texts, Finish("stop")]
    assert items_of(asked, [written]) == wanted
    assert items_of(asked, pieces) == wanted
    assert items_of(asked, [bytes([byte]) for byte in written]) == wanted
