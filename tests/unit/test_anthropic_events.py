"""All that Anthropic and gateways to it were seen to send is in the reply, however it is cut."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncllm import (
    About,
    AsyncLLMError,
    AuthenticationError,
    BadRequestError,
    Citation,
    ContextLengthError,
    Finish,
    HTTPStatusError,
    NotFoundError,
    Ping,
    ProtocolError,
    RateLimitError,
    Reasoning,
    ReplyTooLargeError,
    Restart,
    ServerError,
    StreamInterrupted,
    ToolCall,
    ToolResult,
    Usage,
)
from asyncllm.framing.body import BodyDecoder
from asyncllm.stream.partial_reply import PartialReply
from asyncllm.wires.anthropic import MessageTranslator
from asyncllm.wires.anthropic.models import page_of

NO_COUNTS = {"cache_creation_input_tokens": None, "cache_read_input_tokens": None}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-5",
    "content": [],
}
START = {"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 3}}}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search"}
FOUND = {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e" * 9}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [FOUND]}
SOURCE = {"type": "web_search_result_location", "url": "u", "title": "t", "cited_text": "c"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "sig"}
REDACTED = {"type": "redacted_thinking", "data": "gAAA"}


def begin(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def piece(index, kind, **delta):
    delta = {"type": f"{kind}_delta", **delta}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def stop(index):
    return {"type": "content_block_stop", "index": index}


def text(index, *texts):
    pieces = [piece(index, "text", text=each) for each in texts]
    return [begin(index, type="text", text=""), *pieces, stop(index)]


def thinking(index, *texts, signature="sig"):
    pieces = [piece(index, "thinking", thinking=each) for each in texts]
    signed = piece(index, "signature", signature=signature)
    return [begin(index, type="thinking", thinking="", signature=""), *pieces, signed, stop(index)]


def calling(index, *texts, **call):
    pieces = [piece(index, "input_json", partial_json=each) for each in ("", *texts)]
    return [begin(index, **{**CALL, **call}), *pieces, stop(index)]


def end(reason="end_turn", usage=None, **more):
    delta = {"stop_reason": reason, "stop_sequence": None, **more}
    return {"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 5}}


def body_of(*events):
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode())
        for event in events
    )


def read(body, step, translator=None, content_type="text/event-stream"):
    """Return the items and the reply that a body gives in reads of so many bytes."""
    decoder = BodyDecoder(content_type, 2**20)
    translator = translator or MessageTranslator()
    reply, items = PartialReply("asked", 2**30, keep=True), []

    def take(payloads, *, is_last=False):
        batch = []
        try:
            if payloads:
                translator.feed(payloads, batch)
            batch += translator.close() if is_last and not translator.is_done else []
        finally:
            reply.add(batch)
            items.extend(batch)

    try:
        for first in range(0, len(body), step):
            take((decoder.events or decoder).feed(body[first : first + step]))
            if translator.is_done:
                return items, reply.reply(), None
        take(decoder.close(), is_last=True)
    except AsyncLLMError as error:
        return items, reply.reply(), error
    return items, reply.reply(), None


def opaque(*blocks):
    return {"opaque": {"anthropic": {"content": list(blocks)}}}


def used(prompt=3, written=5, **known):
    return {"usage": Usage(prompt, written, prompt + written, **known)}


WHOLE = {"text": "ab", "finish_reason": "stop", "raw_finish_reason": "end_turn", "id": "msg_1"}
SEEN = {  # what comes between the first event and the last: what the reply has of it
    "text": ([*text(0, "a", "b"), end()], {**WHOLE, "model": "claude-5", **used()}),
    "keep-alives anywhere": (
        [PING, begin(0, type="text", text=""), PING, *text(0, "ab"), end()],
        WHOLE,
    ),
    "text in its start": (
        [begin(0, type="text", text="a"), piece(0, "text", text="b"), end()],
        WHOLE,
    ),
    "pieces without a start": ([piece(0, "text", text="ab"), end()], WHOLE),
    "an answer without blocks": (
        [PING, end()],
        {"text": "", "finish_reason": "stop", "id": "msg_1"},
    ),
    "no reason": ([*text(0, "ab")], {"text": "ab", "finish_reason": "stop", "opaque": {}}),
    "unknown events, blocks and pieces": (
        [
            {"type": "new_event", "index": 0},
            begin(0, type="new_block", text="no"),
            piece(0, "text", text="no"),
            piece(0, "new", text="no"),
            stop(0),
            *text(1, "a"),
            {**piece(1, "new", text="no")},
            *text(2, "b"),
            end(),
        ],
        WHOLE,
    ),
    "thinking": (
        [*thinking(0, "h", "m"), *text(1, "ab"), end()],
        {**WHOLE, "reasoning": "hm", **opaque(SIGNED, {"type": "text", "text": "ab"})},
    ),
    "thinking that is not shown": (
        [*thinking(0, "", signature="secret"), *calling(1), end("tool_use")],
        {
            "reasoning": "",
            "tool_calls": (ToolCall("toolu_1", "f", "{}"),),
            **opaque({"type": "thinking", "thinking": "", "signature": "secret"}, CALL),
        },
    ),
    "redacted thinking": (
        [begin(0, **REDACTED), stop(0), *text(1, "ab"), end()],
        {**WHOLE, **opaque(REDACTED, {"type": "text", "text": "ab"})},
    ),
    "calls": (
        [
            *text(0, "ab"),
            *calling(1, '{"a"', ": 1}"),
            *calling(2, id="toolu_2", name="g"),
            end("tool_use"),
        ],
        {
            "text": "ab",
            "tool_calls": (ToolCall("toolu_1", "f", '{"a": 1}'), ToolCall("toolu_2", "g", "{}")),
            "finish_reason": "tool_calls",
            "raw_finish_reason": "tool_use",
            "opaque": {},
        },
    ),
    "a call whole in its start": (
        [begin(0, **CALL | {"input": {"a": 1}}), stop(0), end("tool_use")],
        {"tool_calls": (ToolCall("toolu_1", "f", '{"a":1}'),)},
    ),
    "a call that was cut off": (
        [
            *thinking(0, "hm"),
            begin(1, **CALL),
            piece(1, "input_json", partial_json='{"a'),
            end("max_tokens"),
        ],
        {
            "tool_calls": (ToolCall("toolu_1", "f", '{"a'),),
            "finish_reason": "length",
            **opaque(SIGNED, CALL | {"input": {"INVALID_JSON": '{"a'}}),
        },
    ),
    "a call by code": (
        [
            *calling(0, caller={"type": "code_execution_20250825", "tool_id": "s"}),
            end("tool_use", container={"id": "container_1", "expires_at": "2026"}),
        ],
        {
            "opaque": {
                "anthropic": {
                    "content": [
                        CALL | {"caller": {"type": "code_execution_20250825", "tool_id": "s"}}
                    ],
                    "container": "container_1",
                }
            }
        },
    ),
    "text behind a call": (
        [*calling(0), *text(1, "ab"), end("tool_use")],
        {"text": "ab", **opaque(CALL, {"type": "text", "text": "ab"})},
    ),
    "a search": (
        [
            *calling(0, '{"query": "q"}', **SEARCH),
            begin(1, **RESULT),
            stop(1),
            begin(2, type="text", text="", citations=[]),
            piece(2, "citations", citation=SOURCE),
            piece(2, "text", text="a"),
            stop(2),
            *text(3, "b"),
            end(),
        ],
        {
            **WHOLE,
            "tool_calls": (),
            "tool_results": (
                ToolResult(
                    "srvtoolu_1",
                    "web_search",
                    '[{"type":"web_search_result","url":"u","title":"t"}]',
                ),
            ),
            "citations": (Citation("u", "t", "c", 0, 1),),
            **opaque(
                SEARCH | {"input": {"query": "q"}},
                RESULT,
                {"type": "text", "text": "a", "citations": [SOURCE]},
                {"type": "text", "text": "b"},
            ),
        },
    ),
    "a search that failed, and tools of others": (
        [
            begin(
                0,
                type="web_search_tool_result",
                tool_use_id="x",
                content={"type": "web_search_tool_result_error", "error_code": "e"},
            ),
            begin(1, type="mcp_tool_use", id="y", name="g", server_name="s", input={}),
            begin(2, type="mcp_tool_result", tool_use_id="y", is_error=True, content="no"),
            *text(3, "ab"),
            end(),
        ],
        {
            **WHOLE,
            "tool_calls": (),
            "tool_results": (
                ToolResult(
                    "x",
                    "web_search",
                    '{"type":"web_search_tool_result_error","error_code":"e"}',
                    is_error=True,
                ),
                ToolResult("y", "g", "no", is_error=True),
            ),
        },
    ),
    "a document that is cited": (
        [
            begin(0, type="text", text=""),
            piece(0, "text", text="ab"),
            piece(
                0,
                "citations",
                citation={
                    "type": "char_location",
                    "document_title": "d",
                    "cited_text": "c",
                    "start_char_index": 7,
                },
            ),
            stop(0),
            end(),
        ],
        {**WHOLE, "citations": (Citation("", "d", "c", 0, 2),)},
    ),
    "a compaction": (
        [
            begin(0, type="compaction", content=None),
            piece(0, "compaction", content="so far", encrypted_content="e"),
            stop(0),
            *text(1, "ab"),
            end(),
        ],
        {
            **WHOLE,
            **opaque(
                {"type": "compaction", "content": "so far", "encrypted_content": "e"},
                {"type": "text", "text": "ab"},
            ),
        },
    ),
    "another model that takes over": (
        [
            *text(0, "a"),
            *calling(1),
            begin(2, type="fallback", **{"from": {"model": "x"}, "to": {"model": "claude-4"}}),
            *text(3, "b"),
            end(),
        ],
        {
            **WHOLE,
            "model": "claude-4",
            "tool_calls": (),
            **opaque(
                {"type": "text", "text": "a"},
                {"type": "fallback", "from": {"model": "x"}, "to": {"model": "claude-4"}},
                {"type": "text", "text": "b"},
            ),
        },
    ),
    "a refusal": (
        [PING, end("refusal", stop_details={"type": "refusal", "explanation": "No."})],
        {"text": "", "refusal": "No.", "finish_reason": "content_filter", "id": "msg_1"},
    ),
    "blocks that can't be put together": (
        [
            *thinking(0, "hm"),
            begin(1, type="new_block", a=1),
            begin(2, type="new_block", a=2),
            piece(2, "text", text="no"),
            begin(3, type="new_block", a=3),
            piece(3, "new", a=4),
            *text(4, "ab"),
            end(),
        ],
        {
            **WHOLE,
            **opaque(SIGNED, {"type": "new_block", "a": 1}, {"type": "text", "text": "ab"}),
        },
    ),
    "a stop sequence": (
        [*text(0, "ab"), end("stop_sequence", stop_sequence="c")],
        {"text": "ab", "finish_reason": "stop", "raw_finish_reason": "stop_sequence"},
    ),
    "a full context": (
        [*text(0, "ab"), end("model_context_window_exceeded")],
        {"text": "ab", "finish_reason": "length"},
    ),
    "a word of its own": ([*text(0, "ab"), end("compaction")], {"finish_reason": "compaction"}),
    "the message begun twice": (
        [START, begin(0, type="text", text=""), START, *text(0, "ab"), end()],
        WHOLE,
    ),
    "another message in an open call": (
        [
            *calling(0, '{"a')[:-1],
            {"type": "message_start", "message": {**MESSAGE, "id": "msg_2"}},
            *text(0, "ab"),
            end(),
        ],
        {**WHOLE, "tool_calls": (), "id": "msg_1"} | {"id": "msg_2"},
    ),
    "all counts": (
        [
            *text(0, "ab"),
            end(
                usage={
                    "input_tokens": 10,
                    "cache_creation_input_tokens": 20,
                    "cache_read_input_tokens": 30,
                    "output_tokens": 5,
                    "output_tokens_details": {"thinking_tokens": 4},
                }
            ),
        ],
        used(60, 5, cached_tokens=30, cache_write_tokens=20, reasoning_tokens=4),
    ),
    "a count that is null, or of the wrong kind": (
        [*text(0, "ab"), end(usage={"input_tokens": None, "output_tokens": "5", **NO_COUNTS})],
        used(),
    ),
    "what OpenRouter adds": (
        [*text(0, "ab"), end(usage={"output_tokens": 5, "cost": 0.25})],
        used(cost=0.25),
    ),
    "halves of characters": (
        [piece(0, "text", text="a\ud83c"), piece(0, "text", text="\udffdb"), end()],
        {"text": "a\U0001f3fdb"},
    ),
}


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("step", [1, 7, 2**20])
def test_what_was_seen_is_in_the_reply(name, step):
    events, wanted = SEEN[name]
    _, reply, error = read(body_of(START, *events, STOP), step)
    assert error is None
    assert {field: getattr(reply, field) for field in wanted} == wanted


@cache
def every_body():
    return {name: body_of(START, *events, STOP) for name, (events, _) in SEEN.items()}


@settings(max_examples=60)
@given(name=st.sampled_from(list(SEEN)), step=st.integers(1, 400))
def test_how_a_body_is_cut_makes_no_difference(name, step):
    body = every_body()[name]
    cut, whole = read(body, step), read(body, len(body))
    assert (cut[1], cut[2]) == (whole[1], whole[2])
    assert joined(cut[0]) == joined(whole[0])


def joined(items):
    """Return items without what is never given out, and with neighbouring texts as one."""
    merged = []
    for item in items:
        if isinstance(item, str) and merged and isinstance(merged[-1], str):
            merged[-1] += item
        elif not isinstance(item, About):
            merged.append(item)
    return merged


@pytest.mark.parametrize("name", ["text", "a search", "calls", "a refusal", "thinking"])
def test_every_truncation_ends_in_an_error_with_what_came(name):
    body = every_body()[name]
    whole = read(body, len(body))[1]
    for end_of_body in range(len(body) - 1):
        items, reply, error = read(body[:end_of_body], 2**20)
        assert isinstance(error, AsyncLLMError), end_of_body
        assert not any(isinstance(item, Finish) for item in items)
        assert whole.text.startswith(reply.text)


def test_a_body_without_the_last_event_is_cut_off():
    _, reply, error = read(body_of(START, *text(0, "ab"), end()), 7)
    assert isinstance(error, StreamInterrupted)
    assert reply.text == "ab"


def test_the_end_is_the_last_event_whatever_follows():
    body = body_of(START, *text(0, "ab"), end(), STOP) + b"event: data\ndata: [DONE]\n\n{"
    assert read(body, len(body))[1].text == "ab"


def test_a_mark_of_another_wire_is_no_end():
    body = body_of(START, *text(0, "ab")) + b"data: [DONE]\n\n"
    assert isinstance(read(body, 7)[2], StreamInterrupted)


def test_events_without_names_are_read_by_their_types():
    body = body_of(START, *thinking(0, "hm"), *text(1, "ab"), end(), STOP)
    plain = b"".join(line + b"\n\n" for line in body.split(b"\n") if line.startswith(b"data"))
    assert read(plain, 9)[1] == read(body, 9)[1]


def test_a_whole_message_in_the_place_of_a_stream_is_read():
    content = [SIGNED, {"type": "text", "text": "ab"}, CALL | {"input": {"a": 1}}]
    message = MESSAGE | {
        "content": content,
        "stop_reason": "tool_use",
        "usage": {"output_tokens": 5},
    }
    _, reply, error = read(json.dumps(message).encode(), 9, content_type="application/json")
    assert error is None
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("ab", "hm", "tool_calls")
    assert reply.tool_calls == (ToolCall("toolu_1", "f", '{"a":1}'),)
    assert reply.message["anthropic"]["content"] == content


def test_a_second_message_takes_back_what_the_first_one_said():
    again = {"type": "message_start", "message": {**MESSAGE, "id": "msg_2"}}
    body = body_of(START, *text(0, "old"), again, *text(0, "ab"), end(), STOP)
    items, reply, error = read(body, 9)
    assert error is None
    assert Restart("old") in items
    assert (reply.text, reply.id) == ("ab", "msg_2")


def test_nothing_is_told_before_the_first_content():
    # What fails before it is asked for again.
    items, _, _ = read(body_of(START, PING, begin(0, type="text", text=""), PING), 2**20)
    assert items == []
    items, *_ = read(body_of(START, PING, *thinking(0, "hm")[:2], PING), 2**20)
    assert items[0] == Reasoning("hm")
    assert joined(items)[1] == Ping()


@pytest.mark.parametrize(
    ("events", "builds"),
    [
        ([PING], False),
        (thinking(0, "")[:2], False),
        (thinking(0, "")[:3], True),
        (calling(0)[:1], True),
        (calling(0, '{"a"')[2:3], False),
        ([begin(0, **REDACTED)], True),
        (calling(0, "{", **SEARCH)[:3], True),
    ],
    ids=str,
)
def test_what_adds_to_a_block_counts_as_content(events, builds):
    translator = MessageTranslator()
    payloads = [json.dumps(event).encode() for event in (START, *events)]
    translator.feed(payloads, [])
    assert translator.is_building is builds


def test_blocks_that_are_too_large_are_not_sent_back_and_their_text_is_told():
    large = "x" * (1024 * 1024)
    pieces = [piece(1, "text", text=large)] * 17
    body = body_of(START, *thinking(0, "hm"), begin(1, type="text", text=""), *pieces, end(), STOP)
    decoder, translator, size, batch = (
        BodyDecoder("text/event-stream", 2**30),
        MessageTranslator(),
        0,
        [],
    )
    for payload in decoder.feed(body):
        translator.feed([payload], batch)
    size = sum(len(item) for item in batch if isinstance(item, str))
    assert size == 17 * len(large)
    reply = PartialReply("", 2**30, keep=True)
    reply.add(batch)
    assert (reply.reply().reasoning, reply.reply().opaque) == ("hm", {})


def test_calls_that_are_too_large_are_an_error():
    pieces = [piece(0, "input_json", partial_json="x" * (1024 * 1024))] * 17
    translator = MessageTranslator()
    with pytest.raises(ReplyTooLargeError):
        for event in (START, begin(0, **CALL), *pieces):
            translator.feed([json.dumps(event).encode()], [])


ERRORS = [  # by type: the class, the status, and whether the same may succeed a little later
    ("invalid_request_error", BadRequestError, 400, False),
    ("authentication_error", AuthenticationError, 401, False),
    ("billing_error", HTTPStatusError, 402, False),
    ("permission_error", AuthenticationError, 403, False),
    ("not_found_error", NotFoundError, 404, False),
    ("conflict_error", HTTPStatusError, 409, True),
    ("request_too_large", BadRequestError, 413, False),
    ("rate_limit_error", RateLimitError, 429, True),
    ("api_error", ServerError, 500, True),
    ("timeout_error", ServerError, 504, True),
    ("overloaded_error", ServerError, 529, True),
]


@pytest.mark.parametrize(("kind", "cls", "status", "passes"), ERRORS)
@pytest.mark.parametrize("before", [[], [START], [START, *text(0, "ab")]], ids=len)
def test_an_error_inside_a_good_answer_is_of_its_kind(kind, cls, status, passes, before):
    said = {"type": "error", "error": {"type": kind, "message": "why"}, "request_id": "req_1"}
    _, reply, error = read(body_of(*before, said), 7)
    assert type(error) is cls
    assert (error.status, error.type, error.message) == (status, kind, "why")
    assert error.is_passing is passes
    assert reply.text == ("ab" if len(before) > 1 else "")


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 200001 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    ],
)
def test_what_is_too_long_is_said_so(message):
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    assert isinstance(read(body_of(START, said), 7)[2], ContextLengthError)


@pytest.mark.parametrize(
    "body",
    [
        b'event: error\ndata: {"error":{"type":"overloaded_error","message":"busy"}}\n\n',
        b'data: {"error":{"type":"overloaded_error","message":"busy"}}\n\n',
        b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n',
    ],
)
def test_an_error_is_one_however_it_is_written(body):
    error = read(body, 5)[2]
    assert isinstance(error, ServerError)
    assert error.status == 529


@pytest.mark.parametrize("data", [b"null", b"[]", b"{", b'{"type":', b'"\xff"', b"[" * 100_000])
def test_what_is_no_event_is_an_error(data):
    body = body_of(START) + b"event: content_block_delta\ndata: %s\n\n" % data
    assert isinstance(read(body, 2**20)[2], ProtocolError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("index", "message", "content_block", "delta", "usage", "error")


@settings(max_examples=60)
@given(
    events=st.lists(
        st.tuples(
            st.sampled_from([event["type"] for event in (START, *text(0, "a"), end(), PING)]),
            st.dictionaries(st.sampled_from(FIELDS), JSON),
            st.sampled_from(["text", "tool_use", "thinking", "x_tool_result", "fallback"]),
        ),
        max_size=6,
    )
)
def test_fields_of_any_shape_do_no_harm(events):
    said = [
        {"type": kind, "content_block": {"type": block}, **more} for kind, more, block in events
    ]
    _, _, error = read(body_of(START, *said, STOP), 50)
    assert error is None


# --- answers that are paused --------------------------------------------------------------------

PAUSED = [*calling(0, '{"query": "q"}', **SEARCH), begin(1, **RESULT), stop(1), end("pause_turn")]


def paused(most_pauses=2):
    translator = MessageTranslator(most_pauses=most_pauses)
    _, reply, error = read(body_of(START, *PAUSED, STOP), 9, translator)
    assert error is None
    return translator, reply


def test_a_paused_answer_has_no_end_and_goes_on_with_all_that_came():
    translator, reply = paused()
    assert translator.is_paused
    assert reply.finish_reason is None
    blocks = [SEARCH | {"input": {"query": "q"}}, RESULT]
    assert translator.turn.blocks == blocks
    second = {"type": "message_start", "message": {**MESSAGE, "id": "msg_2"}}
    following = MessageTranslator(translator.turn, most_pauses=2)
    counted = {"input_tokens": 10, "output_tokens": 1}
    _, reply, error = read(body_of(second, *text(0, "ab"), end(usage=counted), STOP), 9, following)
    assert error is None
    assert reply.usage == Usage(13, 6, 19)
    assert reply.finish_reason == "stop"
    assert reply.message["anthropic"]["content"] == [*blocks, {"type": "text", "text": "ab"}]


def test_an_answer_is_paused_no_more_often_than_its_bound():
    translator, _ = paused(most_pauses=1)
    second = {"type": "message_start", "message": {**MESSAGE, "id": "msg_2"}}
    following = MessageTranslator(translator.turn, most_pauses=1)
    items, reply, _ = read(body_of(second, *text(0, "ab"), end("pause_turn"), STOP), 9, following)
    assert items[-1] == Finish("pause_turn")
    assert len(reply.message["anthropic"]["content"]) == 3


def test_the_same_message_once_more_is_no_continuation():
    # As from a proxy that has recorded it: its text must not be doubled.
    translator, _ = paused()
    following = MessageTranslator(translator.turn, most_pauses=2)
    items, reply, error = read(body_of(START, *PAUSED, STOP), 9, following)
    assert error is None
    assert [item for item in items if isinstance(item, ToolResult)] == []
    assert (items[-1], reply.usage) == (Finish("pause_turn"), Usage(3, 5, 8))


def test_a_pause_beside_calls_of_the_caller_s_is_for_the_caller():
    translator = MessageTranslator(most_pauses=2)
    body = body_of(START, *PAUSED[:-1], *calling(2), end("pause_turn"), STOP)
    items, *_ = read(body, 9, translator)
    assert not translator.is_paused
    assert items[-1] == Finish("tool_calls", "pause_turn")


def test_a_continuation_that_is_broken_or_begins_anew_is_an_error():
    translator, _ = paused()
    second = {"type": "message_start", "message": {**MESSAGE, "id": "msg_2"}}
    again = [second, *text(0, "a"), second, *text(0, "a"), end(), STOP]
    for events in ([second, *text(0, "a")], again):
        following = MessageTranslator(translator.turn, most_pauses=2)
        assert isinstance(read(body_of(*events), 9, following)[2], StreamInterrupted)


def test_a_page_of_models_is_read():
    page = page_of(b'{"data":[{"id":"a","type":"model"}],"has_more":true,"last_id":"a"}')
    assert (page.ids, page.has_more, page.last_id) == (["a"], True, "a")
    assert page_of(b'{"data":null,"has_more":null}').ids == []
    with pytest.raises(ProtocolError):
        page_of(b'{"models":[]}')
