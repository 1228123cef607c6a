"""TGI's own server: what is sent, and what its events say, however they are cut."""

import pytest
from hypothesis import given, settings

from asyncllm import (
    TGI,
    BadRequestError,
    ConfigurationError,
    ContextLengthError,
    Logprob,
    ProviderError,
    RateLimitError,
    Request,
    ServerError,
    StreamInterrupted,
    Usage,
    image,
)
from asyncllm.messages import check_messages
from asyncllm.wires.tgi import TGITranslator
from support.answers import (
    cuts_of,
    items_of,
    joined,
    plain_events,
    reply_of,
    truncations_that_finish,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOO_LONG = "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4000 `inputs` tokens"


def token(text, *, special=False, **more):
    said = {"id": 1, "text": text, "logprob": -0.5, "special": special}
    return {"index": 1, "token": said, "generated_text": None, "details": None, **more}


def last(text, whole, reason="eos_token", *, special=True):
    details = {"finish_reason": reason, "generated_tokens": 3, "input_length": 7, "seed": None}
    return token(text, special=special, generated_text=whole, details=details)


def translator(**options):
    return TGITranslator(stops_early=False, **options)


@pytest.mark.parametrize(
    ("event", "text", "reason", "raw"),
    [
        (last("</s>", "a"), "a", "stop", "eos_token"),
        (last("b", "ab", "length", special=False), "ab", "length", "length"),
        (last("!", "a!", "stop_sequence", special=False), "a!", "stop", "stop_sequence"),
        (last("b", "ab", "new", special=False), "ab", "new", "new"),
    ],
)
def test_the_last_event_says_why_it_is_the_last_and_counts(event, text, reason, raw):
    items, error = items_of(plain_events(token("a"), event), translator())
    reply = reply_of(items)
    assert error is None
    assert (reply.text, reply.finish_reason, reply.usage) == (text, reason, Usage(7, 3))
    assert raw in (reply.raw_finish_reason, reply.finish_reason)


@pytest.mark.parametrize("details", [None, "x", [], {"generated_tokens": "x", "seed": {}}])
def test_details_of_another_shape_cost_no_answer(details):
    event = {**last("</s>", "a"), "details": details}
    items, error = items_of(plain_events(token("a", special=None), event), translator())
    assert error is None
    assert (reply_of(items).text, reply_of(items).finish_reason) == ("a", "stop")


def test_a_gateway_s_last_word_is_no_whole_answer():
    items, error = items_of(plain_events(token("a")) + b"data: [DONE]\n\n", translator())
    assert (items, type(error)) == (["a"], StreamInterrupted)


def test_likelihoods_are_told_where_they_are_asked_for():
    top = [{"text": "a", "logprob": -0.5}, {"text": "b", "logprob": -2}, {"text": "c"}]
    body = plain_events(token("a", top_tokens=top), last("</s>", "a"))
    likely = Logprob("a", -0.5, top=(Logprob("a", -0.5), Logprob("b", -2)))
    assert reply_of(items_of(body, translator(tells_logprobs=True))[0]).logprobs == (likely,)
    assert reply_of(items_of(body, translator())[0]).logprobs == ()


WHOLE = plain_events(token("Grüße 🙂"), {"x": 1}, token(" a"), last("</s>", "Grüße 🙂 a"))


@settings(max_examples=50)
@given(cuts=cuts_of(WHOLE))
def test_any_cuts_give_the_same_items(cuts):
    whole = items_of(WHOLE, translator())
    assert whole[1] is None
    assert joined(items_of(WHOLE, translator(), cuts=cuts)[0]) == joined(whole[0])


def test_what_is_cut_off_anywhere_is_no_whole_answer():
    assert truncations_that_finish(WHOLE, translator) == []


@pytest.mark.parametrize(
    ("said", "kind", "status", "is_passing"),
    [
        ({"error": "Model is overloaded", "error_type": "overloaded"}, RateLimitError, 429, True),
        ({"error": "wrong", "error_type": "validation"}, BadRequestError, 422, False),
        ({"error": TOO_LONG, "error_type": "validation"}, ContextLengthError, 422, False),
        ({"error": "Incomplete", "error_type": "incomplete_generation"}, ServerError, 500, True),
        ({"error": "boom", "error_type": "generation"}, ProviderError, None, False),
        ({"error": "boom"}, ProviderError, None, False),
        ({"error": {"message": "m", "http_status_code": 422}}, BadRequestError, 422, False),
        ({"error": {"message": "m", "http_status_code": 429}}, RateLimitError, 429, True),
        ({"error": {}}, ProviderError, None, False),
    ],
    ids=repr,
)
def test_an_error_amid_an_answer_is_one_of_ours(said, kind, status, is_passing):
    items, error = items_of(plain_events(token("a"), said), translator())
    assert items == ["a"]
    assert type(error) is kind
    assert (getattr(error, "status", None), error.is_passing) == (status, is_passing)
    assert error.type == said.get("error_type", "")


# --- what is sent -------------------------------------------------------------------------------


def body_for(messages="Hi", **params):
    request = Request(base_url="", model="", messages=check_messages(messages), params=params)
    return TGI(base_url="http://x").ask(request).body


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
        ({"temperature": 0, "top_p": 1}, {"do_sample": False}),
        ({"max_tokens": 5, "stop": "x"}, {"max_new_tokens": 5, "stop": ["x"]}),
        ({"max_tokens": 5, "max_new_tokens": 6}, {"max_new_tokens": 6}),
        ({"repetition_penalty": 1.2, "truncate": 9}, {"repetition_penalty": 1.2, "truncate": 9}),
        ({"logprobs": True, "top_logprobs": 2}, {"top_n_tokens": 2}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {"grammar": {"type": "json", "value": SCHEMA}},
        ),
        (
            {"response_format": {"type": "json_object"}},
            {"grammar": {"type": "json", "value": {"type": "object"}}},
        ),
        ({"response_format": {"type": "text"}, "tools": [], "n": 1}, {}),
    ],
    ids=repr,
)
def test_parameters_go_by_tgi_s_names(params, sent):
    assert body_for(**params) == {"inputs": "Hi", "parameters": sent, "stream": True}


def test_several_messages_are_a_prompt_of_lines():
    messages = [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}]
    assert body_for(messages)["inputs"] == "System: Be brief\nUser: Hi\nAssistant:"


@pytest.mark.parametrize(
    ("messages", "params", "says"),
    [
        ("Hi", {"tools": [{}]}, "TGI has no tools: leave it out \\(extra="),
        ("Hi", {"presence_penalty": 0.5}, "TGI has no presence_penalty"),
        ("Hi", {"reasoning_effort": "low"}, "TGI has no reasoning_effort"),
        ("Hi", {"response_format": {"type": "xml"}}, "response_format must be"),
        (
            [{"role": "user", "content": [image("https://example.org/a.png")]}],
            {},
            "is an image, but this provider takes text only",
        ),
    ],
)
def test_what_tgi_has_no_place_for_is_refused_before_it_is_sent(messages, params, says):
    with pytest.raises(ConfigurationError, match=says):
        body_for(messages, **params)


def test_there_is_no_public_server():
    with pytest.raises(ConfigurationError, match="no address of its own"):
        TGI()
