"""All that servers with OpenAI's Responses were seen to send is in the reply, however it is cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncllm import (
    AsyncLLMError,
    BadRequestError,
    Citation,
    ContentFilterError,
    ContextLengthError,
    Finish,
    Logprob,
    Media,
    ProviderError,
    RateLimitError,
    Reasoning,
    ReplyTooLargeError,
    ServerError,
    StreamInterrupted,
    ToolCall,
    ToolResult,
    Usage,
)
from asyncllm.framing.body import BodyDecoder
from asyncllm.stream.partial_reply import PartialReply
from asyncllm.wires.openai_responses import ResponsesTranslator
from asyncllm.wires.tool_calls import MOST_BYTES, ToolCalls

R = "response."


def event(kind, index=0, **fields):
    return {"type": R + kind, "output_index": index, **fields}


def text(piece, index=0, **fields):
    return event("output_text.delta", index, delta=piece, **fields)


def done(item, index=0):
    return event("output_item.done", index, item=item)


def added(item, index=0):
    return event("output_item.added", index, item=item)


def message(said, *annotations, **fields):
    part = {"type": "output_text", "text": said, "annotations": list(annotations)}
    return {"type": "message", "role": "assistant", "content": [part], **fields}


def call(arguments, **fields):
    return {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments, **fields}


def end(status="completed", **response):
    return {"type": R + status, "response": {"status": status, "output": [], **response}}


def body_of(*events, named=True):
    """Return a body; the name of an event stands before it, as most servers have it."""
    written = []
    for each in events:
        if isinstance(each, bytes):
            written.append(b"data: %s\n\n" % each)
        else:
            name = f"event: {each['type']}\n" if named and "type" in each else ""
            written.append(f"{name}data: {json.dumps(each)}\n\n".encode())
    return b"".join(written)


def read(body, step, content_type="text/event-stream"):
    """Return the reply that a body gives in reads of so many bytes, and whether it is whole."""
    decoder, translator = BodyDecoder(content_type, 2**20), ResponsesTranslator()
    reply = PartialReply("asked", 2**30, keep=True)
    try:
        for start in range(0, len(body), step):
            batch = []
            try:
                translator.feed((decoder.events or decoder).feed(body[start : start + step]), batch)
            finally:
                reply.add(batch)
            if translator.is_done:
                return reply.reply()
        batch = []
        try:
            translator.feed((decoder.events or decoder).close(), batch)
            batch += [] if translator.is_done else translator.close()
        finally:
            reply.add(batch)
    except AsyncLLMError as error:
        error.reply = reply.reply()
        raise
    return reply.reply()


CREATED = {"type": R + "created", "response": {"id": "r", "model": "m-2026", "created_at": 7}}
WEB = {"type": "url_citation", "url": "https://a/", "title": "A", "start_index": 1, "end_index": 2}
THOUGHT = {"type": "reasoning", "id": "rs", "encrypted_content": "gA", "summary": []}
COUNTS = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 4},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 42,
}
SEEN = {  # what servers send before their end, the end, and what the reply has of it
    "text": ([text("a"), text("b"), done(message("ab"))], end(), {"text": "ab"}),
    "text that comes whole": ([done(message("ab"))], end(), {"text": "ab"}),
    "text in the last event alone": ([], end(output=[message("ab")]), {"text": "ab"}),
    "text, and the last event with all": (
        [text("a"), done(message("a"))],
        end(output=[message("a")]),
        {"text": "a"},
    ),
    "text without an end of its item": ([text("a")], end(output=[message("a")]), {"text": "a"}),
    "an event without its text": (
        [text(None), text("a"), done(message("a"))],
        end(),
        {"text": "a"},
    ),
    "two messages": (
        [text("a", 0), done(message("a", phase="commentary"), 0), text("b", 1)],
        end(),
        {"text": "ab"},
    ),
    "a summary": (
        [
            event("reasoning_summary_part.added", part={"type": "summary_text", "text": ""}),
            event("reasoning_summary_text.delta", delta="h"),
            event("reasoning_summary_text.delta", delta="m"),
            done(THOUGHT | {"summary": [{"type": "summary_text", "text": "hm"}]}),
            text("a", 1),
        ],
        end(),
        {"text": "a", "reasoning": "hm"},
    ),
    "the whole thinking": (
        [event("reasoning_text.delta", delta="hm"), text("a", 1)],
        end(),
        {"text": "a", "reasoning": "hm"},
    ),
    "thinking that comes whole": (
        [done({"type": "reasoning", "summary": [{"text": "h"}, {"text": "m"}]}), text("a", 1)],
        end(),
        {"text": "a", "reasoning": "hm"},
    ),
    "a refusal": (
        [event("refusal.delta", delta="I "), event("refusal.delta", delta="can't.")],
        end(),
        {"refusal": "I can't."},
    ),
    "a refusal that comes whole": (
        [done({"type": "message", "content": [{"type": "refusal", "refusal": "No."}]})],
        end(),
        {"refusal": "No."},
    ),
    "two calls in pieces": (
        [
            added(call("", call_id="x"), 0),
            added(call("", call_id="y", name="g"), 1),
            event("function_call_arguments.delta", 0, delta='{"a"'),
            event("function_call_arguments.delta", 1, delta="{}"),
            event("function_call_arguments.delta", 0, delta=":1}"),
            event("function_call_arguments.done", 0, arguments='{"a":1}'),
            done(call('{"a":1}', call_id="x"), 0),
            done(call("{}", call_id="y", name="g"), 1),
        ],
        end(),
        {
            "tool_calls": (ToolCall("x", "f", '{"a":1}'), ToolCall("y", "g", "{}")),
            "finish_reason": "tool_calls",
        },
    ),
    "a call that comes whole": (
        [done(call("{}"))],
        end(output=[call("{}")]),
        {"tool_calls": (ToolCall("c", "f", "{}"),), "finish_reason": "tool_calls"},
    ),
    "a call without an end of its item": (
        [added(call("")), event("function_call_arguments.done", arguments="{}")],
        end(),
        {"tool_calls": (ToolCall("c", "f", "{}"),), "finish_reason": "tool_calls"},
    ),
    "a call that was cut short": (
        [added(call("")), done(call('{"a', status="incomplete"))],
        end("incomplete", incomplete_details={"reason": "max_output_tokens"}),
        {"tool_calls": (ToolCall("c", "f", '{"a'),), "finish_reason": "length"},
    ),
    "a custom call": (
        [
            added({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": ""}),
            event("custom_tool_call_input.delta", delta="SELECT"),
            done({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "SELECT 1"}),
        ],
        end(),
        {"tool_calls": (ToolCall("c", "f", "SELECT 1"),), "finish_reason": "tool_calls"},
    ),
    "sources, told twice": (
        [
            text("ab"),
            event("output_text.annotation.added", annotation=WEB),
            done(message("ab", WEB, {"type": "file_citation", "file_id": "f", "filename": "b"})),
        ],
        end(),
        {
            "text": "ab",
            "citations": (Citation("https://a/", "A", start=1, end=2), Citation(title="b")),
        },
    ),
    "sources behind other text": (
        [text("ab", 0), done(message("ab"), 0), text("cd", 1), done(message("cd", WEB), 1)],
        end(),
        {"text": "abcd", "citations": (Citation("https://a/", "A", start=3, end=4),)},
    ),
    "an image": (
        [
            event("image_generation_call.partial_image", partial_image_b64="AAAA"),
            done({"type": "image_generation_call", "result": "iVBORw==", "output_format": "webp"}),
        ],
        end(),
        {"media": (Media("image/webp", b"\x89PNG"),)},
    ),
    "an image that is none": ([done({"type": "image_generation_call", "result": "!"})], end(), {}),
    "tools of the server's": (
        [
            event("web_search_call.searching"),
            done({"type": "web_search_call", "id": "ws", "action": {"query": "q"}}, 0),
            done({"type": "mcp_call", "id": "m", "name": "look", "output": "seen"}, 1),
            done({"type": "mcp_call", "id": "n", "name": "look", "error": "none"}, 2),
            done({"type": "code_interpreter_call", "id": "ci", "outputs": None, "code": "1"}, 3),
            text("a", 4),
        ],
        end(),
        {
            "text": "a",
            "tool_results": (
                ToolResult("ws", "web_search", '{"query":"q"}'),
                ToolResult("m", "look", "seen"),
                ToolResult("n", "look", "none", is_error=True),
                ToolResult("ci", "code_interpreter", "1"),
            ),
        },
    ),
    "log probabilities": (
        [
            text("a"),
            text(
                "b",
                logprobs=[
                    {"token": "b", "logprob": -1, "top_logprobs": [{"token": "c", "logprob": -2}]}
                ],
            ),
        ],
        end(),
        {"text": "ab", "logprobs": (Logprob("b", -1, None, (Logprob("c", -2),)),)},
    ),
    "usage": ([text("a")], end(usage=COUNTS), {"text": "a", "usage": Usage(12, 30, 42, 3, 4, 20)}),
    "who answers": (
        [CREATED, text("a")],
        end(service_tier="flex"),
        {
            "text": "a",
            "id": "r",
            "model": "m-2026",
            "extra": {"created_at": 7, "service_tier": "flex"},
        },
    ),
    "a limit": (
        [text("a")],
        end("incomplete", incomplete_details={"reason": "max_output_tokens"}),
        {"text": "a", "finish_reason": "length", "raw_finish_reason": "max_output_tokens"},
    ),
    "a filter": (
        [text("a")],
        end("incomplete", incomplete_details={"reason": "content_filter"}),
        {"text": "a", "finish_reason": "content_filter"},
    ),
    "somebody else's end": (
        [text("a")],
        end("incomplete", incomplete_details={"reason": "steered"}),
        {"text": "a", "finish_reason": "steered"},
    ),
    "an end without a reason": (
        [text("a")],
        end("incomplete"),
        {"text": "a", "finish_reason": "incomplete"},
    ),
    "what nobody knows": (
        [
            {"type": R + "new.thing", "output_index": 0, "delta": {"x": 1}},
            {"type": "keepalive"},
            {},
            added({"type": "new"}),
            done({"type": "new", "x": [1]}),
            text(None),
            text("a", sequence_number=3, obfuscation="xyz", new={"x": 1}),
            text({"not": "text"}),
            done("no item"),
        ],
        end(usage={"input_tokens": {}}, output="none"),
        {"text": "a", "usage": Usage()},
    ),
    "halves of a character": (
        [b'{"type":"response.output_text.delta","delta":"\\ud83d"}', text("\udc4b")],
        end(),
        {"text": "👋"},
    ),
    "no index": (
        [{"type": R + "output_text.delta", "delta": "a"}, text("b", "0")],
        end(),
        {"text": "ab"},
    ),
}


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("named", [True, False])
def test_a_reply_has_what_was_sent(name, named):
    events, last, wanted = SEEN[name]
    body = body_of(*events, last, b"[DONE]", named=named)
    replies = [read(body, step) for step in (len(body), 1, 7, 64)]
    assert all(reply == replies[0] for reply in replies)
    reply, wanted = replies[0], {"finish_reason": "stop", **wanted}
    assert {each: getattr(reply, each) for each in wanted} == wanted
    for field in ("text", "reasoning", "refusal", "tool_calls", "media", "citations"):
        assert getattr(reply, field) == wanted.get(field, type(getattr(reply, field))())


@settings(max_examples=40)
@given(
    names=st.lists(st.sampled_from([*SEEN]), min_size=1, max_size=3),
    steps=st.integers(min_value=1, max_value=300),
)
def test_however_a_stream_is_cut_the_same_comes_of_it(names, steps):
    events = [each for name in names for each in SEEN[name][0]]
    body = body_of(*events, end(usage=COUNTS))
    assert read(body, steps) == read(body, len(body))


WHOLE = body_of(
    CREATED,
    event("reasoning_summary_text.delta", delta="hm"),
    done(THOUGHT),
    text("a", 1),
    done(message("a"), 1),
    done(call("{}"), 2),
    end(usage=COUNTS),
)


def test_a_stream_that_ends_anywhere_before_its_end_is_interrupted():
    for size in range(1, len(WHOLE) - 1):
        with pytest.raises(AsyncLLMError) as caught:
            read(WHOLE[:size], size)
        reply = caught.value.reply
        assert reply.finish_reason is None
        assert not reply.tool_calls  # nobody makes a call of an answer that failed
        assert (reply.text, reply.reasoning) in {("", ""), ("", "hm"), ("a", "hm")}
    assert read(WHOLE, len(WHOLE)).text == "a"


def test_a_mark_of_the_end_is_none_without_the_last_event():
    with pytest.raises(StreamInterrupted):
        read(body_of(text("a"), b"[DONE]"), 64)


def test_an_answer_that_comes_as_one_object_is_whole():
    answer = {"object": "response", "id": "r", "status": "completed", "output": [message("ab")]}
    reply = read(json.dumps(answer, indent=1).encode(), 7, "application/json")
    assert (reply.text, reply.id, reply.finish_reason) == ("ab", "r", "stop")


FAILURES = {  # code: the class, and whether the same may succeed a little later
    "server_error": (ServerError, True),
    "rate_limit_exceeded": (RateLimitError, True),
    "insufficient_quota": (RateLimitError, False),
    "vector_store_timeout": (ServerError, True),
    "context_length_exceeded": (ContextLengthError, False),
    "invalid_prompt": (BadRequestError, False),
    "invalid_image_format": (BadRequestError, False),
    "image_content_policy_violation": (ContentFilterError, False),
    "bio_policy": (ContentFilterError, False),
    "never_heard_of": (ProviderError, False),
}
FORMS = {
    "an object in an error": lambda said: {"type": "error", "error": said},
    "a flat error": lambda said: {"type": "error", **said, "param": None, "sequence_number": 3},
    "a failed answer": lambda said: {"type": R + "failed", "response": {"error": said}},
    "a bare one": lambda said: {"error": said},
}


@pytest.mark.parametrize("code", FAILURES)
@pytest.mark.parametrize("form", FORMS)
def test_a_failure_inside_an_answer_has_the_class_that_its_code_deserves(form, code):
    failure = FORMS[form]({"code": code, "message": "why"})
    for before in ((), (CREATED, text("a"))):
        with pytest.raises(AsyncLLMError, match="why") as caught:
            read(body_of(*before, failure), 64)
        error = caught.value
        kind, is_passing = FAILURES[code]
        assert (type(error), error.code, error.is_passing) == (kind, code, is_passing)
        assert error.reply.text == ("a" if before else "")


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (body_of(end("failed", error=None)), "the server gives no reason"),
        (body_of(end("cancelled")), "the answer was cancelled"),
        (b"event: error\ndata: out of order\n\n", "out of order"),
        (b'event: error\ndata: {"message": "oh"}\n\n', "oh"),
        (b'data: {"detail": "oh"}\n\n', "oh"),
        (b'data: {"type": "error"}\n\n', "generation failed"),
    ],
)
def test_a_failure_without_a_code_says_what_it_says(failure, said):
    with pytest.raises(ProviderError, match=said):
        read(failure, 9)


def items_behind(*events):
    """Return what goes back of an answer with the next turn."""
    reply = read(body_of(*events, end()), 64)
    return reply.message.get("responses", {}).get("output")


MESSAGE, CALL = message("a", phase="final_answer"), call("{}", id="fc")
SEARCH = {"type": "web_search_call", "id": "ws", "status": "completed", "action": {}}
GOES_BACK = {
    "text alone": ([message("a")], None),
    "calls alone": ([call("{}")], None),
    "a phase": ([MESSAGE], [MESSAGE]),
    "two messages": ([message("a"), message("b")], [message("a"), message("b")]),
    "encrypted reasoning": ([THOUGHT, CALL], [THOUGHT, CALL]),
    "open reasoning": (
        [{"type": "reasoning", "content": [{"text": "hm"}]}, CALL],
        [{"type": "reasoning", "content": [{"text": "hm"}]}, CALL],
    ),
    "reasoning that nobody keeps": ([{"type": "reasoning", "id": "rs"}, message("a")], None),
    "reasoning that nothing follows": ([THOUGHT], None),
    "a tool of the server's": ([SEARCH, message("a")], [SEARCH, message("a")]),
    "nulls, and states of reasoning": (
        [THOUGHT | {"status": "completed", "content": None}, CALL],
        [THOUGHT, CALL],
    ),
    "what nobody knows": ([{"type": "new", "x": 1}], [{"type": "new", "x": 1}]),
}


@pytest.mark.parametrize("name", GOES_BACK)
def test_what_text_and_calls_would_not_say_goes_back_with_the_next_turn(name):
    items, wanted = GOES_BACK[name]
    assert items_behind(*(done(item, index) for index, item in enumerate(items))) == wanted


def test_the_reasoning_of_the_end_of_its_item_goes_back_and_not_that_of_its_beginning():
    begun = added(THOUGHT | {"encrypted_content": "g"})
    assert items_behind(begun, done(THOUGHT), done(CALL, 1)) == [THOUGHT, CALL]


def test_items_that_are_too_large_do_not_go_back():
    large = THOUGHT | {"encrypted_content": "x" * 2**19}
    assert items_behind(*(done(large, index) for index in range(40)), done(CALL, 40)) is None


def test_calls_are_bounded():
    with pytest.raises(ReplyTooLargeError):
        read(body_of(*(done(call("{}", call_id=f"{n}"), n) for n in range(1100)), end()), 2**16)
    with pytest.raises(ReplyTooLargeError):
        ToolCalls().settle("c", 0, "f", "x" * (MOST_BYTES + 1))


def test_reading_tells_what_is_being_written_and_cannot_be_given_out_yet():
    for each, is_building in (
        (event("function_call_arguments.delta", delta="{"), True),
        (event("web_search_call.searching"), True),
        (event("content_part.added", part={}), False),
        (CREATED, False),
        (text("a"), False),
    ):
        translator, batch = ResponsesTranslator(), []
        translator.feed([json.dumps(each).encode()], batch)
        assert translator.is_building is is_building


def test_who_answers_is_told_behind_the_first_content():
    translator, batch = ResponsesTranslator(), []
    translator.feed([json.dumps(CREATED).encode()], batch)
    assert not batch
    translator.feed([json.dumps(event("reasoning_text.delta", delta="h")).encode()], batch)
    assert batch[0] == Reasoning("h")
    assert (batch[1].id, batch[1].model) == ("r", "m-2026")
    translator.feed([json.dumps(end()).encode()], batch)
    assert batch[-1] == Finish("stop", "completed")


def test_what_comes_once_more_when_an_answer_is_taken_up_is_not_told_twice():
    events = [CREATED, text("a"), text("b"), text("c"), text("d"), end()]
    payloads = [
        json.dumps(each | {"sequence_number": number}).encode()
        for number, each in enumerate(events)
    ]
    payloads[2] = payloads[2].replace(b'"b"', b'"b\\ud83d"')  # which goes the long way
    translator, batch = ResponsesTranslator(), []
    translator.feed(payloads[:3], batch)
    assert translator.can_be_taken_up()
    assert translator.sequence_number == 2
    translator.feed(payloads, batch)
    assert "".join(item for item in batch if isinstance(item, str)) == "ab\ufffdcd"
    assert batch[-1] == Finish("stop", "completed")


def test_an_answer_that_breaks_time_after_time_without_a_word_is_given_up():
    translator = ResponsesTranslator()
    assert not translator.can_be_taken_up()  # by which name, nobody knows
    translator.feed([json.dumps(CREATED).encode()], [])
    assert not translator.can_be_taken_up()  # nor where: all would come once more
    translator = ResponsesTranslator()
    for number in range(30):  # of which each says something
        said = CREATED | {"sequence_number": number}
        translator.feed([json.dumps(said).encode()], [])
        assert translator.can_be_taken_up()
        assert translator.breaks == 1
    assert [translator.can_be_taken_up() for _ in range(10)] == [True] * 7 + [False] * 3
