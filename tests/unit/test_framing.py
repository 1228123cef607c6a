"""Server-sent events are the same however they are cut, in linear time and bounded memory."""

from __future__ import annotations

import itertools
import json
import math
import time
import tracemalloc
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asyncllm import Ping, ProtocolError
from asyncllm.framing import JSONArrayDecoder, JSONLinesDecoder
from asyncllm.framing.sse import NamedEvent, Payload, SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asyncllm.framing import EventDecoder

BOM = b"\xef\xbb\xbf"
KIB = 1024
MIB = 1024 * KIB


class Reference:
    """The WHATWG rules as they are written, one byte and one line after the other; and our own.

    Comments before an event are given out at once, all else with the event. An event's lines may
    have `limit` bytes together, line ends between them included, and each comment before it too.
    So may the lines of bare JSON, of which blank ones don't count: it begins between events, and
    ends where its brackets close, or before a field or a comment, or where a string is open at the
    end of a line.
    """

    def __init__(self, stream: bytes, limit: float = math.inf) -> None:
        self.payloads: list[Payload] = []
        self.last_event_id = ""
        self.retry: int | None = None
        self.ignored = ""
        self.has_failed = False
        self.left: list[Payload] = []
        self._limit = limit
        self._event: list[bytes] = []
        self._json: list[bytes] = []
        *lines, last = self._lines(stream.removeprefix(BOM))
        for line in (*lines, None):
            text = last if line is None else line  # the last line has no end yet
            if self._json and text.startswith((b"d", b"e", b"i", b"r", b":")):
                self._end_json()
            if self._is_too_large(text):
                self.has_failed = True
                return
            if line is not None:
                self._take(line)
        before = len(self.payloads)
        if self._json or (not self._event and last.startswith((b"{", b"["))):
            unfinished = b"\n".join([*self._json, last])
            self._take(last)
            self.ignored = unfinished.decode("utf-8", "replace")[:300]
        self.left = self.payloads[before:]
        del self.payloads[before:]

    @staticmethod
    def _lines(stream: bytes) -> Iterable[bytes]:
        line, at = b"", 0
        while at < len(stream):
            byte = stream[at : at + 1]
            at += 1
            if byte == b"\r" and stream[at : at + 1] == b"\n":
                at += 1
            if byte in b"\r\n":
                yield line
                line = b""
            else:
                line += byte
        yield line

    def _is_too_large(self, line: bytes) -> bool:
        before = sum(len(other) + 1 for other in self._json or self._event)
        return bool(line) and before + len(line) > self._limit

    def _take(self, line: bytes) -> None:
        if self._json or (not self._event and line.startswith((b"{", b"["))):
            self._json += [line] if line else []
            if not is_open(b"\n".join(self._json)):
                self._end_json()
        elif not line:
            self._dispatch()
        elif line.startswith(b":") and not self._event:
            self._comment(line)
        else:
            self._event.append(line)

    def _end_json(self) -> None:
        text = b"\n".join(self._json)
        self._json = []
        if says_something(text):
            self.payloads.append(NamedEvent("error", text))
        else:
            self.ignored = text.decode("utf-8", "replace")[:300]

    def _comment(self, line: bytes) -> None:
        self.payloads.append(Ping(line[1:].removeprefix(b" ").decode("utf-8", "replace")))

    def _dispatch(self) -> None:
        name, data = b"", []
        for line in self._event:
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if line.startswith(b":"):
                self._comment(line)
            elif field == b"event":
                name = value
            elif field == b"data":
                data.append(value)
            else:
                self._field(field, value, line)
        self._event = []
        if data:
            whole = b"".join(value + b"\n" for value in data)[:-1]
            is_named = name not in (b"", b"message")
            text = name.decode("utf-8", "replace")
            self.payloads.append(NamedEvent(text, whole) if is_named else whole)

    def _field(self, field: bytes, value: bytes, line: bytes) -> None:
        if field == b"id":
            if b"\0" not in value:
                self.last_event_id = value.decode("utf-8", "replace")
        elif field == b"retry":
            if value and all(byte in b"0123456789" for byte in value):
                self.retry = int(value)
        else:
            self.ignored = line.decode("utf-8", "replace")[:300]


def is_open(text: bytes) -> bool:
    """Tell whether more of the JSON that `text` begins with may come on another line."""
    depth, is_string, is_escaped = 0, False, False
    for character in text.decode("latin-1"):
        if is_escaped:
            is_escaped = False
        elif is_string:
            is_escaped, is_string = character == "\\", character != '"'
        elif character == '"':
            is_string = True
        else:
            depth += (character in "{[") - (character in "}]")
            if depth == 0:
                return False
    return not is_string


def says_something(text: bytes) -> bool:
    """Tell whether `text` is an object, or an array that begins with one."""
    try:
        match json.loads(text.decode("utf-8", "replace")):
            case dict() | [dict(), *_]:
                return True
    except ValueError:
        pass
    return False


class Outcome(NamedTuple):
    """All that can be seen of a decoder that is fed a stream, and what is left when it ends."""

    payloads: list[Payload]
    has_failed: bool
    last_event_id: str
    retry: int | None
    ignored: str
    left: list[Payload]


def outcome(chunks: Iterable[bytes], limit: int = MIB) -> Outcome:
    """Return what comes of `chunks`, up to the error if there is one."""
    decoder, payloads, has_failed = SSEDecoder(limit), [], False
    try:
        for chunk in chunks:
            payloads += decoder.feed(chunk)
            decoder.check()
    except ProtocolError:
        has_failed = True
    fields = decoder.last_event_id, decoder.retry, decoder.ignored
    return Outcome(payloads, has_failed, *fields, decoder.close())


def expected(stream: bytes, limit: float = math.inf) -> Outcome:
    rules = Reference(stream, limit)
    fields = rules.last_event_id, rules.retry, rules.ignored
    return Outcome(rules.payloads, rules.has_failed, *fields, rules.left)


def decoded(chunks: Iterable[bytes], decoder: SSEDecoder | None = None) -> list[Payload]:
    decoder = decoder or SSEDecoder()
    return [payload for chunk in chunks for payload in decoder.feed(chunk)]


def cut(stream: bytes, points: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(point % (len(stream) + 1) for point in points), len(stream)]
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


def in_pieces(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def byte_by_byte(stream: bytes) -> list[bytes]:
    return in_pieces(stream, 1)


FRAGMENTS = [
    b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r", b"data", b"data:", b"data: ",
    b"data:  ", b"data: x\n\n", b"data: x\ndata: y\n", b"event", b"event:", b"event: message",
    b"event: error", b"event:error\n", b"id", b"id:", b"id: 7", b"id: \0", b"id: 1\0", b"retry",
    b"retry: 10", b"retry: 1x", b"retry:", b"retry: -1", b":", b": ", b": ping\n", b":\n", b" ",
    b" data:", b"Data: x", b"dataa: x", b"x", b"\0", b"{", b"\xff", b"\xf0\x9f\x98", b"\x80",
    b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b", b"\x0c", b"\x1c", BOM, BOM[:1], BOM[:2], BOM[2:],
    b"}", b"[", b"]", b'"', b"\\", b'{"a"', b":1", b",", b"{\n", b'"b":', b"[{}", b"{}\n", b"}]\n",
    b'{"error":\n', b'"}\n', b"[DONE]", b"\n\n{", b'\n{\n  "a": [\n\n    "}"\n  ]\n}\n', b'"\\""',
]  # fmt: skip
streams = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=4), max_size=24).map(b"".join)
points = st.lists(st.integers(min_value=0, max_value=200), max_size=12)


limits = st.integers(min_value=3, max_value=40) | st.just(MIB)


@settings(max_examples=200)
@given(stream=streams, points=points, limit=limits)
@example(stream=b":c\n\ndata: x\n\n", points=[3], limit=MIB)
@example(stream=BOM + b"data: x\r\n\r\n", points=[1, 2, 11, 12, 13], limit=MIB)
@example(stream=b"data: x\n\ndata: xy\n\n", points=[3], limit=7)
@example(stream=b"data: x\n\n\n", points=[8], limit=7)
@example(stream=b": pings\n" * 3 + b"data: x\n", points=[20], limit=7)
@example(stream=b'{\n"aaaa', points=[2], limit=6)
def test_any_bytes_in_any_chunks_give_what_the_rules_say_and_the_same_error(stream, points, limit):
    rules = expected(stream, limit)
    assert outcome([stream], limit) == rules
    assert outcome(cut(stream, points), limit) == rules
    assert outcome(byte_by_byte(stream), limit) == rules


NASTY = [
    BOM + b"data: a\r\n\r\n:c\r\n\r\ndata:b\r\rdata: c\ndata\ndata:\n\n",
    b":\n\n\n:x\r\revent: error\rdata: {}\r\n\r\nid: 1\r\ndata\r\n\r\ndata: lost",
    b"\r\n\r\ndata: \xf0\x9f\x98\x80\xe2\x80\xa8\xc2\x85\0 data: y\n\r\n\n\rretry: 5\n\n",
    b"data: a\ndata: b\r\n\r\n",
    b"event: x\n\nevent: message\ndata: 1\n\nevent\ndata: 2\n\n" + BOM + b"data: 3\n\ndata:\n\n",
]


@pytest.mark.no_cover  # thousands of times through a few lines
@pytest.mark.parametrize("stream", NASTY)
def test_every_split_and_every_pair_of_splits_gives_the_same(stream):
    assert expected(stream).payloads
    for limit in (5, 7, 8, 16, MIB):
        rules = expected(stream, limit)
        for pair in itertools.combinations_with_replacement(range(len(stream) + 1), 2):
            assert outcome(cut(stream, pair), limit) == rules, (limit, pair)


@pytest.mark.parametrize(
    ("stream", "payloads"),
    [
        (b"data: x\n\n", [b"x"]),
        (b"data:x\n\n", [b"x"]),
        (b"data:  x\n\n", [b" x"]),
        (b"data: x\ndata: y\n\n", [b"x\ny"]),
        (b"data:\ndata:\n\n", [b"\n"]),
        (b"data:\n\n", [b""]),
        (b"data: \n\n", [b""]),
        (b"data\n\n", [b""]),
        (b"data\ndata\n\n", [b"\n"]),
        (b"data: x\r\n\r\n", [b"x"]),
        (b"data: x\r\r", [b"x"]),
        (b"data: x\n\r\n", [b"x"]),
        (b"data: x\r\n\n", [b"x"]),
        (BOM + b"data: x\n\n", [b"x"]),
        (BOM + BOM + b"data: x\n\n", []),
        (b"data: x\n\n" + BOM + b"data: y\n\n", [b"x"]),
        (b"event: error\ndata: x\n\n", [NamedEvent("error", b"x")]),
        (
            b"event: a\ndata: x\n\nevent: message\ndata: y\n\nevent: b\ndata:  z\n\n",
            [NamedEvent("a", b"x"), b"y", NamedEvent("b", b" z")],
        ),
        (b"event: a\n\nevent: b\ndata: x\ndata: y\n\n", [NamedEvent("b", b"x\ny")]),
        (b"event: a\ndata: x\n\ndata\ndata: y\n\n", [NamedEvent("a", b"x"), b"\ny"]),
        (b"data: x\nevent:error\n\n", [NamedEvent("error", b"x")]),
        (b"event: message\ndata: x\n\n", [b"x"]),
        (b"event:\ndata: x\n\n", [b"x"]),
        (b"event: error\nevent\ndata: x\n\n", [b"x"]),
        (b"event: error\n\ndata: x\n\n", [b"x"]),
        (b"Data: x\n\n", []),
        (b" data: x\n\n", []),
        (b"id: 1\n\n", []),
        (b"data: x\n:hi\n\n", [Ping("hi"), b"x"]),
        (b":  two spaces\n", [Ping(" two spaces")]),
        (b":\n", [Ping("")]),
        (b":\xff\n", [Ping("\ufffd")]),
        (b"\n\n\n\ndata: x\n\n\n\n\ndata: y\n\n", [b"x", b"y"]),
    ],
)
def test_a_stream_of_the_rules_gives_its_payloads(stream, payloads):
    assert decoded([stream]) == payloads
    assert decoded(byte_by_byte(stream)) == payloads


@pytest.mark.parametrize("stream", [b"data: x", b"data: x\n", b"data: x\r", b"data: x\r\n", b"da"])
def test_an_event_without_its_blank_line_is_kept_back(stream):
    assert decoded([stream]) == []
    assert decoded(byte_by_byte(stream)) == []


def test_an_event_is_given_out_with_the_cr_that_ends_it_not_with_the_next_read():
    decoder = SSEDecoder()
    assert decoder.feed(b"data: x\r\n\r") == [b"x"]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: y\r\n\r\n") == [b"y"]


def test_an_empty_read_changes_nothing():
    assert decoded([b"", BOM[:1], b"", BOM[1:], b"", b"data: x\r", b"", b"\n", b"\r\n"]) == [b"x"]
    assert decoded([b"data: x\r", b"", b"\ndata: y\n\n"]) == [b"x\ny"]


def test_a_beginning_that_only_looks_like_a_byte_order_mark_is_kept():
    assert decoded([BOM[:2], b"\n", b"data: x\n\n"]) == [b"x"]


@pytest.mark.parametrize(
    "odd", ["\u2028", "\u2029", "\x85", "\0", "\x0b", "\x0c", "\x1c", " data:"]
)
def test_text_that_only_looks_like_a_line_end_is_data(odd):
    text = f'{{"text":"a{odd}b"}}'.encode()
    stream = b"data:" + text + b"\n\ndata: z\n\n"
    assert decoded([stream]) == [text, b"z"]
    assert decoded(byte_by_byte(stream)) == [text, b"z"]


def test_utf_8_split_over_reads_is_whole():
    text = "héllo 👩\u200d🚀 \U0001f600".encode()
    assert decoded(byte_by_byte(b"data: " + text + b"\n\n")) == [text]


def test_the_newest_id_is_kept_and_an_id_with_nul_is_ignored():
    decoder = SSEDecoder()
    decoder.feed(b"id: 1\ndata: x\n\n")
    assert decoder.last_event_id == "1"
    decoder.feed(b"id: 2\0\ndata: x\n\n")
    assert decoder.last_event_id == "1"
    decoder.feed(b"data: x\n\n")
    assert decoder.last_event_id == "1"
    decoder.feed(b"id\ndata: x\n\n")
    assert decoder.last_event_id == ""


def test_the_id_of_an_event_that_never_ends_is_not_taken():
    decoder = SSEDecoder()
    decoder.feed(b"id: 1\n\nid: 2\ndata: x\n")
    assert decoder.last_event_id == "1"


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "1 ", "\u0663", "9" * 16])
def test_a_retry_that_is_no_time_is_ignored(value):
    decoder = SSEDecoder()
    for known in ("250", "9" * 15):
        decoder.feed(f"retry: {known}\n\nretry: {value}\n\n".encode())
        assert decoder.retry == int(known)


def test_a_decoder_starts_without_id_and_retry():
    decoder = SSEDecoder()
    assert (decoder.last_event_id, decoder.retry) == ("", None)


# --- comments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_comment_between_events_is_given_out_by_the_read_that_ends_its_line(line_end):
    decoder = SSEDecoder()
    for number in range(3):
        assert decoder.feed(b": %d" % number) == []
        assert decoder.feed(line_end) == [Ping(str(number))]


def test_a_comment_after_an_event_is_given_out_at_once():
    assert decoded([b"data: x\n\n: a\n"]) == [b"x", Ping("a")]
    assert decoded([b"data: x\n\n", b"\n", b": a\n"]) == [b"x", Ping("a")]


def test_comments_before_an_unfinished_event_are_given_out_at_once():
    decoder = SSEDecoder()
    assert decoder.feed(b": a\n: b\ndata: x\n") == [Ping("a"), Ping("b")]
    assert decoder.feed(b"\n") == [b"x"]


# --- bounds -----------------------------------------------------------------------------------

LIMIT = 100
TOO_LARGE = {
    "one line": b"data: " + b"x" * LIMIT,
    "many lines": b"data: x\n" * LIMIT,
    "an unknown field": b"y" * (LIMIT + 1),
    "one comment": b":" + b"x" * LIMIT,
    "carriage returns": b"data: x\r" * LIMIT,
}


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
@pytest.mark.parametrize("event", TOO_LARGE.values(), ids=TOO_LARGE)
def test_an_event_larger_than_the_limit_is_refused_in_one_read(event, end):
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        SSEDecoder(LIMIT).feed(event + end)


@pytest.mark.parametrize("event", TOO_LARGE.values(), ids=TOO_LARGE)
def test_an_event_larger_than_the_limit_is_refused_byte_by_byte_as_soon_as_it_is(event):
    decoder = SSEDecoder(LIMIT)
    for byte in byte_by_byte(event[:LIMIT]):
        assert decoder.feed(byte) == []
    with pytest.raises(ProtocolError):
        decoded(byte_by_byte(event[LIMIT : LIMIT + 2]), decoder)


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\n\ndata: z\n\n"])
@pytest.mark.parametrize("event", TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_comes_before_an_event_larger_than_the_limit_is_given_out_first(event, end):
    decoder = SSEDecoder(LIMIT)
    assert decoder.feed(b"data: x\n\n: ping\n\n" + event + end) == [b"x", Ping("ping")]
    for refused in (decoder.check, lambda: decoder.feed(b"data: y\n\n"), decoder.check):
        with pytest.raises(ProtocolError, match="more than 100 bytes") as caught:
            refused()
        assert caught.value.__context__ is None


def test_a_decoder_that_has_refused_an_event_lets_go_of_it():
    decoder = SSEDecoder(LIMIT)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            decoder.feed(b"data: " + b"x" * MIB)
        assert tracemalloc.get_traced_memory()[0] < MIB // 2
    finally:
        tracemalloc.stop()


def test_check_is_quiet_while_no_event_is_too_large():
    decoder = SSEDecoder(LIMIT)
    for byte in byte_by_byte(b"data: x\n\n" * 3):
        decoder.feed(byte)
        decoder.check()


@pytest.mark.parametrize("blank_lines", [b"\n", b"\n\n", b"\n\n\n", b"\r\n\r\n\r\n", b"\r\r\r"])
def test_an_event_of_just_the_limit_is_accepted_however_it_is_cut(blank_lines):
    event = b"data: " + b"x" * (LIMIT - 6)
    for point in range(len(event) + 8):
        chunks = cut(event + b"\n" + blank_lines, [point])
        assert outcome(chunks, LIMIT)[:2] == ([event[6:]], False), point


# --- what is no field ---------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["x", "é", "一", "\U0001f600", "\udcff"])
@pytest.mark.parametrize("length", [1, 299, 300, 301, 100_000])
def test_of_a_line_that_is_no_field_the_beginning_is_kept(character, length):
    line = (character * length).encode("utf-8", "surrogateescape")
    decoder = SSEDecoder()
    decoder.feed(b"data: x\n" + line + b"\n\n")
    assert decoder.ignored == line.decode("utf-8", "replace")[:300]


# --- JSON that nobody framed --------------------------------------------------------------------

PRETTY = (
    b'{\n  "error": {\n    "code": 503,\n\n    "message": "a } and a \\" \xe2\x80\xa8 {",\n'
    b'    "details": [\n      {}\n    ]\n  }\n}'
)
SAID = NamedEvent("error", PRETTY.replace(b"\n\n", b"\n"))
ONE_LINE = b'{"error":"no"}'
ERROR = NamedEvent("error", ONE_LINE)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("stream", "payloads", "left"),
    [
        (b"data: x\n\n" + PRETTY + b"\n", [b"x", SAID], []),
        (b"data: x\n\n" + PRETTY, [b"x"], [SAID]),
        (PRETTY + b"\n\ndata: x\n\n", [SAID, b"x"], []),
        (PRETTY + b"\ndata: x\n\n", [SAID, b"x"], []),
        (PRETTY + b"\n" + PRETTY + b"\n", [SAID, SAID], []),
        (b": ping\n" + PRETTY + b"\n: ping\n", [Ping("ping"), SAID, Ping("ping")], []),
        (b"data: x\n\n[" + ONE_LINE + b"]\n", [b"x", NamedEvent("error", b'[{"error":"no"}]')], []),
        (ONE_LINE + b"\n" + ONE_LINE, [ERROR], [ERROR]),
        (b"{}\n", [NamedEvent("error", b"{}")], []),
        (b'{"half":"\\ud83d"}\n', [NamedEvent("error", b'{"half":"\\ud83d"}')], []),
        # What only begins like it takes nothing with it.
        (b"{\ndata: x\n\n", [b"x"], []),
        (b"{\n: ping\ndata: x\n\n", [Ping("ping"), b"x"], []),
        (b"{\n\nevent: error\ndata: x\n\n", [NamedEvent("error", b"x")], []),
        (b"{\nid: 7\n\n" + ONE_LINE + b"\n", [ERROR], []),
        (b"{\nretry: 7\n\n" + ONE_LINE + b"\n", [ERROR], []),
        (b'{"open\ndata: x\n\n', [b"x"], []),
        (b'{"open\n' + PRETTY, [], [SAID]),
        (b"{oops}\ndata: x\n\n", [b"x"], []),
        (b"[DONE]\n\n", [], []),
        (b"[2026-11-21] overloaded\n\n", [], []),
        (b"[1]\n[]\n", [], []),
        # Amid an event it is a line that is no field.
        (b"data: x\n" + ONE_LINE + b"\n\n", [b"x"], []),
    ],
)
def test_bare_json_between_events_is_an_error_event(stream, payloads, left, line_end):
    stream = stream.replace(b"\n", line_end)
    for chunks in ([stream], byte_by_byte(stream), in_pieces(stream, 7)):
        seen = outcome(chunks)
        assert (seen.payloads, seen.left) == (payloads, left)


def test_bare_json_is_given_out_with_the_line_that_closes_it():
    decoder = SSEDecoder()
    *before, last = PRETTY.splitlines(keepends=True)
    assert decoded([b"data: x\n\n", *before], decoder) == [b"x"]
    assert decoder.feed(last) == []
    assert decoder.feed(b"\n") == [SAID]
    assert decoder.feed(b"data: y\n\n") == [b"y"]


def test_an_event_in_a_read_of_its_own_ends_what_only_looked_like_bare_json():
    decoder = SSEDecoder()
    assert decoded([b"data: x\n\n", b"{\n", b"data: y\n\n", b"}\n"], decoder) == [b"x", b"y"]
    assert decoder.ignored == "{"


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_of_bare_json_that_is_cut_off_the_beginning_is_kept(size):
    decoder = SSEDecoder()
    text = b'{\n  "error": {\n    "message": "overlo'
    assert decoded(in_pieces(b"data: x\n\n" + text, size), decoder) == [b"x"]
    assert decoder.ignored == text.decode()
    assert decoder.close() == []
    assert decoder.ignored == text.decode()


def test_of_what_only_looks_like_bare_json_the_beginning_is_kept():
    decoder = SSEDecoder()
    assert decoded([b"{\n" + b"x" * 400 + b"\n\ndata: x\n\n"], decoder) == [b"x"]
    assert decoder.ignored == "{\n" + "x" * 298


@pytest.mark.parametrize("size", [1, 7, 4 * KIB])
def test_bare_json_of_just_the_limit_is_accepted_and_one_byte_more_is_not(size):
    limit = len(SAID.data)
    assert outcome(in_pieces(PRETTY + b"\n", size), limit).payloads == [SAID]
    assert outcome(in_pieces(PRETTY + b"\n", size), limit - 1).has_failed


def test_bare_json_without_an_end_is_bounded_and_let_go_of():
    decoder = SSEDecoder(LIMIT)
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        decoded([b"{\n", *[b'"a": 1,\n'] * LIMIT], decoder)
    assert (decoder.ignored, decoder.close()) == ("", [])


def test_blank_lines_in_bare_json_never_hit_the_limit():
    assert decoded([b"{\n", *[b"\n"] * 10 * LIMIT, b"}\n"], SSEDecoder(LIMIT)) == [
        NamedEvent("error", b"{\n}")
    ]


def test_many_small_events_never_hit_the_limit():
    stream = b"data: 0123456789\n\n" * 1000
    for size in (1, 7, len(stream)):
        assert len(decoded(in_pieces(stream, size), SSEDecoder(LIMIT))) == 1000


def test_empty_lines_without_end_never_hit_the_limit():
    for line_end in (b"\n", b"\r", b"\r\n"):
        assert decoded(byte_by_byte(line_end * 1000), SSEDecoder(LIMIT)) == []
        assert decoded([line_end * 1000], SSEDecoder(LIMIT)) == []


COMMENTS = {"bare": b":\n", "ping": b": ping\n", "crlf": b": ping\r\n", "cr": b": ping\r"}


@pytest.mark.parametrize("size", [1, 3, 4 * KIB], ids=["bytes", "threes", "reads"])
@pytest.mark.parametrize("comment", COMMENTS.values(), ids=COMMENTS)
def test_endless_comments_never_hit_the_limit_and_each_is_given_out(comment, size):
    pings = decoded(in_pieces(comment * 2000, size), SSEDecoder(LIMIT))
    assert len(pings) == 2000


@pytest.mark.parametrize("comment", COMMENTS.values(), ids=COMMENTS)
def test_endless_comments_one_for_each_read_never_hit_the_limit(comment):
    decoder = SSEDecoder(LIMIT)
    for _ in range(1000):
        assert len(decoder.feed(comment)) == 1


def test_endless_comments_with_blank_lines_never_hit_the_limit():
    stream = b": ping\n\n" * 1000
    for size in (1, 7, 8, len(stream)):
        assert len(decoded(in_pieces(stream, size), SSEDecoder(LIMIT))) == 1000


def test_comments_of_one_read_before_an_event_do_not_count_for_its_size():
    stream = b": ping\n" * LIMIT + b"data: x\n\n"
    assert decoded([stream], SSEDecoder(LIMIT))[-1] == b"x"


# --- time -------------------------------------------------------------------------------------


def seconds_for(make: type[EventDecoder], chunks: list[bytes]) -> float:
    def once() -> float:
        decoder, start = make(), time.process_time()
        for chunk in chunks:
            decoder.feed(chunk)
        return time.process_time() - start

    return min(once() for _ in range(4))


def one_event(size: int) -> list[bytes]:
    return in_pieces(b"data: " + b"x" * size + b"\n\n", 4 * KIB)


def one_event_of_many_lines(size: int) -> list[bytes]:
    return in_pieces(b"data: xyz\n" * (size // 10) + b"\n", 4 * KIB)


def one_event_with_carriage_returns(size: int) -> list[bytes]:
    return in_pieces(b"data: xyz\r\n" * (size // 11) + b"\r\n", 4 * KIB)


def comments(size: int) -> list[bytes]:
    return in_pieces(b":\n" * (size // 2), 4 * KIB)


def one_comment(size: int) -> list[bytes]:
    return in_pieces(b":" + b"x" * size + b"\n", 4 * KIB)


def event_after_comment(size: int) -> list[bytes]:
    return [b": ping\n", *in_pieces(b"data: xyz\n" * (size // 10) + b"\n", 4 * KIB)]


def bare_json(size: int) -> list[bytes]:
    return in_pieces(b'{"a":[\n' + b'{"b":"c"},\n' * (size // 12) + b"{}]}\n", 4 * KIB)


def many_bare_json(size: int) -> list[bytes]:
    return [b"{}\n:c\n" * (size // 6) + b"\n"]


def what_only_looks_like_bare_json(size: int) -> list[bytes]:
    return in_pieces(b'{"open\n{\nid\n\n' * (size // 14), 4 * KIB)


def one_line_of_bare_json(size: int) -> list[bytes]:
    return byte_by_byte(b'{"a":"' + b"x" * size + b'"}\n')


def single_bytes(size: int) -> list[bytes]:
    return byte_by_byte(b"data: " + b"x" * size + b"\n\n")


def single_bytes_of_lines(size: int) -> list[bytes]:
    return byte_by_byte(b"data: xyz\n" * (size // 10) + b"\n")


def single_bytes_of_comments(size: int) -> list[bytes]:
    return byte_by_byte(b":\n" * (size // 2))


def one_json_line(size: int) -> list[bytes]:
    return in_pieces(b'{"a":"' + b"x" * size + b'"}\n', 4 * KIB)


def json_array(size: int) -> list[bytes]:
    return in_pieces(b"[{}" + b',{"a":["b"]}' * (size // 12) + b"]", 4 * KIB)


def single_bytes_of_an_array(size: int) -> list[bytes]:
    return byte_by_byte(b'[{"a":"' + b"x" * size + b'"}]')


@pytest.mark.reliability  # a clock, though a coarse one
@pytest.mark.parametrize(
    ("make", "chunks", "size"),
    [
        (SSEDecoder, one_event, 2 * MIB),
        (SSEDecoder, one_event_of_many_lines, 2 * MIB),
        (SSEDecoder, one_event_with_carriage_returns, 2 * MIB),
        (SSEDecoder, event_after_comment, 2 * MIB),
        (SSEDecoder, comments, MIB),
        (SSEDecoder, one_comment, 2 * MIB),
        (SSEDecoder, bare_json, MIB),
        (SSEDecoder, many_bare_json, MIB // 2),
        (SSEDecoder, what_only_looks_like_bare_json, MIB // 2),
        (SSEDecoder, one_line_of_bare_json, 200_000),
        (SSEDecoder, single_bytes, 200_000),
        (SSEDecoder, single_bytes_of_lines, 200_000),
        (SSEDecoder, single_bytes_of_comments, 200_000),
        (JSONLinesDecoder, one_json_line, 2 * MIB),
        (JSONLinesDecoder, bare_json, MIB),
        (JSONLinesDecoder, single_bytes_of_lines, 200_000),
        (JSONArrayDecoder, json_array, MIB),
        (JSONArrayDecoder, single_bytes_of_an_array, 200_000),
    ],
)
def test_four_times_the_bytes_take_about_four_times_as_long(
    make: type[EventDecoder], chunks: Callable[[int], list[bytes]], size: int
):
    def ratio() -> float:
        return seconds_for(make, chunks(size)) / max(seconds_for(make, chunks(size // 4)), 0.002)

    # What is quadratic takes 16 times as long, each time that it is measured.
    assert any(ratio() < 9 for _ in range(3))


def test_a_large_event_in_small_reads_is_whole():
    assert decoded(one_event(2 * MIB)) == [b"x" * 2 * MIB]


@pytest.mark.parametrize(
    "chunk",
    [
        b"data: a\n\n",
        b"data: \n\n",
        b"data:a\n\n",
        b"data:\n\n",
        b"data:a\n\ndata:b\n\n",
        b"data:01234567890\n\n",
        b"data:012345678901\n\n",
        b"data: a\ndata: b\n\n",
        b"data: a\n\ndata: b\n\n",
        b"data: a\rdata: b\n\n",
        b"data: a\r\ndata: b\r\n\r\n",
        b"data: a\n\n\n",
        b"data: a\nevent: e\n\n",
        b"\xef\xbb\xbfdata: a\n\n",
        b"data:  a\n\n",
        b"data: 0123456789\n\n",
        b"data: 01234567890\n\n",
    ],
)
@pytest.mark.parametrize("first", [b"", b"data: first\n\n", b"data: first\r\r"])
def test_an_event_that_comes_in_a_read_of_its_own_is_what_it_is_in_pieces(first, chunk):
    def outcome(chunks):
        decoder, payloads = SSEDecoder(max_event_bytes=16), []
        try:
            for each in (*chunks, b"\ndata: last\n\n"):
                payloads += decoder.feed(each)
            decoder.check()
        except ProtocolError:
            payloads.append("too large")
        return payloads

    assert outcome([first, chunk]) == outcome([bytes([byte]) for byte in first + chunk])


def test_bare_json_whose_text_is_no_utf_8_is_told_all_the_same():
    body = b'{"error": "\xff"}'
    assert SSEDecoder().feed(body + b"\n\n") == [NamedEvent("error", body)]
