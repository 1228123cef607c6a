"""What Gemini's servers send is in the items, however it is cut; what is cut off is an error."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncllm import (
    AsyncLLMError,
    AuthenticationError,
    BadRequestError,
    Citation,
    ContextLengthError,
    HTTPStatusError,
    Logprob,
    Media,
    NotFoundError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    ReplyTooLargeError,
    ServerError,
    StreamInterrupted,
    ToolCall,
    ToolResult,
    Usage,
)
from asyncllm.framing.body import BodyDecoder
from asyncllm.http.refusals import status_error
from asyncllm.stream.partial_reply import PartialReply
from asyncllm.wires.failures import explained
from asyncllm.wires.gemini import GeminiTranslator


def chunk(*parts, reason=None, usage=None, **more):
    """Return a chunk with these parts; a `str` is one of text."""
    said = [{"text": part} if isinstance(part, str) else part for part in parts]
    candidate = {"content": {"parts": said, "role": "model"}, "index": 0, **more}
    candidate |= {"finishReason": reason} if reason else {}
    event = {"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r-1"}
    return event | ({"usageMetadata": usage} if usage else {})


def call(name, **fields):
    return {"functionCall": {"name": name, **fields}}


def sse(*events):
    return b"".join(b"data: %s\r\n\r\n" % json.dumps(event).encode() for event in events)


def array(*events):
    return b"[%s\n]\n" % b"\n,\r\n".join(json.dumps(event, indent=1).encode() for event in events)


def read(body, pieces=None, content_type="text/event-stream", translator=None):
    """Return the reply that a body gives, and the error that ended it, if one did."""
    decoder, translator = BodyDecoder(content_type, 2**24), translator or GeminiTranslator()
    reply, batch, error = PartialReply("asked", 2**30, keep=True), [], None
    try:
        for piece in pieces if pieces is not None else [body]:
            payloads = (decoder.events or decoder).feed(piece)
            translator.feed(payloads, batch)
            decoder.check()
        if not translator.is_done:
            translator.feed(decoder.close(), batch)
            batch += translator.close()
    except AsyncLLMError as caught:
        error = caught
    reply.add(batch)
    return reply.reply(), error


def bytewise(body):
    return [body[at : at + 1] for at in range(len(body))]


END = chunk("", reason="STOP")
CALL = ToolCall("call_r-1_0", "f", '{"a":1}')
COUNTS = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
WEB = [{"web": {"uri": f"https://{n}.example", "title": n}} for n in "ab"]
RAN = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
SIGNED = {"thoughtSignature": "c2ln"}


def partial(path, **value):
    return {"functionCall": {"partialArgs": [{"jsonPath": path, **value}], "willContinue": True}}


def streamed(*pieces, ended=True):
    parts = [call("f", willContinue=True), *pieces, *([{"functionCall": {}}] if ended else [])]
    return [*(chunk(part) for part in parts), END]


SEEN = {  # what servers send: what the reply has of it
    "text": ([chunk("a"), chunk("b"), END], {"text": "ab", "finish_reason": "stop"}),
    "who answers": ([END], {"id": "r-1", "model": "gemini-x"}),
    "thinking": (
        [chunk({"text": "hm", "thought": True}), chunk("a"), END],
        {"reasoning": "hm", "text": "a"},
    ),
    "a reason in each chunk": (
        [chunk("a", reason="STOP"), chunk("b", reason="MAX_TOKENS")],
        {"text": "ab", "finish_reason": "length", "raw_finish_reason": "MAX_TOKENS"},
    ),
    "a reason as a number": (
        [{"candidates": [{"finishReason": 1}]}],
        {"finish_reason": "stop", "raw_finish_reason": "STOP"},
    ),
    "a candidate without content, content without parts": (
        [{"candidates": [{"index": 0}]}, {"candidates": [{"content": {}}]}, chunk("a"), END],
        {"text": "a"},
    ),
    "usage behind the reason": (
        [chunk("a", reason="STOP"), {"usageMetadata": COUNTS}],
        {"usage": Usage(5, 2, 7)},
    ),
    "thoughts beside candidates, cached in the prompt": (
        [chunk(reason="STOP", usage=COUNTS | {"thoughtsTokenCount": 9,
                                              "cachedContentTokenCount": 3})],
        {"usage": Usage(5, 11, 7, cached_tokens=3, reasoning_tokens=9)},
    ),
    "a later chunk that lacks a count": (
        [
            chunk("a", usage={"promptTokenCount": 5, "thoughtsTokenCount": 9}),
            chunk("b", usage=COUNTS),
            chunk("c", usage={"candidatesTokenCount": 3}),
            END,
        ],
        {"usage": Usage(5, 12, 7, reasoning_tokens=9)},
    ),
    "usage of another shape": (
        [chunk("a"), chunk("b", usage={"promptTokenCount": "x", "totalTokenCount": "4"}), END],
        {"usage": Usage(None, None, 4), "text": "ab"},
    ),
    "calls, then STOP with an empty text": (
        [chunk(call("f", args={"a": 1})), chunk(call("g", id="x-1"), ""), END],
        {"tool_calls": (CALL, ToolCall("x-1", "g", "{}")), "finish_reason": "tool_calls"},
    ),
    "arguments in pieces": (
        streamed(
            partial("$.a", stringValue="x ", willContinue=True),
            partial("$.a", stringValue="y"),
            partial("$['b c'][0].d", numberValue=2),
            partial("$['b c'][0].e", boolValue=False),
            partial("$['b c'][1]", nullValue="NULL_VALUE"),
            partial('$["q\\"r"]', stringValue=""),
        ),
        {
            "tool_calls": (
                ToolCall(
                    "call_r-1_0", "f",
                    '{"a":"x y","b c":[{"d":2,"e":false},null],"q\\"r":""}',
                ),
            )
        },
    ),
    "arguments in pieces that a finish ends": (
        streamed(partial("$.a", numberValue=1), ended=False),
        {"tool_calls": (CALL,)},
    ),
    "arguments in pieces that a next name ends": (
        streamed(partial("$.a", numberValue=1), call("g"), ended=False),
        {"tool_calls": (CALL, ToolCall("call_r-1_1", "g", "{}"))},
    ),
    "a text that is written anew": (
        streamed(partial("$.a", stringValue="x"), partial("$.a", stringValue="y")),
        {"tool_calls": (ToolCall("call_r-1_0", "f", '{"a":"y"}'),)},
    ),
    "an end of no call": ([chunk({"functionCall": {}}), END], {"tool_calls": ()}),
    "code that was run": (
        [
            chunk(RAN),
            chunk({"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "no"}}),
            chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1", "id": "i"}}),
            END,
        ],
        {
            "tool_results": (
                ToolResult("", "code_execution", "no", is_error=True),
                ToolResult("i", "code_execution", "1"),
            ),
            "text": "",
        },
    ),
    "a tool of the server's": (
        [chunk({"toolCall": {"id": "t"}},
               {"toolResponse": {"id": "t", "toolType": "MAPS", "response": {"n": 1}}}), END],
        {"tool_results": (ToolResult("t", "MAPS", '{"n":1}'),)},
    ),
    "an image, a draft of it, and a file": (
        [
            chunk({"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thought": True}),
            chunk({"inlineData": {"mimeType": "image/png", "data": "aG8="}}),
            chunk({"fileData": {"mimeType": "video/mp4", "fileUri": "https://f.example"}}),
            chunk({"inlineData": {"data": "?"}}),
            END,
        ],
        {"media": (Media("image/png", b"ho"), Media("video/mp4", url="https://f.example"))},
    ),
    "sources": (
        [
            chunk("a", groundingMetadata={"groundingChunks": WEB[:1]}),
            chunk(
                reason="STOP",
                groundingMetadata={
                    "groundingChunks": WEB,
                    "groundingSupports": [
                        {"segment": {"endIndex": 4}, "groundingChunkIndices": [0, 1, 7]},
                        {"segment": {"startIndex": 5, "endIndex": 9}, "groundingChunkIndices": [0]},
                    ],
                },
                citationMetadata={"citationSources": [{"uri": "https://c.example"}]},
            ),
        ],
        {
            "citations": (
                Citation("https://a.example", "a"),
                Citation("https://a.example", "a", start=0, end=4),
                Citation("https://b.example", "b", start=0, end=4),
                Citation("https://a.example", "a", start=5, end=9),
                Citation("https://c.example"),
            )
        },
    ),
    "likelihoods": (
        [
            chunk(
                "a",
                reason="STOP",
                logprobsResult={
                    "chosenCandidates": [{"token": "a", "logProbability": -1.5}],
                    "topCandidates": [{"candidates": [{"token": "b", "logProbability": -2}]}],
                },
            )
        ],
        {"logprobs": (Logprob("a", -1.5, top=(Logprob("b", -2.0),)),)},
    ),
    "a blocked prompt": (
        [{"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}],
        {
            "finish_reason": "content_filter",
            "raw_finish_reason": "SAFETY",
            "usage": Usage(4),
        },
    ),
    "what is unknown": (
        [
            {"hello": 1},
            {"candidates": [{"index": 1, "content": {"parts": [{"text": "no"}]}}, None]},
            chunk("a", {"news": {}}, {"text": "b", "partMetadata": {}}, None),
            chunk("c", more={"x": 1}),
            chunk("no", index=1),
            chunk("d"),
            END,
        ],
        {"text": "abcd"},
    ),
    "a gateway's [DONE]": ([chunk("a", reason="STOP")], {"text": "a"}),
}  # fmt: skip


def check(reply, wanted):
    assert {name: getattr(reply, name) for name in wanted} == wanted


@pytest.mark.parametrize("name", SEEN)
def test_the_reply_has_what_came_as_events_or_as_an_array_in_one_piece_or_bytewise(name):
    events, wanted = SEEN[name]
    bodies = [(sse(*events), "text/event-stream"), (array(*events), "application/json")]
    if "DONE" in name:
        bodies = [(sse(*events) + b"data: [DONE]\n\n", "text/event-stream")]
    for body, content_type in bodies:
        whole, error = read(body, content_type=content_type)
        assert error is None
        check(whole, wanted)
        pieces, error = read(body, bytewise(body), content_type)
        assert (pieces, error) == (whole, None)


def test_one_object_in_the_place_of_a_stream_is_read_as_a_whole_answer():
    body = json.dumps(chunk("a", call("f", args={"a": 1}), reason="STOP", usage=COUNTS)).encode()
    for content_type in ("application/json", "text/event-stream"):
        reply, error = read(body, content_type=content_type)
        assert error is None
        check(reply, {"text": "a", "tool_calls": (CALL,), "usage": Usage(5, 2, 7)})


ALL = [event for events, _ in SEEN.values() for event in events if "blockReason" not in str(event)]


@settings(max_examples=60, deadline=None)
@given(
    chosen=st.lists(st.sampled_from(ALL), min_size=1, max_size=8),
    places=st.lists(st.integers(0, 5000), max_size=6),
    ends=st.sampled_from([b"\r\n", b"\n", b"\r"]),
    as_array=st.booleans(),
)
def test_any_cut_gives_the_same(chosen, places, ends, as_array):
    body = array(*chosen, END) if as_array else sse(*chosen, END).replace(b"\r\n", ends)
    points = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    pieces = [body[start:end] for start, end in pairwise(points)]
    (one, error), (other, of_pieces) = read(body), read(body, pieces)
    assert (other, repr(of_pieces)) == (one, repr(error))


@pytest.mark.parametrize("form", [sse, array])
def test_every_truncation_ends_in_an_error_with_what_had_come(form):
    body = form(
        chunk({"text": "hm", "thought": True}, usage=COUNTS),
        chunk("Hello ", usage=COUNTS),
        chunk("wörld", usage=COUNTS),
        chunk(call("f", args={"a": 1}), usage=COUNTS),
        *streamed(partial("$.a", numberValue=1))[:-1],
        chunk("", reason="STOP", usage=COUNTS),
    )
    whole, error = read(body)
    assert (error, whole.text) == (None, "Hello wörld")
    # Of the last line end the last byte says nothing.
    for length in range(len(body.rstrip())):
        reply, error = read(body, [body[:length]])
        assert isinstance(error, StreamInterrupted | ProtocolError), length
        assert reply.finish_reason is None
        assert whole.text.startswith(reply.text)


REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER"),
            "ESCALATION",
        ),
        "content_filter",
    ),
    **{word: word for word in ("LANGUAGE", "OTHER", "NO_IMAGE", "SOMETHING_NEW")},
}


@pytest.mark.parametrize("word", REASONS)
def test_every_reason_is_one_of_ours_or_the_server_s_own_word(word):
    reply, error = read(sse(chunk("a"), chunk("", reason=word, finishMessage="why")))
    assert (error, reply.finish_reason) == (None, REASONS[word])
    assert reply.raw_finish_reason == word
    assert reply.extra["finishMessage"] == "why"


@pytest.mark.parametrize(
    "word",
    [
        *("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "MISSING_THOUGHT_SIGNATURE"),
        *("UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"),
    ],
)
def test_a_fault_is_an_error_with_what_the_model_wrote_and_what_it_cost(word):
    end = chunk(reason=word, finishMessage="print(f(", usage=COUNTS)
    reply, error = read(sse(chunk("a"), end))
    assert isinstance(error, ProviderError)
    assert (error.type, error.failed_generation, error.is_passing) == (word, "print(f(", False)
    assert (reply.text, reply.usage, reply.finish_reason) == ("a", Usage(5, 2, 7), None)


def complaint(code, status, *details, message="no"):
    return {"error": {"code": code, "message": message, "status": status, "details": [*details]}}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
TOO_LONG = "The input token count (11) exceeds the maximum number of tokens allowed (10)."
ERRORS = [  # what the server says: its class, whether it is tried again, and after how long
    (complaint(400, "INVALID_ARGUMENT"), BadRequestError, False, None),
    (complaint(400, "INVALID_ARGUMENT", message=TOO_LONG), ContextLengthError, False, None),
    (complaint(400, "INVALID_ARGUMENT", BAD_KEY), AuthenticationError, False, None),
    (complaint(400, "FAILED_PRECONDITION"), BadRequestError, False, None),
    (complaint(401, "UNAUTHENTICATED"), AuthenticationError, False, None),
    (complaint(403, "PERMISSION_DENIED"), AuthenticationError, False, None),
    (complaint(404, "NOT_FOUND"), NotFoundError, False, None),
    (complaint(429, "RESOURCE_EXHAUSTED", RETRY), RateLimitError, True, 34.5),
    (complaint(429, "RESOURCE_EXHAUSTED", {"@type": 1}, "x"), RateLimitError, True, None),
    (complaint(499, "CANCELLED"), HTTPStatusError, False, None),
    (complaint(500, "INTERNAL"), ServerError, True, None),
    (complaint(503, "UNAVAILABLE"), ServerError, True, None),
    (complaint(504, "DEADLINE_EXCEEDED"), ServerError, True, None),
]


@pytest.mark.parametrize(("said", "kind", "passes", "after"), ERRORS)
def test_an_error_is_of_its_class_wherever_it_stands(said, kind, passes, after):
    bare = json.dumps(said, indent=2).encode()
    before = sse(chunk("a"))
    bodies = {
        "bare, without data:": before + bare + b"\n",
        "bare, with CRLF": before + bare.replace(b"\n", b"\r\n"),
        "bare, in a list": before + b"[" + bare + b"\n]\n",
        "as an event": before + sse(said),
        "in the array": array(chunk("a"), said),
        "in an array that has no end": array(chunk("a"), said).rstrip(b"]\n"),
    }
    for where, body in bodies.items():
        for pieces in ([body], bytewise(body)):
            reply, error = read(body, pieces)
            assert type(error) is kind, where
            assert (error.is_passing, error.retry_after) == (passes, after), where
            assert error.status == said["error"]["code"]
            assert reply.text == "a"
    status = said["error"]["code"]
    for body in (bare.decode(), json.dumps([said])):
        answered = status_error(
            method="POST", url="http://x", status=status, reason="", headers={}, body=body
        )
        error = explained(answered)
        assert (type(error), error.retry_after, error.type) == (
            kind,
            after,
            said["error"]["status"],
        )


def test_a_header_that_says_how_long_to_wait_comes_before_the_body():
    body = json.dumps(complaint(429, "RESOURCE_EXHAUSTED", RETRY))
    headers = {"Retry-After": "2"}
    answered = status_error(
        method="POST", url="http://x", status=429, reason="", headers=headers, body=body
    )
    assert explained(answered).retry_after == 2


@pytest.mark.parametrize("delay", ["soon", "-1s", "infs", 5, None, {}])
def test_a_delay_that_is_none_is_passed_over(delay):
    said = complaint(429, "RESOURCE_EXHAUSTED", RETRY | {"retryDelay": delay})
    _, error = read(sse(said))
    assert error.retry_after in (None, 5)


@pytest.mark.parametrize(
    "path", ["", "a", "$", "$[0]", "$.a[1]", "$.a.b", "$..a", "$.a[*]", "$.t.u", "$" + ".a" * 101]
)
def test_an_argument_for_no_place_is_an_error(path):
    body = sse(
        *streamed(partial("$.t", stringValue="x"), partial(path, numberValue=1), partial("$.a[0]"))
    )
    reply, error = read(body)
    if path == "$.a.b":
        assert reply.tool_calls[0].parsed_arguments == {"t": "x", "a": {"b": 1}}
    else:
        assert isinstance(error, ProtocolError)
        assert reply.tool_calls == ()


LARGE = "x" * 1_000_000
ENDLESS = {  # a piece of a call that does not end, by its number
    "a text": lambda _: partial("$.a", stringValue=LARGE, willContinue=True),
    "a path": lambda n: partial(f"$.a{n}{LARGE}", numberValue=1),
    "the path of a text": lambda n: partial(f"$.a{n}{LARGE}", stringValue=""),
    "a value": lambda n: partial(f"$.a{n}", numberValue=[LARGE]),
    "arguments": lambda n: {"functionCall": {"args": {f"a{n}": LARGE}, "willContinue": True}},
}


@pytest.mark.parametrize("name", ENDLESS)
def test_arguments_in_pieces_are_bounded(name):
    _, error = read(sse(*streamed(*[ENDLESS[name](n) for n in range(20)])))
    assert isinstance(error, ReplyTooLargeError)


def test_arguments_may_come_in_very_many_pieces():
    piece = partial("$.a", stringValue="abc ", willContinue=True)
    reply, error = read(sse(*streamed(*[piece] * 70_000)))
    assert error is None
    assert len(reply.tool_calls[0].parsed_arguments["a"]) == 280_000


def test_what_is_written_but_not_given_out_counts_as_content():
    translator, batch = GeminiTranslator(), []
    for part, adds in ((call("f", willContinue=True), True), ("", False), (RAN, True)):
        translator.feed([json.dumps(chunk(part)).encode()], batch)
        assert translator.is_building is adds


# --- going on ------------------------------------------------------------------------------------


def test_an_answer_goes_on_in_the_next_request_and_is_counted_with_it():
    translator = GeminiTranslator()
    for token in ("one", "two"):
        end = chunk("a", reason="CONTINUATION", continuationToken=token, usage=COUNTS)
        reply, error = read(sse(end), translator=translator)
        assert (error, reply.finish_reason, translator.token) == (None, None, token)
        translator.go_on()
    reply, error = read(sse(chunk("b", usage=COUNTS), END), translator=translator)
    assert (error, reply.finish_reason, translator.token) == (None, "stop", "")
    assert reply.usage == Usage(15, 6, 21)


@pytest.mark.parametrize("token", [None, "", {}])
def test_an_answer_that_goes_on_without_a_token_is_cut_off(token):
    _, error = read(sse(chunk("a", reason="CONTINUATION", continuationToken=token)))
    assert isinstance(error, StreamInterrupted)


def test_a_token_may_come_before_the_answer_is_to_go_on():
    translator = GeminiTranslator()
    early = chunk("b", continuationToken="t")
    _, error = read(sse(chunk("a"), early, chunk("", reason="CONTINUATION")), translator=translator)
    assert (error, translator.token) == (None, "t")


def test_an_answer_does_not_go_on_for_ever():
    translator = GeminiTranslator()
    body = sse(chunk("a", reason="CONTINUATION", continuationToken="t"))
    for _ in range(63):
        assert read(body, translator=translator)[1] is None
        translator.go_on()
    assert "after 64 requests" in str(read(body, translator=translator)[1])


def test_of_code_that_is_run_without_end_the_first_runs_are_told():
    reply, _ = read(sse(*[chunk(RAN)] * 150, END))
    assert len(reply.extra["executableCode"]) == 100


# --- what goes back ------------------------------------------------------------------------------


def kept(*events):
    return read(sse(*events, END))[0].message.get("gemini")


def test_what_only_the_server_understands_is_kept_by_its_place():
    assert kept(
        chunk({"text": "hm", "thought": True}, {"text": "hm", "thought": True, **SIGNED}),
        chunk("ab"),
        chunk("c"),
        chunk({"text": "", **SIGNED}),
        chunk({**call("f"), **SIGNED}),
        chunk(call("g", id="x")),
        chunk(RAN),
    ) == {
        "parts": [
            {"part": {"text": "hm", "thought": True, **SIGNED}},
            {"text": 3},
            {"text": 0, "signature": "c2ln"},
            {"call": "call_r-1_0", "signature": "c2ln", "unnamed": True},
            {"call": "x"},
            {"part": RAN},
        ]
    }


def test_the_signature_of_a_call_in_pieces_is_that_of_any_of_them():
    first, *rest = streamed({**partial("$.a", numberValue=1), **SIGNED})
    assert kept(first, *rest[:-1])["parts"][0]["signature"] == "c2ln"


def test_nothing_is_kept_of_what_text_and_calls_say_alone():
    assert kept(chunk({"text": "hm", "thought": True}), chunk("a"), chunk(call("f"))) is None


def test_what_is_too_large_is_not_kept_nor_any_part_of_it():
    large = {"inlineData": {"mimeType": "image/png", "data": "AAAA" * 2_000_000}}
    assert kept(chunk({"text": "a", **SIGNED}), chunk(large)) is not None
    assert kept(chunk({"text": "a", **SIGNED}), *[chunk(large)] * 3) is None
