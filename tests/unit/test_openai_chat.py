"""All that servers with OpenAI's wire were seen to send is in the reply, however it is cut."""

from __future__ import annotations

import json
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from asyncllm import (
    About,
    AsyncLLMError,
    AuthenticationError,
    BadRequestError,
    Citation,
    ContentFilterError,
    ContextLengthError,
    Finish,
    HTTPStatusError,
    Logprob,
    Media,
    NotFoundError,
    Ping,
    ProtocolError,
    ProviderError,
    RateLimitError,
    Reasoning,
    Refusal,
    ReplyTooLargeError,
    ServerError,
    StreamInterrupted,
    ToolCall,
    Usage,
)
from asyncllm.framing.body import BodyDecoder
from asyncllm.framing.sse import NamedEvent
from asyncllm.http.refusals import status_error
from asyncllm.stream.partial_reply import PartialReply
from asyncllm.wires.failures import explained
from asyncllm.wires.openai_chat import ChatTranslator


def payload(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def chunk(choice=None, **more):
    """Return a chunk with a choice of which the delta's fields, or others, are given."""
    return {"choices": [] if choice is None else [{"index": 0, **choice}], **more}


def delta(**fields):
    return chunk({"delta": fields, "finish_reason": None})


def end(reason="stop", **more):
    return chunk({"delta": {}, "finish_reason": reason}, **more)


def calling(**call):
    return delta(tool_calls=[call])


def body_of(*events):
    return b"".join(b"data: %s\n\n" % payload(event) for event in (*events, b"[DONE]"))


def reply_to(body, step):
    """Return the reply that a body gives in reads of so many bytes."""
    decoder, translator = BodyDecoder("text/event-stream", 2**20), ChatTranslator()
    reply = PartialReply("asked", 2**30, keep=True)
    for start in range(0, len(body), step):
        batch = []
        payloads = (decoder.events or decoder).feed(body[start : start + step])
        translator.feed(payloads, batch)
        reply.add(batch)
    assert translator.is_done
    return reply.reply()


TEXT = delta(content="a")
DETAIL = {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1"}
SUMMARY = {"type": "reasoning.summary", "index": 0, "format": "openai-responses-v1"}
ENCRYPTED = {"type": "reasoning.encrypted", "index": 1, "id": "rs_1", "data": "gAAA"}
CALL = {"index": 0, "id": "x", "function": {"name": "f", "arguments": "{}"}}
SAFE = {"hate": {"filtered": False, "severity": "safe"}}
PAGE = {"url": "https://a.example/", "title": "A", "snippet": "of a", "date": "2026-01-01"}
PNG = "data:image/png;base64,iVBORw0="


def details(*blocks, **more):
    return delta(reasoning_details=list(blocks), **more)


def counted(**usage):
    counts = {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 303}
    return chunk(usage=counts | usage)


def used(**known):
    return {"usage": Usage(12, 1, 303, **known)}


def likely(token, logprob, **more):
    return {"token": token, "logprob": logprob, "bytes": [*token.encode()], **more}


SEEN = {  # what servers send between their first text and their end: what the reply has of it
    "id, model, provider": (
        [end(id="gen-1", model="m-2026", provider="Azure")],
        {"id": "gen-1", "model": "m-2026", "provider": "Azure"},
    ),
    "Azure's first chunk": (
        [
            chunk(id="", model="", prompt_filter_results=[{"content_filter_results": SAFE}]),
            chunk({"content_filter_results": {}}, id="c-1", model="gpt"),
            chunk({"delta": {"content": ""}, "content_filter_results": SAFE}),
            chunk({"content_filter_offsets": {"start_offset": 0}, "finish_reason": None}),
        ],
        {
            "id": "c-1",
            "model": "gpt",
            "extra": {
                "prompt_filter_results": [{"content_filter_results": SAFE}],
                "content_filter_results": SAFE,
            },
        },
    ),
    "facts": (
        [end(system_fingerprint="fp", service_tier="default", timings={"cache_n": 1})],
        {
            "extra": {
                "system_fingerprint": "fp",
                "service_tier": "default",
                "timings": {"cache_n": 1},
            }
        },
    ),
    "OpenRouter's finish": (
        [chunk({"delta": {}, "finish_reason": "length", "native_finish_reason": "max_tokens"})],
        {"finish_reason": "length", "extra": {"native_finish_reason": "max_tokens"}},
    ),
    "usage": (
        [
            counted(
                prompt_tokens_details={"cached_tokens": 3, "cache_write_tokens": 4},
                completion_tokens_details={"reasoning_tokens": 290},
                cost=0.25,
            )
        ],
        used(cached_tokens=3, cache_write_tokens=4, reasoning_tokens=290, cost=0.25),
    ),
    "DeepSeek's cache": (
        [counted(prompt_cache_hit_tokens=384, prompt_tokens_details={"cached_tokens": 0})],
        used(cached_tokens=384),
    ),
    "Anthropic's cache": (
        [counted(cache_read_input_tokens=5, cache_creation_input_tokens=6)],
        used(cached_tokens=5, cache_write_tokens=6),
    ),
    "Together's cache": ([counted(cached_tokens=0)], used(cached_tokens=0)),
    "Copilot's reasoning": ([counted(reasoning_tokens=7)], used(reasoning_tokens=7)),
    "xAI's ticks": ([counted(cost_in_usd_ticks=3_080_400)], used(cost=pytest.approx(0.00030804))),
    "Perplexity's cost": ([counted(cost={"total_cost": 0.5, "request_cost": 0.1})], used(cost=0.5)),
    "Venice's cost": ([counted() | {"cost": {"usd": 0.125, "diem": 0}}], used(cost=0.125)),
    "Groq's usage": (
        [chunk(x_groq={"id": "r", "usage": counted()["usage"]})],
        used(),
    ),
    "usage that is null, and usage in each chunk": (
        [chunk({"delta": {"content": ""}}, usage=None), counted(total_tokens=1), counted()],
        used(),
    ),
    "a refusal": (
        [delta(refusal="I ", content=None), delta(refusal="can't.")],
        {"refusal": "I can't.", "text": "a"},
    ),
    "a filtered answer": ([end("content_filter")], {"finish_reason": "content_filter"}),
    "Perplexity's sources": (
        [
            chunk(
                {"delta": {"content": "b"}, "message": {"content": "ab"}},
                citations=["https://a.example/", "https://b.example/"],
                search_results=[PAGE],
            )
        ]
        * 2,
        {
            "text": "abb",
            "citations": (
                Citation("https://a.example/", "A", "of a"),
                Citation("https://b.example/"),
            ),
        },
    ),
    "annotations": (
        [
            delta(
                annotations=[
                    {"type": "url_citation", "url_citation": {"url": "u", "title": "t"}},
                    {"type": "url_citation", "url": "v", "start_index": 1, "end_index": 2},
                    {"type": "file_citation"},
                ]
            )
        ],
        {"citations": (Citation("u", "t"), Citation("v", start=1, end=2))},
    ),
    "log probabilities": (
        [
            chunk(
                {
                    "delta": {"content": "b"},
                    "logprobs": {"content": [likely("b", -0.5, top_logprobs=[likely("b", -0.5)])]},
                }
            ),
            chunk({"delta": {"content": ""}, "logprobs": {"content": [], "refusal": None}}),
            chunk({"delta": {}, "logprobs": {"content": None, "refusal": [likely("c", 0)]}}),
        ],
        {
            "text": "ab",
            "logprobs": (
                Logprob("b", -0.5, b"b", (Logprob("b", -0.5, b"b"),)),
                Logprob("c", 0, b"c"),
            ),
        },
    ),
    "Mistral's parts": (
        [
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
            delta(content=[{"type": "thinking", "thinking": "m"}, {"type": "text", "text": "b"}]),
            delta(content=[{"type": "reference", "reference_ids": [3, "4"]}, "c"]),
            delta(content="d"),
            delta(content=[{"type": "reference", "reference_ids": [4]}, {"type": "new"}, 5.5]),
        ],
        {
            "text": "abcd5.5",
            "reasoning": "hmm",
            "citations": (Citation(title="3"), Citation(title="4")),
        },
    ),
    "reasoning and its signature": (
        [
            details(DETAIL | {"text": "h"}, reasoning="h"),
            details(DETAIL | {"text": "m", "signature": ""}, reasoning="m"),
            details(DETAIL | {"signature": "sig"}),
            details(DETAIL | {"text": "again"}, reasoning="again"),
        ],
        {
            "reasoning": "hmagain",
            "opaque": {
                "reasoning_details": [
                    DETAIL | {"text": "hm", "signature": "sig"},
                    DETAIL | {"text": "again"},
                ]
            },
        },
    ),
    "a summary and what is encrypted": (
        [
            details(SUMMARY | {"summary": "h"}, reasoning="h"),
            details(SUMMARY | {"summary": "m"}, reasoning="m"),
            details(ENCRYPTED, reasoning=None),
            details(ENCRYPTED),
        ],
        {
            "reasoning": "hm",
            "opaque": {"reasoning_details": [SUMMARY | {"summary": "hm"}, ENCRYPTED, ENCRYPTED]},
        },
    ),
    "reasoning in its details alone": (
        [details(DETAIL | {"text": "h"}), details(DETAIL | {"text": "m"})],
        {"reasoning": "hm", "opaque": {"reasoning_details": [DETAIL | {"text": "hm"}]}},
    ),
    "Venice's encrypted reasoning": (
        [delta(reasoning_encrypted=False), delta(reasoning_encrypted="abc")],
        {"opaque": {"reasoning_encrypted": "abc"}},
    ),
    "DeepSeek's reasoning without calls": (
        [delta(reasoning_content="hm", content=None)],
        {"reasoning": "hm", "opaque": {}},
    ),
    "DeepSeek's reasoning with calls": (
        [delta(reasoning_content="h"), delta(reasoning_content="m"), calling(**CALL)],
        {
            "reasoning": "hm",
            "opaque": {"reasoning_content": "hm"},
            "tool_calls": (ToolCall("x", "f", "{}"),),
        },
    ),
    "Gemini's signature": (
        [calling(**CALL, extra_content={"google": {"thought_signature": "s"}}), end()],
        {
            "finish_reason": "stop",
            "tool_calls": (
                ToolCall("x", "f", "{}", '{"extra_content":{"google":{"thought_signature":"s"}}}'),
            ),
        },
    ),
    "the same id and name with each piece": (
        [calling(**CALL), calling(**CALL | {"function": {"name": "f", "arguments": " "}})],
        {"tool_calls": (ToolCall("x", "f", "{} "),)},
    ),
    "two ids at one index": (
        [calling(**CALL), calling(**CALL | {"id": "y"})],
        {"tool_calls": (ToolCall("x", "f", "{}"), ToolCall("y", "f", "{}"))},
    ),
    "OpenRouter's images": (
        [delta(images=[{"type": "image_url", "image_url": {"url": PNG}}])],
        {"media": (Media("image/png", b"\x89PNG\r"),)},
    ),
    "images by their addresses": (
        [delta(images=[{"image_url": {"url": url}} for url in ("https://a/b.JPG?c", "data:,x")])],
        {"media": (Media("image/jpeg", url="https://a/b.JPG?c"), Media("image/*", url="data:,x"))},
    ),
    "sound": (
        [delta(audio={"id": "au"}), delta(audio={"data": "AAE=", "transcript": "b"})],
        {
            "text": "ab",
            "media": (Media("audio/pcm", b"\x00\x01"),),
            "opaque": {"audio": {"id": "au"}},
        },
    ),
    "a completion's text": ([chunk({"text": "b"})], {"text": "ab"}),
    "text said twice": ([chunk({"text": "b", "delta": {"content": "b"}})], {"text": "ab"}),
    "choices that are null": ([{"choices": None}, {"choices": [None]}, chunk({})], {"text": "a"}),
    "halves of a character": (
        [rb'{"choices":[{"delta":{"content":"\ud83c"}}]}', delta(content="\udffdb")],
        {"text": "a🏽b"},
    ),
    "eos": ([end("eos")], {"finish_reason": "stop", "raw_finish_reason": "eos"}),
    "function_call": (
        [end("function_call")],
        {"finish_reason": "tool_calls", "raw_finish_reason": "function_call"},
    ),
    "no finish reason": ([], {"finish_reason": "stop", "raw_finish_reason": "stop"}),
}


@pytest.mark.parametrize("step", [2**20, 1], ids=["one piece", "byte by byte"])
@pytest.mark.parametrize("name", SEEN)
def test_what_servers_were_seen_to_send_is_in_the_reply(name, step):
    events, expected = SEEN[name]
    reply = reply_to(body_of(TEXT, *events), step)
    expected = {"text": "a", "finish_reason": "stop", "model": "asked"} | expected
    if name == "DeepSeek's reasoning with calls" or "piece" in name or "ids" in name:
        expected["finish_reason"] = "tool_calls"
    assert {name: getattr(reply, name) for name in expected} == expected


def test_usage_is_kept_as_it_was_said_for_what_has_no_field_of_its_own():
    usage = counted(queue_time=0.25)["usage"]
    assert reply_to(body_of(TEXT, chunk(usage=usage)), 2**20).extra == {"usage": usage}


def items_of(*events, misses=0):
    translator, batch = ChatTranslator(), []
    translator._vain_tries = misses
    for event in events:
        translator.feed([payload(event)], batch)
    return batch + ([] if translator.is_done else translator.close())


# --- what is said of an answer -----------------------------------------------------------------


def test_an_answer_is_told_of_behind_its_first_content_and_once_more_if_there_is_more():
    named = {"id": "i", "model": "m"}
    assert items_of(delta(role="assistant") | named, TEXT, TEXT | named, end(created=5)) == [
        "a",
        About("i", "m"),
        "a",
        About("i", "m", extra={"created": 5}),
        Finish("stop"),
    ]


def test_an_answer_that_fails_before_its_first_content_has_given_nothing_out():
    translator, batch = ChatTranslator(), []
    named = payload(delta(role="assistant") | {"id": "i", "model": "m"})
    translator.feed([Ping(), named], batch)
    with pytest.raises(ProviderError):
        translator.feed([payload({"error": "no"})], batch)
    assert batch == [Ping()]


def test_what_goes_back_is_in_the_message_of_the_next_turn():
    events = [details(DETAIL | {"text": "h", "signature": "s"}), calling(**CALL), end("tool_calls")]
    assert reply_to(body_of(*events), 2**20).message == {
        "role": "assistant",
        "content": None,
        "reasoning_details": [DETAIL | {"text": "h", "signature": "s"}],
        "tool_calls": [
            {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }


def lengthy(name, number=17):
    """Return what is too large to go back, in one of its forms."""
    each = [f"{at}" + "x" * 2**20 for at in range(number)]
    forms = {
        "text": [delta(reasoning_content=text) for text in each],
        "details": [details(DETAIL | {"text": text}) for text in each],
        "encrypted": [details(ENCRYPTED | {"data": text}) for text in each],
        "other": [details(DETAIL | {"new": [text]}) for text in each],
        "blocks": [details(*[ENCRYPTED] * 100)] * number,
    }
    return forms[name]


@pytest.mark.parametrize("name", ["text", "details", "encrypted", "other", "blocks"])
def test_what_is_too_large_to_go_back_is_left_out_and_costs_no_answer(name):
    events = [TEXT, *lengthy(name), delta(reasoning_content="x"), calling(**CALL), end()]
    translator, batch = ChatTranslator(), []
    translator.feed([payload(event) for event in events], batch)
    assert [item for item in batch + translator.close() if not isinstance(item, Reasoning)] == [
        "a",
        ToolCall("x", "f", "{}"),
        Finish("stop"),
    ]


@pytest.mark.parametrize("name", ["text", "details", "encrypted", "blocks"])
def test_what_is_not_too_large_goes_back_whole(name):
    events = [*lengthy(name, 10), calling(**CALL), end()]
    about = next(item for item in items_of(*events) if isinstance(item, About))
    assert len(json.dumps(dict(about.opaque))) > 1000 * len(json.dumps(ENCRYPTED))


def test_what_is_repeated_with_each_piece_of_a_detail_is_counted_once():
    repeated = [details(DETAIL | {"more": ["x" * 2**20], "text": "h"})] * 20
    (about, _) = items_of(*repeated, end())[-2:]
    assert about.opaque["reasoning_details"][0]["text"] == "h" * 20


# --- what is odd -------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 600) | st.floats(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
BESIDE = {  # fields that no answer may fail for, and where they are
    "chunk": [
        *("id", "model", "provider", "usage", "citations", "search_results", "cost", "x_groq"),
        *("created", "service_tier", "timings", "prompt_filter_results", "detail", "message"),
    ],
    "choice": ["logprobs", "content_filter_results", "native_finish_reason"],
    "delta": [
        *("reasoning_details", "reasoning_encrypted", "annotations", "images", "audio"),
        "provider_metadata",
    ],
}
LIKELY = {
    "usage": st.dictionaries(st.sampled_from(["prompt_tokens", "cost", "total_tokens"]), JSON),
    "reasoning_details": st.lists(
        st.fixed_dictionaries({"type": JSON, "index": JSON, "text": JSON, "data": JSON})
    ),
    "annotations": st.lists(st.fixed_dictionaries({"type": st.just("url_citation"), "url": JSON})),
    "images": st.lists(
        st.fixed_dictionaries({"image_url": JSON | st.just({"url": "data:;base64,é"})})
    ),
    "logprobs": st.fixed_dictionaries({"content": st.lists(st.dictionaries(st.text(), JSON))}),
}


def fields(where):
    values = {name: JSON | LIKELY.get(name, st.nothing()) for name in BESIDE[where]}
    return st.fixed_dictionaries({}, optional=values)


ODD = st.tuples(st.sampled_from(["", "b"]), fields("chunk"), fields("choice"), fields("delta"))


def odd_chunk(text, of_chunk, of_choice, of_delta):
    return chunk({"delta": {"content": text, **of_delta}, **of_choice}, **of_chunk)


@given(odd=st.lists(ODD, max_size=4))
def test_no_field_beside_an_answer_costs_the_answer(odd):
    for each in odd:  # what it says of a failure is one
        groq = each[1].get("x_groq")
        each[1].pop("x_groq", None) if isinstance(groq, dict) else None
        each[3].pop("audio", None) if isinstance(each[3].get("audio"), dict) else None
    events = [TEXT, *(odd_chunk(*each) for each in odd), TEXT, end()]
    items = items_of(*events)
    texts = [item for item in items if isinstance(item, str)]
    assert "".join(texts) == "a" + "".join(text for text, *_ in odd) + "a"
    assert items[-1] == Finish("stop")


@given(
    chunks=st.lists(
        st.sampled_from([events for events, _ in SEEN.values()]).map(tuple)
        | ODD.map(lambda o: (odd_chunk(*o),)),
        max_size=5,
    )
)
def test_the_shorter_way_gives_the_answer_that_the_longer_one_gives(chunks):
    events = [TEXT, *(event for events in chunks for event in events), end()]
    said = []
    for misses in (0, 99):
        try:
            items = items_of(*events, misses=misses)
        except AsyncLLMError as error:
            items = [repr(error)]
        # Facts of the answer are looked for where it begins, where it ends, and beside pieces.
        said.append([getattr(item, "opaque", {}) or item for item in items])
        said[-1] = [item for item in said[-1] if not isinstance(item, About)]
    assert said[0] == said[1]


@pytest.mark.parametrize("misses", [0, 99])
def test_only_the_first_answer_is_read_whichever_way(misses):
    other = chunk({"delta": {"content": "no"}} | {"index": 1})
    assert items_of(TEXT, other, TEXT, end(), misses=misses) == ["a", "a", Finish("stop")]


def test_what_is_nested_without_end_is_left_out():
    deep = json.loads("[" * 500 + "]" * 500)
    events = [
        details(DETAIL | {"x": deep}, reasoning="h"),
        delta(reasoning_encrypted=deep, content="a"),
        calling(**CALL, extra_content=deep),
        end("tool_calls", timings=deep),
    ]
    assert items_of(*events) == [
        Reasoning("h"),
        "a",
        ToolCall("x", "f", "{}"),
        Finish("tool_calls"),
    ]


def test_a_whole_message_with_a_delta_beside_it_is_no_end():
    both = chunk({"delta": {"content": "a"}, "message": {"content": "a"}})
    with pytest.raises(AsyncLLMError, match="cut off"):
        items_of(both)


ANSWER = payload(chunk({"message": {"content": "a"}}))


@pytest.mark.parametrize(
    ("media_type", "body", "is_whole"),
    [
        ("application/json", ANSWER, True),
        ("text/event-stream", ANSWER, True),
        ("text/event-stream", b"data: " + ANSWER + b"\n\ndata: [DONE]\n\n", True),
        ("text/event-stream", b"data: " + ANSWER + b"\n\n", False),
        ("application/x-ndjson", ANSWER + b"\n", False),
    ],
)
def test_a_message_without_a_finish_reason_is_whole_where_no_other_can_follow(
    media_type, body, is_whole
):
    decoder, translator, items = BodyDecoder(media_type, 2**20), ChatTranslator(), []
    translator.feed(decoder.feed(body), items)
    translator.feed(decoder.close(), items)
    if is_whole:
        items += [] if translator.is_done else translator.close()
        assert items == ["a", Finish("stop")]
    else:
        with pytest.raises(StreamInterrupted, match="cut off"):
            translator.close()


@pytest.mark.parametrize(
    "last",
    [*(b"[DONE] ", b" [DONE]\t", b'"[DONE]"', b"[done]"), NamedEvent("end", b"[DONE]")],
)
def test_done_is_the_end_with_whatever_around_it(last):
    translator, batch = ChatTranslator(), []
    translator.feed([payload(TEXT), last, b"{"], batch)
    assert batch == ["a", Finish("stop")]
    assert translator.is_done


WORDS = [b"null", b"", b"end", b"[]", NamedEvent("end", b""), NamedEvent("end", b"{}")]


@pytest.mark.parametrize("word", WORDS)
def test_behind_a_finish_reason_a_word_costs_nothing_and_usage_may_still_come(word):
    translator, batch = ChatTranslator(), []
    translator.feed([payload(TEXT), payload(end()), word, payload(counted())], batch)
    said = [item for item in batch + translator.close() if not isinstance(item, About)]
    assert said == ["a", used()["usage"], Finish("stop")]


@pytest.mark.parametrize("word", [word for word in WORDS if isinstance(word, bytes)])
def test_before_a_finish_reason_a_word_is_no_part_of_the_wire(word):
    with pytest.raises(ProtocolError, match="does not allow"):
        ChatTranslator().feed([payload(TEXT), word], [])


def test_halves_are_joined_in_a_refusal_and_mended_everywhere_else():
    halves = [rb'{"choices":[{"delta":{"refusal":"\ud83c"}}]}', delta(refusal="\udffd")]
    other = rb'{"id":"\ud83c","choices":[{"delta":{"annotations":'
    other += rb'[{"type":"url_citation","url":"\ud83c"}]}}]}'
    assert items_of(*halves, other, end()) == [
        Refusal("🏽"),
        Citation("\ufffd"),
        About("\ufffd"),
        Finish("stop"),
    ]


# --- errors ------------------------------------------------------------------------------------


def wrong(**error):
    return {"error": error}


TOLD = [  # what is said inside an answer, the error that it is, its status, whether it passes
    ({"error": "overloaded"}, ProviderError, None, False),
    ({"error": "no GPU", "error_type": "generation"}, ProviderError, None, False),
    ({"detail": "no"}, ProviderError, None, False),
    ({"error": {}}, ProviderError, None, False),
    (wrong(message="slow", type="rate_limit_error"), RateLimitError, 429, True),
    (wrong(message="slow", code="rate_limit_exceeded", type="tokens"), RateLimitError, 429, True),
    (wrong(message="pay", code="insufficient_quota", type="requests"), RateLimitError, 429, False),
    (wrong(message="pay", code=402), HTTPStatusError, 402, False),
    (wrong(message="busy", type="overloaded_error"), ServerError, 529, True),
    (wrong(message="failed", type="server_error"), ServerError, 500, True),
    (wrong(type="overloaded", code=529), ServerError, 529, True),
    (wrong(message="who?", code="invalid_api_key"), AuthenticationError, 401, False),
    (wrong(message="no", type="permission_error"), AuthenticationError, 403, False),
    (wrong(message="no", code="model_not_found"), NotFoundError, 404, False),
    (wrong(message="no", type="invalid_request_error"), BadRequestError, 400, False),
    (wrong(message="no", type="Bad Request"), BadRequestError, 400, False),
    (wrong(message="long", code="context_length_exceeded"), ContextLengthError, 400, False),
    (
        wrong(message="This model's maximum context length is 8 tokens.", code=400),
        ContextLengthError,
        400,
        False,
    ),
    (wrong(message="no", code="content_filter", status=400), ContentFilterError, 400, False),
    # OpenRouter: beside choices, with what the one behind it said
    (
        chunk({"delta": {"content": ""}, "finish_reason": "error"})
        | wrong(code=502, message="Provider returned error", metadata={"raw": "gone"}),
        ServerError,
        502,
        True,
    ),
    (chunk({"delta": {}, "error": {"code": 429, "message": "x"}}), RateLimitError, 429, True),
    (chunk({"delta": {}, "finish_reason": "error"}), ProviderError, None, False),
    # TGI and vLLM, before `[DONE]`
    (wrong(message="no", http_status_code=422), BadRequestError, 422, False),
    (
        wrong(object="error", message="no", type="InternalServerError", code=500),
        ServerError,
        500,
        True,
    ),
    ({"object": "error", "message": "no", "type": "BadRequestError"}, BadRequestError, 400, False),
    # Groq, Cerebras
    (chunk(x_groq={"error": "over capacity"}), ProviderError, None, False),
    (
        wrong(message="no", code="tool_use_failed", type="invalid_request_error"),
        BadRequestError,
        400,
        False,
    ),
    (wrong(message="busy") | {"status_code": 503}, ServerError, 503, True),
    ({"error": "busy", "status_code": 429}, RateLimitError, 429, True),
    # With no `error`, and no choices
    ({"choices": [], "message": "boom", "code": 500}, ServerError, 500, True),
    ({"object": "error", "code": 50001}, ProviderError, None, False),
    ({"type": "error"}, ProviderError, None, False),
    ({"type": "overloaded_error", "code": 503}, ServerError, 503, True),
    ({"type": "rate_limit_error"}, RateLimitError, 429, True),
    ({"code": "content_filter"}, ContentFilterError, 400, False),
    ({"errors": [{"message": "no"}]}, ProviderError, None, False),
    ({"title": "Internal Server Error", "status": 500}, ServerError, 500, True),
    ({"error": ""}, ProviderError, None, False),
    # In words of other cases, and so long that they are not looked through
    (chunk({"delta": {}, "finish_reason": "ERROR"}), ProviderError, None, False),
    (chunk({"delta": {}, "finish_reason": "server_error"}), ProviderError, None, False),
    (wrong(message="x" * 2**16 + "context length exceeded", code=400), BadRequestError, 400, False),
    # Gemini
    (wrong(code=429, status="RESOURCE_EXHAUSTED", message="x"), RateLimitError, 429, True),
    (wrong(status="UNAVAILABLE", message="x"), ServerError, 503, True),
]


@pytest.mark.parametrize(("said", "kind", "status", "passes"), TOLD)
def test_an_error_inside_an_answer_has_its_class_and_says_whether_it_passes(
    said, kind, status, passes
):
    translator, batch = ChatTranslator(), []
    with pytest.raises(AsyncLLMError) as caught:
        translator.feed([payload(TEXT), payload(said), b"[DONE]"], batch)
    error = caught.value
    assert (type(error), getattr(error, "status", None)) == (kind, status)
    assert error.is_passing is passes
    assert batch == ["a"]
    assert len(str(error)) > len("generation failed: ")
    assert str(error).startswith("generation failed: ")
    travelled = pickle.loads(pickle.dumps(error))
    assert (str(travelled), vars(travelled).keys()) == (str(error), vars(error).keys())


@pytest.mark.parametrize("name", ["error", "Error"])
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"in words", "in words"),
        (b"", "the server gives no reason"),
        (b"[DONE]", r"\[DONE\]"),
        (b"{}", "{}"),
        (b'{"reason":"boom"}', "boom"),
        (b'{"errors":[{"message":"boom"}]}', "boom"),
        (b'[{"error":"boom"}]', "boom"),
        (b'{"title":"Internal","status":500}', "500 .*Internal"),
        (b'{"error":', '"error":'),
        (b'{"message":"half \\ud83c"}', "half \ufffd"),
        (payload(chunk({"delta": {}}, error="boom")), "boom"),
        (payload(chunk(message="boom")), "boom"),
    ],
)
def test_an_event_that_is_named_error_is_one_whatever_it_holds(name, data, says):
    with pytest.raises((ProviderError, ServerError), match=f"generation failed: .*{says}"):
        ChatTranslator().feed([payload(TEXT), NamedEvent(name, data), b"[DONE]"], [])


@pytest.mark.parametrize(
    "event",
    [
        NamedEvent("error", payload(TEXT)),  # as JSON that stands bare is
        NamedEvent("error", payload(counted())),
        *[TEXT | {"error": nothing} for nothing in ("", 0, {}, [], False, None)],
        *[counted() | {"error": nothing} for nothing in ("", 0, {}, [])],
        chunk({"delta": {}, "error": {}}),
        {"type": "ping", "message": ""},
        {"type": "ping"},
        {"object": "chat.completion.chunk", "status": 200, "code": 0},
    ],
)
def test_what_only_has_the_fields_of_an_error_is_none(event):
    translator, batch = ChatTranslator(), []
    said = event if isinstance(event, NamedEvent) else payload(event)
    translator.feed([payload(TEXT), said, payload(end()), b"[DONE]"], batch)
    assert batch[0] == "a"
    assert batch[-1] == Finish("stop")


def test_an_error_inside_an_answer_keeps_what_the_server_said():
    said = wrong(message="bad call", code="tool_use_failed", type="x", failed_generation="<f>")
    with pytest.raises(BadRequestError) as caught:
        ChatTranslator().feed([NamedEvent("error", payload(said))], [])
    error = caught.value
    assert (error.code, error.type, error.failed_generation) == ("tool_use_failed", "x", "<f>")
    assert json.loads(error.body) == said
    assert str(error) == "generation failed: 400 bad call"
    assert (error.method, str(error.url), error.message) == ("", "", "bad call")


def test_an_error_of_no_known_kind_says_all_its_names():
    with pytest.raises(ProviderError) as caught:
        ChatTranslator().feed([payload(wrong(message="odd", type="t", code=7))], [])
    assert str(caught.value) == "generation failed: odd, t, 7"
    assert (caught.value.code, caught.value.type) == ("7", "t")


ANSWERED = [  # a status and a body: the error's class, its code, whether it passes
    (400, wrong(message="x", code="context_length_exceeded"), ContextLengthError, False),
    (400, wrong(message="x", type="exceed_context_size_error"), ContextLengthError, False),
    (413, {"message": "prompt is too long: 9 tokens > 8 maximum"}, ContextLengthError, False),
    (422, {"detail": "exceeds the available context size"}, ContextLengthError, False),
    (500, wrong(message="x", code="context_length_exceeded"), ContextLengthError, False),
    (429, wrong(message="reduce the length of the messages"), RateLimitError, True),
    (400, wrong(message="x", code="content_filter"), ContentFilterError, False),
    (400, wrong(message="x", code="invalid_request_error"), BadRequestError, False),
    (403, wrong(message="x", code="forbidden"), AuthenticationError, False),
    (404, wrong(message="x", code="model_not_found"), NotFoundError, False),
    (429, wrong(message="x", code="insufficient_quota"), RateLimitError, False),
    (429, wrong(message="x", code="rate_limit_exceeded"), RateLimitError, True),
    (402, wrong(message="x", code=402), HTTPStatusError, False),
    (503, [wrong(message="x", code=503)], ServerError, True),
    (400, {"code": "3051", "message": "x", "type": "invalid"}, BadRequestError, False),
    (500, b"<html>", ServerError, True),
    (500, b"[" * 5000, ServerError, True),
]


@pytest.mark.parametrize(("status", "body", "kind", "passes"), ANSWERED)
def test_a_refusal_is_explained_by_its_body(status, body, kind, passes):
    error = status_error(
        method="POST",
        url="https://host.example/v1",
        status=status,
        reason="no",
        headers=CIMultiDict({"retry-after": "5"}),
        body=payload(body).decode(),
    )
    error.add_note("a note")
    told = explained(error)
    assert (type(told), told.status, told.is_passing) == (kind, status, passes)
    assert (told.message, told.body, told.retry_after) == (error.message, error.body, 5.0)
    assert told.__notes__ == ["a note"]
    assert str(told) == f"POST https://host.example/v1: {status} {error.message}"


def test_a_refusal_has_the_names_that_the_server_gives_it():
    body = wrong(message="x", code="json_validate_failed", type="t", failed_generation="{")
    error = BadRequestError("POST", "http://h/", status=400, message="x", body=json.dumps(body))
    assert explained(error) is error
    assert (error.code, error.type, error.failed_generation) == ("json_validate_failed", "t", "{")
    assert explained(error) is error


# --- time and bounds ---------------------------------------------------------------------------


def sources(count, changed=0):
    """Return chunks with other addresses in the two lists, and so many of which each differs."""
    cited = [f"https://a.example/{number}" for number in range(count)]
    found = [{"url": f"https://b.example/{number}"} for number in range(count)]
    whole = payload(chunk(citations=cited, search_results=found))
    return [whole, *[payload(chunk(citations=cited[:-1], search_results=found)), whole] * changed]


LENGTHY = {  # what has so many parts: payloads of one read
    "sources": sources,
    "sources that change": lambda count: sources(count // 2, changed=2),
    "keep-alives and empty chunks": lambda count: [Ping(), b"{}"] * count,
    "keep-alives behind a call": lambda count: [payload(calling(**CALL)), Ping(), b"{}"] * count,
}


@pytest.mark.parametrize("name", LENGTHY)
def test_four_times_as_much_takes_about_four_times_as_long(name):
    def seconds_for(count):
        payloads, translator = LENGTHY[name](count), ChatTranslator()
        began = time.process_time()
        translator.feed(payloads, [])
        return time.process_time() - began

    def ratio():
        return seconds_for(4000) / max(seconds_for(1000), 0.002)

    # What is quadratic takes 16 times as long, each time that it is measured.
    assert any(ratio() < 9 for _ in range(3))


@pytest.mark.parametrize("field", ["citations", "search_results", "annotations", "reference"])
def test_an_answer_may_name_ten_thousand_sources_and_no_more(field):
    def naming(count):
        urls = [f"https://a.example/{number}" for number in range(count)]
        pages = [{"type": "url_citation", "url": url} for url in urls]
        return {
            "citations": chunk(citations=urls),
            "search_results": chunk(search_results=pages),
            "annotations": delta(annotations=pages),
            "reference": delta(content=[{"type": "reference", "reference_ids": urls}]),
        }[field]

    assert len(items_of(naming(10_000), TEXT, end())) == 10_002
    with pytest.raises(ReplyTooLargeError, match="10000 sources"):
        items_of(naming(9_999), naming(10_001))
