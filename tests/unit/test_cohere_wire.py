"""Cohere's wire: what is sent, and what its events say, however they are cut."""

import pytest
from hypothesis import given, settings

from asyncllm import (
    BadRequestError,
    Citation,
    Cohere,
    ConfigurationError,
    Finish,
    HTTPStatusError,
    Logprob,
    ProviderError,
    RateLimitError,
    Request,
    ServerError,
    StreamInterrupted,
    ToolCall,
    Usage,
    file,
    image,
)
from asyncllm.messages import check_messages
from asyncllm.wires.cohere import CohereTranslator
from asyncllm.wires.tool_calls import MOST_BYTES
from support.answers import (
    compact,
    cuts_of,
    items_of,
    joined,
    named_events,
    plain_events,
    reply_of,
    truncations_that_finish,
)

PNG = b"\x89PNG\r\n\x1a\n"
URL = "https://example.org/cat.png"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
FUNCTION = {"name": "f", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": FUNCTION}
OTHER = {"type": "function", "function": {"name": "g"}}
STRICT = {"type": "function", "function": {**FUNCTION, "strict": True}}


def event(kind, index=None, **message):
    place = {} if index is None else {"index": index}
    return {"type": kind, **place, "delta": {"message": message}}


def text(piece, index=0):
    return event("content-delta", index, content={"text": piece})


def thought(piece, index=0):
    return event("content-delta", index, content={"thinking": piece})


def call(index, name, *pieces, call_id="c1"):
    function = {"name": name, "arguments": ""}
    started = {"id": call_id, "type": "function", "function": function}
    return [
        event("tool-call-start", index, tool_calls=started),
        *[
            event("tool-call-delta", index, tool_calls={"function": {"arguments": piece}})
            for piece in pieces
        ],
        {"type": "tool-call-end", "index": index},
    ]


def cited(**more):
    source = {"type": "document", "id": "doc:0", "document": {"url": URL, "title": "Cats"}}
    return event("citation-start", 0, citations={"start": 0, "end": 1, "sources": [source], **more})


def end(reason="COMPLETE", **more):
    return {"type": "message-end", "delta": {"finish_reason": reason, **more}}


START = {
    "type": "message-start",
    "id": "m1",
    "delta": {"message": {"role": "assistant", "content": [], "tool_calls": [], "tool_plan": ""}},
}
BEGUN = [START, event("content-start", 0, content={"type": "text", "text": ""}), text("a")]
TOKENS = {"input_tokens": 9.0, "output_tokens": 5, "reasoning_tokens": 2}
BILLED = {"input_tokens": 3, "output_tokens": 4}
SEEN = {  # what comes behind a first text: what the reply has of it
    "text": ([text("b"), end()], {"text": "ab", "finish_reason": "stop", "id": "m1"}),
    "its own word": ([end()], {"raw_finish_reason": "COMPLETE"}),
    "a stop sequence": ([end("STOP_SEQUENCE")], {"finish_reason": "stop"}),
    "length": ([end("MAX_TOKENS")], {"finish_reason": "length"}),
    "another reason": ([end("NEW")], {"finish_reason": "NEW"}),
    "no reason": ([end(None)], {"finish_reason": "stop"}),
    "text in a start": (
        [event("content-start", 1, content={"type": "text", "text": "b"}), end()],
        {"text": "ab"},
    ),
    "thinking": ([thought("so", 1), end()], {"reasoning": "so"}),
    "a plan": (
        [event("tool-plan-delta", tool_plan="I'll look"), end()],
        {
            "reasoning": "I'll look",
            "opaque": {
                "cohere": {"content": [{"type": "text", "length": 1}], "tool_plan": "I'll look"}
            },
        },
    ),
    "a call": (
        [*call(0, "f", '{"x"', ":1}"), end("TOOL_CALL")],
        {"tool_calls": (ToolCall("c1", "f", '{"x":1}'),), "finish_reason": "tool_calls"},
    ),
    "parallel calls": (
        [*call(0, "f", "{}"), *call(1, "g", '{"y":2}', call_id="c2"), end("TOOL_CALL")],
        {"tool_calls": (ToolCall("c1", "f", "{}"), ToolCall("c2", "g", '{"y":2}'))},
    ),
    "no arguments": ([*call(0, "f"), end()], {"tool_calls": (ToolCall("c1", "f", "{}"),)}),
    "null arguments": (
        [*call(0, "f", "null"), end()],
        {"tool_calls": (ToolCall("c1", "f", "{}"),)},
    ),
    "arguments as an object": (
        [*call(0, "f", {"x": 1}), end()],
        {"tool_calls": (ToolCall("c1", "f", '{"x":1}'),)},
    ),
    "calls and another reason": (
        [*call(0, "f"), end()],
        {"finish_reason": "tool_calls", "raw_finish_reason": "COMPLETE"},
    ),
    "calls without a reason": ([*call(0, "f"), end(None)], {"finish_reason": "tool_calls"}),
    "usage": (
        [end(usage={"tokens": TOKENS, "billed_units": BILLED, "cached_tokens": 6})],
        {
            "usage": Usage(9, 5, cached_tokens=6, reasoning_tokens=2),
            "extra": {"billed_units": BILLED},
        },
    ),
    "what is billed alone": ([end(usage={"billed_units": BILLED})], {"usage": Usage(3, 4)}),
    "no usage": ([end(usage={})], {"usage": None}),
    "a citation": (
        [cited(type="TEXT_CONTENT"), end()],
        {"citations": (Citation(url=URL, title="Cats", start=0, end=1),)},
    ),
    "a citation in the plan": (
        [cited(type="PLAN"), end()],
        {"citations": (Citation(url=URL, title="Cats"),)},
    ),
    "a tool's citation": (
        [
            cited(sources=[{"type": "tool", "id": "c1:0", "tool_output": {"content": "sun"}}]),
            end(),
        ],
        {"citations": (Citation(title="c1:0", text="sun", start=0, end=1),)},
    ),
    "a citation without sources": ([cited(sources=None), end()], {"citations": ()}),
    "likelihoods": (
        [
            {**text("b"), "logprobs": {"text": "b", "token_ids": [1, 2], "logprobs": [-1, -0.5]}},
            end(),
        ],
        {"text": "ab", "logprobs": (Logprob("b", -1.5),)},
    ),
    "null": ([event("content-delta", 0, content=None), end()], {"text": "a"}),
    "unknown events and fields": (
        [
            {"type": "weather", "delta": {"sun": 1}},
            {**text("b"), "x": [1]},
            {"type": "debug"},
            end(),
        ],
        {"text": "ab"},
    ),
    "what comes behind the end": ([end(), text("c"), end("ERROR")], {"text": "a"}),
}


@pytest.mark.parametrize("framed", [named_events, plain_events])
@pytest.mark.parametrize("events", SEEN, ids=str)
def test_what_cohere_sends_is_in_the_reply(events, framed):
    told, wanted = SEEN[events]
    items, error = items_of(framed(*BEGUN, *told), CohereTranslator())
    assert error is None
    reply = reply_of(items)
    assert {name: getattr(reply, name) for name in wanted} == wanted
    assert isinstance(items[-1], Finish)


WHOLE = named_events(
    START,
    event("content-start", 0, content={"type": "thinking", "thinking": ""}),
    thought("Hm 🙂"),
    {"type": "content-end", "index": 0},
    event("tool-plan-delta", tool_plan="So"),
    text("Grüße", 1),
    cited(),
    *call(0, "f", '{"x"', ":1}"),
    end("TOOL_CALL", usage={"tokens": TOKENS}),
)


@settings(max_examples=50)
@given(cuts=cuts_of(WHOLE))
def test_any_cuts_give_the_same_items(cuts):
    whole = items_of(WHOLE, CohereTranslator())
    assert whole[1] is None
    found = items_of(WHOLE, CohereTranslator(), cuts=cuts)
    assert joined(found[0]) == joined(whole[0])


def test_what_is_cut_off_anywhere_is_no_whole_answer():
    # The last event ends with an empty line, without which it is none.
    assert truncations_that_finish(WHOLE, CohereTranslator) == []
    body = WHOLE[: WHOLE.rindex(b"event: message-end")] + b"data: [DONE]\n\n"
    assert type(items_of(body, CohereTranslator())[1]) is StreamInterrupted


@pytest.mark.parametrize(
    ("said", "kind", "is_passing"),
    [
        (end("ERROR", error="boom", usage={}), ProviderError, False),
        (end("ERROR", error="slow", error_type="rate_limit_error"), RateLimitError, True),
        (end("ERROR"), ProviderError, False),
        (end("ERROR_LIMIT"), ProviderError, False),
        (end("COMPLETE", error="boom"), ProviderError, False),
        (end("TIMEOUT"), ServerError, True),
        ({"type": "message-end", "error": "boom"}, ProviderError, False),
        ({**end(), "error": "boom"}, ProviderError, False),
        ({"type": "error", "message": "no", "status_code": 422}, BadRequestError, False),
        ({"message": "internal server error", "code": 500}, ServerError, True),
    ],
    ids=repr,
)
def test_an_error_under_a_200_is_one_of_ours(said, kind, is_passing):
    items, error = items_of(plain_events(*BEGUN, said), CohereTranslator())
    assert (type(error), error.is_passing) == (kind, is_passing)
    assert joined(items)[0] == "a"


def test_thinking_that_is_too_large_does_not_go_back():
    pieces = [thought("x" * 1_000_000)] * (MOST_BYTES // 1_000_000 + 1)
    body = plain_events(START, *pieces, text("a"), cited(), end())
    translator = CohereTranslator()
    reply = reply_of(items_of(body, translator)[0])
    assert reply.opaque == {}
    assert translator._kept._blocks == translator._kept._citations == []
    assert len(reply.reasoning) > MOST_BYTES


# --- what is sent -------------------------------------------------------------------------------


def body_for(messages="Hi", **params):
    request = Request(
        base_url="http://x", model="m", messages=check_messages(messages), params=params
    )
    return Cohere(api_key="k", model="m").ask(request).body


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"temperature": 0, "top_p": 0.5, "top_k": 3}, {"temperature": 0, "p": 0.5, "k": 3}),
        ({"top_p": 0.5, "p": 0.6}, {"p": 0.6}),
        ({"max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"stop": "x", "seed": 0}, {"stop_sequences": ["x"], "seed": 0}),
        ({"presence_penalty": 0.5, "logprobs": True}, {"presence_penalty": 0.5, "logprobs": True}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}}),
        (
            {"reasoning_effort": "high", "thinking": {"token_budget": 9}},
            {"thinking": {"token_budget": 9}},
        ),
        ({"documents": ["d"], "safety_mode": "OFF"}, {"documents": ["d"], "safety_mode": "OFF"}),
        (
            {"response_format": {"type": "json_object"}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {"response_format": {"type": "json_object", "json_schema": SCHEMA}},
        ),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [TOOL]}),
        ({"tools": [TOOL], "tool_choice": "none"}, {"tools": [TOOL], "tool_choice": "NONE"}),
        (
            {"tools": [TOOL], "tool_choice": "required"},
            {"tools": [TOOL], "tool_choice": "REQUIRED"},
        ),
        (
            {"tools": [TOOL, OTHER], "tool_choice": OTHER},
            {"tools": [OTHER], "tool_choice": "REQUIRED"},
        ),
        (
            {"tools": (TOOL, OTHER), "tool_choice": OTHER},
            {"tools": [OTHER], "tool_choice": "REQUIRED"},
        ),
        (
            {"response_format": {"type": "json_schema", "schema": SCHEMA}},
            {"response_format": {"type": "json_object", "json_schema": SCHEMA}},
        ),
        ({"tools": [STRICT, OTHER]}, {"tools": [TOOL, OTHER], "strict_tools": True}),
        ({"tools": [], "tool_choice": "auto", "n": 1, "parallel_tool_calls": True}, {}),
    ],
    ids=repr,
)
def test_parameters_go_by_cohere_s_names(params, fields):
    messages = [{"role": "user", "content": "Hi"}]
    assert body_for(**params) == {"model": "m", "messages": messages, "stream": True, **fields}


CALLS = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
CALLED = {"role": "assistant", "content": None, "tool_calls": CALLS}
OWN = {"content": [{"type": "thinking", "thinking": "so"}], "tool_call_ids": ["c1"]}
ANSWER = {
    "content": [
        {"type": "text", "length": 1},
        {"type": "thinking", "thinking": "so"},
        {"type": "text", "length": 2},
    ],
    "citations": [{"start": 0, "end": 1}],
}
PART = {"type": "document", "document": {"data": {"x": "y"}}}


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ({"role": "developer", "content": "Be brief"}, {"role": "system", "content": "Be brief"}),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, image(URL, detail="low")]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
                ],
            },
        ),
        (
            {"role": "user", "content": [image(PNG)]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="},
                    }
                ],
            },
        ),
        (CALLED, {"role": "assistant", "tool_calls": CALLS}),
        (
            {**CALLED, "cohere": {**OWN, "tool_plan": "plan"}},
            {
                "role": "assistant",
                "tool_calls": CALLS,
                "content": OWN["content"],
                "tool_plan": "plan",
            },
        ),
        (
            {**CALLED, "cohere": {**OWN, "tool_call_ids": []}},
            {"role": "assistant", "tool_calls": CALLS},
        ),
        (
            {"role": "assistant", "content": "abc", "cohere": ANSWER},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "thinking", "thinking": "so"},
                    {"type": "text", "text": "bc"},
                ],
                "citations": [{"start": 0, "end": 1}],
            },
        ),
        (
            {"role": "assistant", "content": "edited", "cohere": ANSWER},
            {"role": "assistant", "content": "edited"},
        ),
        *[
            (
                {"role": "assistant", "content": "abc", "cohere": {"content": blocks}},
                {"role": "assistant", "content": "abc"},
            )
            for blocks in [
                [{"type": "text", "length": -1}, {"type": "text", "length": 4}],
                [{"type": "text", "length": 10**30}, {"type": "text", "length": 3 - 10**30}],
            ]
        ],
        (
            {"role": "tool", "tool_call_id": "c1", "content": [PART]},
            {"role": "tool", "tool_call_id": "c1", "content": [PART]},
        ),
    ],
    ids=lambda value: str(value.get("role")),
)
def test_messages_are_in_cohere_s_form(message, sent):
    assert body_for([message])["messages"] == [sent]


def test_what_came_goes_back_as_cohere_has_it():
    events = [START, thought("so"), text("ab", 1), text("c", 1), cited(), *call(0, "f", "{}")]
    items, _ = items_of(named_events(*events, end("TOOL_CALL")), CohereTranslator())
    (sent,) = body_for([reply_of(items).message])["messages"]
    assert sent["content"] == [
        {"type": "thinking", "thinking": "so"},
        {"type": "text", "text": "abc"},
    ]
    assert compact(sent["citations"][0]) == compact(cited()["delta"]["message"]["citations"])
    assert sent["tool_calls"] == CALLS


@pytest.mark.parametrize(
    ("messages", "params", "says"),
    [
        ("Hi", {"logit_bias": {"1": 1.0}}, "Cohere has no logit_bias: leave it out \\(extra="),
        ("Hi", {"top_logprobs": 2}, "Cohere has no top_logprobs"),
        ("Hi", {"parallel_tool_calls": False}, "leave out parallel_tool_calls"),
        ("Hi", {"tools": [TOOL], "tool_choice": OTHER}, "names 'g', which is not in tools"),
        ("Hi", {"tool_choice": "required"}, "there are no tools"),
        (
            "Hi",
            {"response_format": {"type": "json_schema", "json_schema": "{}"}},
            "with a dict as its schema",
        ),
        (
            [{**CALLED, "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f"}}]}],
            {},
            r"messages\[0\].tool_calls\[0\] is not a function call",
        ),
        (
            [{"role": "user", "content": [file(b"%PDF-1.4")]}],
            {},
            r"messages\[0\].content\[0\] is a file, but Cohere takes text and images only",
        ),
    ],
)
def test_what_cohere_has_no_place_for_is_refused_before_it_is_sent(messages, params, says):
    with pytest.raises(ConfigurationError, match=says):
        body_for(messages, **params)


@pytest.mark.parametrize(("status", "is_passing"), [(499, True), (498, False), (429, True)])
def test_a_cancelled_request_is_tried_again(status, is_passing):
    error = HTTPStatusError("POST", "http://x", status=status, message="request cancelled")
    request = Request(base_url="", model="", messages=[], params={})
    assert Cohere(api_key="k").explain(request, error).is_passing is is_passing
