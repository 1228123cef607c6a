"""JSON lines and JSON arrays are the same events however they are cut, and bounded."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asyncllm import AsyncLLMError, ProtocolError
from asyncllm.framing import EventDecoder, JSONArrayDecoder, JSONLinesDecoder
from asyncllm.framing import nesting as nesting_module

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 100
MIB = 1024 * 1024
DECODERS = [JSONLinesDecoder, JSONArrayDecoder]
every_decoder = pytest.mark.parametrize("make", DECODERS)


def cut(body: bytes, points: Iterable[int]) -> list[bytes]:
    places = sorted({0, len(body), *(point % (len(body) + 1) for point in points)})
    return [body[start:end] for start, end in pairwise(places)]


def byte_by_byte(body: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in body]


def outcome(decoder: EventDecoder, chunks: Iterable[bytes]) -> tuple[list[bytes], str]:
    """Return what comes of a body to its end, and the kind of the error if there is one."""
    payloads = []
    try:
        for chunk in chunks:
            payloads += decoder.feed(chunk)
            decoder.check()
        payloads += decoder.close()
    except AsyncLLMError as error:
        return payloads, type(error).__name__
    return payloads, ""


def same_in_any_pieces(make, body, points=(), limit=MIB):
    """Return what comes of a body, and make sure that it does so in pieces as well."""
    whole = outcome(make(limit), [body] if body else [])
    assert outcome(make(limit), cut(body, points)) == whole
    assert outcome(make(limit), byte_by_byte(body)) == whole
    return whole


texts = st.text(st.sampled_from('a"\\{}[],: \u2028\u2029\x85é😀\n\r\t\0'), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=3)
points = st.lists(st.integers(0, 2000), max_size=12)
spaces = st.text(st.sampled_from(" \t\r\n"), max_size=3)
plain = st.booleans()


# --- lines --------------------------------------------------------------------------------------


def reference_lines(body: bytes) -> list[object]:
    """Return the JSON of each line, by another way."""
    return [json.loads(line) for line in body.decode().split("\n") if line.strip(" \t\r")]


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(values, plain, spaces, spaces), max_size=6),
    ends=st.booleans(),
    points=points,
)
def test_any_cut_of_any_json_lines_gives_the_same_objects(rows, ends, points):
    lines = [
        before.replace("\n", "") + json.dumps(value, ensure_ascii=not is_plain) + after
        for value, is_plain, before, after in rows
    ]
    body = ("\n".join(lines) + "\n" * ends).encode()
    payloads, failure = same_in_any_pieces(JSONLinesDecoder, body, points)
    assert [json.loads(payload) for payload in payloads] == reference_lines(body)
    assert [value for value, *_ in rows] == reference_lines(body)
    assert not failure


@settings(max_examples=60)
@given(value=objects, indent=st.integers(0, 3), ends=st.booleans(), points=points)
def test_an_object_over_several_lines_is_one_event_among_lines(value, indent, ends, points):
    pretty = json.dumps(value, indent=indent).replace("\n", "\n\n").encode()
    body = b'{"a":1}\n' + pretty + b"\n" + b'{"b":2}' + b"\n" * ends
    payloads, failure = same_in_any_pieces(JSONLinesDecoder, body, points)
    assert [json.loads(payload) for payload in payloads] == [{"a": 1}, value, {"b": 2}]
    assert not failure


FRAGMENTS = [b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"1", b"\n", b"\r\n", b" ", b"{}\n",
    b'{"a":1}', b'{"a":1}\n', b"oops", b"\xf0\x9f\x98\x80", b"\xf0", b"\xff", b"\xe2\x80\xa8",
    b"[{}", b"},\n{", b'"}', b'{"a":\n', b"<html>\n"]  # fmt: skip
bodies = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=16).map(b"".join)
limits = st.integers(1, 30) | st.just(MIB)


@every_decoder
@settings(max_examples=150)
@given(body=bodies, points=points, limit=limits)
@example(body=b"[{}]x", points=[], limit=2)
@example(body=b'{"a":\n\n1}\n', points=[6], limit=7)
def test_any_bytes_in_any_pieces_give_the_same_payloads_and_error(make, body, points, limit):
    payloads, _ = same_in_any_pieces(make, body, points, limit)
    assert all(0 < len(payload) <= limit for payload in payloads)


@pytest.mark.parametrize(
    ("body", "payloads"),
    [
        (b"", []),
        (b"\n\r\n \t\r\n", []),
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\r\n\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'  {"a":1} \n', [b'{"a":1}']),
        ('{"a":"\u2028\u2029\x85é😀"}\n'.encode(), ['{"a":"\u2028\u2029\x85é😀"}'.encode()]),
        (b'{"a":1}\n{"error":"no"}\n', [b'{"a":1}', b'{"error":"no"}']),
        (b'{"a":1}\nupstream timed out\n', [b'{"a":1}', b"upstream timed out"]),
        (b'{"a":1}\nupstream timed out', [b'{"a":1}', b"upstream timed out"]),
        (b'{"a":1}\n<html>\n', [b'{"a":1}', b"<html>"]),
        (b'{"a":1} oops\n{"b":2}\n', [b'{"a":1} oops', b'{"b":2}']),
        (b'{"a":"open\n{"b":2}\n', [b'{"a":"open', b'{"b":2}']),
        (b'{\n"error": {}\n}\n{"b":2}\n', [b'{\n"error": {}\n}', b'{"b":2}']),
        (b'{\n"error": {}\n}', [b'{\n"error": {}\n}']),
        (b'{"half":"\\ud83d"}', [b'{"half":"\\ud83d"}']),
        (b'{"a":{}\n{"b":2}\n', [b'{"a":{}', b'{"b":2}']),
        (b"oops\x0c", [b"oops\x0c"]),
        (b"oops\x0c\n", [b"oops\x0c"]),
    ],
)
def test_lines_give_their_payloads(body, payloads):
    assert same_in_any_pieces(JSONLinesDecoder, body) == (payloads, "")


@pytest.mark.parametrize(
    "end", [b'{"b":', b'{"b":2', b'{"b":{"c":2}', b'{"b":"}', b"{\n", b'{\n"b":2,\n']
)
def test_lines_that_end_amid_an_object_are_cut_off_and_what_came_before_is_given_out(end):
    body = b'{"a":1}\n' + end
    assert same_in_any_pieces(JSONLinesDecoder, body) == ([b'{"a":1}'], "StreamInterrupted")


def test_a_line_that_comes_in_a_read_of_its_own_is_given_out_by_it():
    decoder = JSONLinesDecoder(LIMIT)
    for line in (b'{"a":1}', b'{"a":1}', b"1", b'{"a":1}'):
        assert decoder.feed(line + b"\n") == [line]
        assert decoder.feed(b"\n") == []


@pytest.mark.parametrize("first", [b"", b"\n", b"{}\n", b"{\n", b'{"b":'])
@pytest.mark.parametrize(
    "read",
    [b'{"a":1}\n', b' {"a":1}\n', b'{"a":1}\r\n', b"{\n", b"{\n}\n", b"{}\n{}\n", b"x}\n"],
)
def test_a_read_that_looks_like_a_line_is_what_it_is_in_pieces(first, read):
    reads = [first, read, b"1}\n"]
    in_pieces = byte_by_byte(b"".join(reads))
    assert outcome(JSONLinesDecoder(), reads) == outcome(JSONLinesDecoder(), in_pieces)


# --- arrays -------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(objects, plain, spaces, spaces), max_size=6),
    indent=st.none() | st.integers(0, 2),
    around=spaces,
    points=points,
)
def test_any_cut_of_any_array_gives_the_same_objects(rows, indent, around, points):
    elements = [
        before + json.dumps(value, ensure_ascii=not is_plain, indent=indent) + after
        for value, is_plain, before, after in rows
    ]
    body = f"{around}[{around}{','.join(elements)}]{around}".encode()
    payloads, failure = same_in_any_pieces(JSONArrayDecoder, body, points)
    assert [json.loads(payload) for payload in payloads] == json.loads(body)
    assert not failure


@settings(max_examples=60)
@given(values=st.lists(objects, max_size=4), end=st.integers(0, 2000), points=points)
def test_an_array_that_has_not_been_closed_never_looks_whole(values, end, points):
    body = json.dumps(values).encode()
    body = body[: end % len(body)]
    payloads, failure = same_in_any_pieces(JSONArrayDecoder, body, points)
    assert [json.loads(payload) for payload in payloads] == values[: len(payloads)]
    assert failure == "StreamInterrupted"


@pytest.mark.parametrize(
    "tail",
    [b"{}]x", b"{}]]", b"{}],", b"{}]{}", b"{},]", b"{} {}", b"{},,{}", b"{},1]", b"{},oops"],
)
def test_what_is_no_part_of_an_array_is_refused_and_what_came_before_it_is_given_out(tail):
    body = b'[{"a":1},' + tail
    payloads, failure = same_in_any_pieces(JSONArrayDecoder, body)
    assert (payloads[0], failure) == (b'{"a":1}', "ProtocolError")
    decoder = JSONArrayDecoder()
    assert decoder.feed(body) == payloads
    for refused in (decoder.check, lambda: decoder.feed(b"{}]"), decoder.check):
        with pytest.raises(ProtocolError, match="not part of a JSON array") as caught:
            refused()
        assert caught.value.__context__ is None


@pytest.mark.parametrize("body", [b"[1]", b'["a"]', b"[[]]", b"{}", b"oops", b"[,{}]", b"[null]"])
def test_an_array_of_anything_but_objects_is_refused(body):
    assert same_in_any_pieces(JSONArrayDecoder, body) == ([], "ProtocolError")


def test_the_error_quotes_what_came_in_the_place_of_an_object():
    with pytest.raises(ProtocolError, match="upstream timed out"):
        JSONArrayDecoder().feed(b"[upstream timed out")


def test_an_object_is_given_out_with_its_closing_bracket():
    decoder = JSONArrayDecoder()
    for read, payloads in [
        (b'[{\n  "a": "]}', []),
        (b'\\"{"\n}', [b'{\n  "a": "]}\\"{"\n}']),
        (b"\r\n,\r\n", []),
        (b'{"b":[{}]}', [b'{"b":[{}]}']),
        (b"\n]\n", []),
    ]:
        assert decoder.feed(read) == payloads
    assert decoder.close() == []


# --- bounds -------------------------------------------------------------------------------------

EDGE = b'{"a":"%s"}' % (b"x" * (LIMIT - 8))
FRAMES = {JSONLinesDecoder: b"%s\n%s\n", JSONArrayDecoder: b"[%s,%s]"}


@every_decoder
def test_an_event_of_just_the_limit_is_accepted_and_one_byte_more_is_not(make):
    assert same_in_any_pieces(make, FRAMES[make] % (EDGE, EDGE), limit=LIMIT) == ([EDGE] * 2, "")
    larger = EDGE.replace(b"x", b"xx", 1)
    body = FRAMES[make] % (EDGE, larger)
    assert same_in_any_pieces(make, body, limit=LIMIT) == ([EDGE], "ProtocolError")


@every_decoder
@pytest.mark.parametrize("event", [b'{"a":"', b"{" * 10, b'{"a":[\n', b'{"a": 1,\n'])
def test_an_event_without_an_end_is_refused_and_let_go_of(make, event):
    decoder = make(LIMIT)
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        decoder.feed(b"[" * (make is JSONArrayDecoder) + event)
        for _ in range(LIMIT):
            decoder.feed(event if event.endswith(b"\n") else b"x")
    assert decoder.has_failed
    assert not decoder._pieces
    assert decoder.close() == []


@every_decoder
def test_space_without_end_between_events_never_hits_the_limit(make):
    decoder = make(LIMIT)
    decoder.feed(FRAMES[make].partition(b"%s")[0])
    for _ in range(10 * LIMIT):
        assert decoder.feed(b" \n") == []
    assert decoder.feed(b"{}\n") == [b"{}"]


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_end_of_an_object_is_found_by_looking_at_each_byte_about_once(monkeypatch, size):
    looked = 0

    class Counting:
        def __init__(self, pattern):
            self._pattern = pattern

        def search(self, text, at):
            nonlocal looked
            found = self._pattern.search(text, at)
            looked += (len(text) if found is None else found.end()) - at
            return found

    monkeypatch.setattr(nesting_module, "_OUTSIDE", Counting(nesting_module._OUTSIDE))
    monkeypatch.setattr(nesting_module, "_IN_STRING", Counting(nesting_module._IN_STRING))
    body = json.dumps([{"text": 'a "quoted" \\ [word]' * 300, "list": [[{}]] * 300}] * 3).encode()
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    payloads, failure = outcome(JSONArrayDecoder(), pieces)
    assert (len(payloads), failure) == (3, "")
    assert looked <= 2 * len(body)
