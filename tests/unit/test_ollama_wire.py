"""Ollama's wire: what is sent, and what its lines say, however they are cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncllm import (
    BadRequestError,
    ConfigurationError,
    ContextLengthError,
    Finish,
    Logprob,
    Ollama,
    ProviderError,
    RateLimitError,
    Request,
    StreamInterrupted,
    ToolCall,
    Usage,
    image,
)
from asyncllm.messages import check_messages
from asyncllm.wires.ollama import OllamaTranslator, PullReader
from asyncllm.wires.tool_calls import MOST_BYTES
from support.answers import (
    cuts_of,
    items_of,
    joined,
    json_lines,
    reply_of,
    truncations_that_finish,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
URL = "https://example.org/cat.png"
DATA = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def said(**message):
    return {"model": "m:1b", "message": {"role": "assistant", **message}, "done": False}


def end(reason="stop", **more):
    return {
        "model": "m:1b",
        "message": {"role": "assistant", "content": ""},
        "done": True,
        **({"done_reason": reason} if reason else {}),
        **more,
    }


def calling(name, arguments, **more):
    return {**more, "function": {"index": 0, "name": name, "arguments": arguments}}


TEXT = said(content="a")
CALL = said(content="", tool_calls=[calling("f", {"x": 1}, id="c1")])
TOLD = ToolCall("c1", "f", '{"x":1}')
COUNTS = {"prompt_eval_count": 3, "eval_count": 4}
SEEN = {  # what comes behind a first text: what the reply has of it
    "text": ([said(content="b"), end()], {"text": "ab", "finish_reason": "stop"}),
    "text with the end": ([{**end(), "message": {"content": "b"}}], {"text": "ab"}),
    "thinking": ([said(content="", thinking="so"), end()], {"reasoning": "so", "text": "a"}),
    "both at once": ([said(content="b", thinking="so"), end()], {"reasoning": "so", "text": "ab"}),
    "null": ([said(content=None, thinking=None, tool_calls=None), end()], {"text": "a"}),
    "no message": ([{"done": False}, end()], {"text": "a"}),
    "length": ([end("length")], {"finish_reason": "length"}),
    "no reason": ([end("")], {"finish_reason": "stop"}),
    "a reason of its own": ([end("load")], {"finish_reason": "load"}),
    "counts": ([end(**COUNTS)], {"usage": Usage(3, 4)}),
    "one count": ([end(eval_count=4)], {"usage": Usage(None, 4)}),
    "no counts": ([end()], {"usage": None}),
    "odd counts": ([end(eval_count="x")], {"usage": None}),
    "durations": ([end(load_duration=7, eval_duration=0)], {"extra": {"load_duration": 7}}),
    "the model": ([end()], {"model": "m:1b"}),
    "a call": (
        [CALL, end()],
        {
            "tool_calls": (ToolCall("c1", "f", '{"x":1}'),),
            "finish_reason": "tool_calls",
            "raw_finish_reason": "stop",
            "opaque": {},
        },
    ),
    "calls without ids": (
        [said(tool_calls=[calling("f", {}), calling("g", {"y": "ü"})]), end()],
        {"tool_calls": (ToolCall("call_0", "f", "{}"), ToolCall("call_1", "g", '{"y":"ü"}'))},
    ),
    "calls in several lines": (
        [CALL, said(tool_calls=[calling("f", {"x": 2}, id="c2")]), end()],
        {"tool_calls": (ToolCall("c1", "f", '{"x":1}'), ToolCall("c2", "f", '{"x":2}'))},
    ),
    "a call that is told twice": ([CALL, CALL, end()], {"tool_calls": (TOLD,)}),
    "another call with the same id": (
        [said(tool_calls=[calling(name, {"x": 1}, id="c1") for name in "fg"]), end()],
        {"tool_calls": (TOLD, ToolCall("call_1", "g", '{"x":1}'))},
    ),
    "a call without a name": (
        [said(tool_calls=[calling("f", {"x": 1}, id="c1"), {"function": {}}, None]), end()],
        {"tool_calls": (TOLD,)},
    ),
    "calls and length": ([CALL, end("length")], {"finish_reason": "length"}),
    "calls of another shape": ([said(tool_calls="f"), end()], {"tool_calls": ()}),
    "thinking before a call": (
        [said(thinking="I "), said(thinking="call"), CALL, end()],
        {"opaque": {"ollama": {"thinking": "I call", "tool_call_ids": ["c1"]}}},
    ),
    "likelihoods": (
        [{**said(content="b"), "logprobs": [{"token": "b", "logprob": -0.5}]}, end()],
        {"logprobs": (Logprob("b", -0.5),)},
    ),
    "unknown fields": ([{**said(content="b", mood="good"), "x": [1]}, end()], {"text": "ab"}),
    "what comes behind the end": ([end(), TEXT, {"error": "no"}], {"text": "a"}),
}


@pytest.mark.parametrize("lines", SEEN, ids=str)
def test_what_servers_send_is_in_the_reply(lines):
    events, wanted = SEEN[lines]
    items, error = items_of(json_lines(TEXT, *events), OllamaTranslator(), "json_lines")
    assert error is None
    reply = reply_of(items)
    assert {name: getattr(reply, name) for name in wanted} == wanted
    assert isinstance(items[-1], Finish)


WHOLE = json_lines(
    said(content="", thinking="Hm 🙂"), said(content="Grüße"), TEXT, CALL, end(**COUNTS)
)


@settings(max_examples=50)
@given(cuts=cuts_of(WHOLE))
def test_any_cuts_give_the_same_items(cuts):
    whole = items_of(WHOLE, OllamaTranslator(), "json_lines")
    assert whole[1] is None
    found = items_of(WHOLE, OllamaTranslator(), "json_lines", cuts)
    assert joined(found[0]) == joined(whole[0])


def test_what_is_cut_off_anywhere_is_no_whole_answer():
    body = WHOLE.rstrip()  # the line feed behind the last line says nothing
    assert truncations_that_finish(body, OllamaTranslator, "json_lines") == []


@pytest.mark.parametrize(
    ("line", "kind", "is_passing"),
    [
        ({"error": "unexpected EOF"}, ProviderError, False),
        ({"error": {"message": "slow down", "code": 429}}, RateLimitError, True),
        ({"error": "slow down", "status_code": 429}, ProviderError, False),
        ({"error": "exceeded max context length by 9 tokens"}, ContextLengthError, False),
        ({"error": ""}, ProviderError, False),
    ],
)
def test_an_error_amid_an_answer_is_one_of_ours(line, kind, is_passing):
    body = json_lines(TEXT, line, end())
    items, error = items_of(body, OllamaTranslator(), "json_lines")
    assert (type(error), error.is_passing) == (kind, is_passing)
    assert joined(items)[0] == "a"


def test_thinking_that_is_too_large_does_not_go_back():
    pieces = [said(thinking="x" * 1_000_000)] * (MOST_BYTES // 1_000_000 + 1)
    translator = OllamaTranslator()
    items, _ = items_of(json_lines(*pieces, CALL, end()), translator, "json_lines")
    reply = reply_of(items)
    assert reply.opaque == {}
    assert len(reply.reasoning) > MOST_BYTES > len("".join(translator._thought))


# --- what is sent -------------------------------------------------------------------------------


def body_for(messages="Hi", **params):
    ollama = Ollama(model="m")
    request = Request(
        base_url="http://x", model="m", messages=check_messages(messages), params=params
    )
    return ollama.ask(request).body


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({}, {}),
        ({"temperature": 0, "max_tokens": 5}, {"options": {"temperature": 0, "num_predict": 5}}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"options": {"num_predict": 6}}),
        ({"stop": "x"}, {"options": {"stop": ["x"]}}),
        ({"stop": ["x", "y"], "seed": 0}, {"options": {"stop": ["x", "y"], "seed": 0}}),
        ({"num_ctx": 8, "options": {"num_gpu": 1}}, {"options": {"num_ctx": 8, "num_gpu": 1}}),
        ({"num_ctx": 8, "options": {"num_ctx": 9}}, {"options": {"num_ctx": 9}}),
        ({"think": True, "keep_alive": -1}, {"think": True, "keep_alive": -1}),
        ({"reasoning_effort": "high"}, {"think": "high"}),
        ({"reasoning_effort": "minimal"}, {"think": "low"}),
        ({"reasoning_effort": "none"}, {"think": False}),
        ({"reasoning_effort": "high", "think": False}, {"think": False}),
        ({"response_format": {"type": "json_object"}}, {"format": "json"}),
        ({"response_format": {"type": "text"}}, {}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {"format": SCHEMA},
        ),
        ({"format": "json", "response_format": {"type": "text"}}, {"format": "json"}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [TOOL]}),
        ({"tools": [TOOL], "tool_choice": "none"}, {}),
        ({"tools": [TOOL], "parallel_tool_calls": True}, {"tools": [TOOL]}),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        (
            {"response_format": {"type": "json_schema", "schema": SCHEMA}},
            {"format": SCHEMA},
        ),
        ({"n": 1, "logit_bias": {}, "truncate": False}, {"truncate": False}),
    ],
    ids=repr,
)
def test_parameters_go_where_ollama_has_them(params, fields):
    messages = [{"role": "user", "content": "Hi"}]
    assert body_for(**params) == {"model": "m", "messages": messages, "stream": True, **fields}


CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"x":1}'}}],
}
SENT = {"id": "c1", "function": {"name": "f", "arguments": {"x": 1}}}


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ({"role": "developer", "content": "Be brief"}, {"role": "system", "content": "Be brief"}),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"text": "b"}]},
            {"role": "user", "content": "ab"},
        ),
        (
            {"role": "user", "content": [image(PNG)]},
            {"role": "user", "content": "", "images": ["iVBORw0KGgoAAAAAAAAAAA=="]},
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": DATA}}]},
            {"role": "user", "content": "", "images": ["iVBORw0KGgo="]},
        ),
        (CALLED, {"role": "assistant", "content": "", "tool_calls": [SENT]}),
        (
            {**CALLED, "ollama": {"thinking": "so", "tool_call_ids": ["c1"]}},
            {"role": "assistant", "content": "", "tool_calls": [SENT], "thinking": "so"},
        ),
        (
            {**CALLED, "ollama": {"thinking": "so", "tool_call_ids": ["c2"]}},
            {"role": "assistant", "content": "", "tool_calls": [SENT]},
        ),
        (
            {"role": "tool", "tool_call_id": "c9", "content": "sun"},
            {"role": "tool", "content": "sun", "tool_call_id": "c9"},
        ),
        (
            {"role": "tool", "tool_call_id": "c", "name": "f", "content": "sun"},
            {"role": "tool", "tool_call_id": "c", "content": "sun", "tool_name": "f"},
        ),
        (
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "assistant", "content": "No."},
        ),
    ],
    ids=lambda value: str(value.get("role")),
)
def test_messages_are_in_ollama_s_form(message, sent):
    assert body_for([message])["messages"] == [sent]


def test_a_result_names_the_function_of_its_call():
    result = {"role": "tool", "tool_call_id": "c1", "content": "sun"}
    *_, sent = body_for([CALLED, result])["messages"]
    assert sent == {"role": "tool", "content": "sun", "tool_name": "f", "tool_call_id": "c1"}


def content(part):
    return [{"role": "user", "content": [part]}]


@pytest.mark.parametrize(
    ("messages", "params", "says"),
    [
        ("Hi", {"logit_bias": {"1": 1.0}}, "Ollama has no logit_bias: leave it out \\(extra="),
        ("Hi", {"user": "u"}, "Ollama has no user"),
        ("Hi", {"tool_choice": "required"}, "can't be made to call a tool"),
        ("Hi", {"parallel_tool_calls": False}, "leave out parallel_tool_calls"),
        ("Hi", {"response_format": {"type": "xml"}}, "response_format must be"),
        ("Hi", {"response_format": "json"}, "response_format must be"),
        (
            "Hi",
            {"response_format": {"type": "json_schema", "json_schema": "{}"}},
            "with a dict as its schema",
        ),
        ("Hi", {"options": [("num_ctx", 8)]}, "options must be a dict, not list"),
        (
            [{**CALLED, "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f"}}]}],
            {},
            r"messages\[0\].tool_calls\[0\] is not a function call",
        ),
        (content(image(URL)), {}, r"content\[0\] is an image with a URL"),
        (
            content({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
            {},
            r"messages\[0\].content\[0\] is a recording, but Ollama takes text and images only",
        ),
        (
            [{**CALLED, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "["}}]}],
            {},
            r"tool_calls\[0\].function.arguments must be a JSON object",
        ),
    ],
)
def test_what_ollama_has_no_place_for_is_refused_before_it_is_sent(messages, params, says):
    with pytest.raises(ConfigurationError, match=says):
        body_for(messages, **params)


def test_a_model_is_wanted():
    with pytest.raises(ConfigurationError, match="Ollama needs a model"):
        Ollama().stream("Hi")


# --- pulls --------------------------------------------------------------------------------------

PULL = [
    {"status": "pulling manifest"},
    {"status": "pulling aa", "digest": "sha256:aa", "total": 9, "completed": 4},
    {"status": "success"},
]


@settings(max_examples=20)
@given(data=st.data())
def test_a_pull_is_told_line_by_line_however_it_is_cut(data):
    body = json_lines(*PULL)
    items, error = items_of(body, PullReader(), "json_lines", data.draw(cuts_of(body)))
    assert error is None
    assert [item.status for item in items] == [line["status"] for line in PULL]
    assert (items[1].digest, items[1].total, items[1].completed) == ("sha256:aa", 9, 4)


def test_a_pull_that_is_cut_off_anywhere_is_not_whole():
    body = json_lines(*PULL).rstrip()
    for size in range(len(body)):
        _, error = items_of(body[:size], PullReader(), "json_lines")
        assert type(error) is StreamInterrupted


@pytest.mark.parametrize(
    ("said", "kind"),
    [("file does not exist", ProviderError), ({"message": "no", "code": 400}, BadRequestError)],
)
def test_what_fails_amid_a_pull_is_one_of_ours(said, kind):
    items, error = items_of(json_lines(PULL[0], {"error": said}), PullReader(), "json_lines")
    assert len(items) == 1
    assert type(error) is kind
