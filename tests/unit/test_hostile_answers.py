"""Answers that are attacks: what they take is bounded, and what goes wrong has an error of ours."""

from __future__ import annotations

import json
import pickle

import pytest

from asyncllm import (
    AsyncLLMError,
    Logprob,
    ProtocolError,
    Reply,
    ReplyTooLargeError,
    ToolCall,
    Usage,
)
from asyncllm.stream.partial_reply import PartialReply
from asyncllm.wires.openai_chat import ChatTranslator
from asyncllm.wires.tool_calls import ToolCalls

ROOM = 64 * 2**20
END = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
CALL = '{"index":0,"id":"c","function":{"name":"f","arguments":%s}%s}'


def payload(event):
    return event.encode() if isinstance(event, str) else json.dumps(event).encode()


def delta(**fields):
    return {"choices": [{"index": 0, "delta": fields}]}


def calling(arguments='"{}"', more="", text="a"):
    call = CALL % (arguments, more)
    return f'{{"choices":[{{"delta":{{"content":"{text}","tool_calls":[{call}]}}}}]}}'


def read(*events):
    """Return what an answer comes to, as a stream reads it: with a bound, and to its end.

    Raises:
        AsyncLLMError: it failed.

    """
    translator, partial = ChatTranslator(), PartialReply("asked", ROOM, keep=True)
    for event in events:
        batch = []
        translator.feed([payload(event)], batch)
        partial.add(batch)
        if partial.room < 0:
            raise partial.refuse()
    partial.add(translator.close())
    return partial.reply()


# --- how much it takes -------------------------------------------------------------------------


def test_large_tokens_count_as_what_they_are():
    likely = {"token": "x" * 9_000_000, "logprob": -1}
    event = delta(content="a")
    event["choices"][0]["logprobs"] = {"content": [likely | {"top_logprobs": [likely]}]}
    with pytest.raises(ReplyTooLargeError):
        read(*[event] * 40, END)


@pytest.mark.parametrize("fact", [[[]] * 30_000, "x" * 70_000, {"a": ["x" * 70_000]}])
def test_a_fact_of_an_answer_that_is_large_is_not_kept(fact):
    reply = read(delta(content="a") | {"timings": fact, "created": 5}, END)
    assert (reply.text, reply.extra) == ("a", {"created": 5})


@pytest.mark.parametrize("half", ["\ud83c", "1\udffd"])
def test_half_a_character_in_the_place_of_a_number_is_no_number(half):
    event = delta(content="a") | {"usage": {"prompt_tokens": half, "completion_tokens": 1}}
    reply = read(event, END)
    assert (reply.text, reply.usage) == ("a", Usage(None, 1))


# --- how deep it is ----------------------------------------------------------------------------


OBJECTS, LISTS = ('{"a":', "}"), ("[", "]")
TOP = ('{"token":"a","logprob":-1,"top_logprobs":[', "]}")
DEEP = {  # what has "DEEP" in it, and of what that is made
    "arguments": (calling('{"a":"DEEP"}'), OBJECTS),
    "arguments of lists": (calling('{"a":"DEEP"}'), LISTS),
    "extra_content": (calling(more=',"extra_content":"DEEP"'), OBJECTS),
    "logprobs": ({"choices": [{"delta": {}, "logprobs": {"content": ["DEEP"]}}]}, TOP),
    "a fact": ({"timings": "DEEP"}, OBJECTS),
    "a detail": (delta(reasoning_details=[{"text": "a", "b": "DEEP"}]), LISTS),
    "citations": ({"citations": ["DEEP"]}, LISTS),
    "usage": ({"usage": {"prompt_tokens": "DEEP"}}, LISTS),
}


def read_deep(name, depth):
    """Return the reply that has something nested in it; None where it fails."""
    event, (opening, closing) = DEEP[name]
    deep = payload(event).decode().replace('"DEEP"', opening * depth + "1" + closing * depth)
    try:
        return read(delta(content="a"), deep, deep, END)
    except AsyncLLMError:
        return None


@pytest.mark.no_cover  # of what is nested deep, each line many times
@pytest.mark.parametrize("name", DEEP)
def test_an_answer_that_is_nested_deep_fails_with_an_error_of_ours_or_is_like_any(name):
    # What can just be read has several depths at which it can't be written, compared or pickled.
    replies = [read_deep(name, depth) for depth in (20, 31, 100, *range(450, 1000), 5000, 100_000)]
    for reply in filter(None, replies):
        assert pickle.loads(pickle.dumps(reply)) == reply
        assert json.dumps(reply.message)
        assert repr(reply)
    assert replies[0] is not None
    assert replies[-1] is None


def test_arguments_that_are_nested_too_deep_to_be_written_have_an_error_that_says_so():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ProtocolError, match="nested too deep"):
        ToolCalls().add("c", 0, "f", {"a": deep})


# --- numbers that are none ---------------------------------------------------------------------


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_half_a_character_lets_no_number_in_that_is_none_in_json(number):
    event = calling(more=f',"extra_content":{{"a":{number}}}', text=r"\ud83c")
    with pytest.raises(ProtocolError):
        read(event, END)


@pytest.mark.parametrize("opaque", ["{", '{"a":NaN}', "[]", "[" * 100_000])
def test_a_message_is_made_of_any_reply(opaque):
    (call,) = Reply(tool_calls=(ToolCall("i", "f", "{}", opaque),)).message["tool_calls"]
    assert call == {"id": "i", "type": "function", "function": {"name": "f", "arguments": "{}"}}


# --- what is odd costs only itself -------------------------------------------------------------

LIKELY = {"token": "b", "logprob": -1.5, "bytes": [98]}
KEPT = Logprob("b", -1.5, b"b")


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        ({"token": "a", "logprob": None}, ()),
        ({"token": "a", "logprob": "nan"}, ()),
        ({"token": None, "logprob": -1}, ()),
        (None, ()),
        ({"token": "a", "logprob": -1, "bytes": "YQ=="}, ()),
        ({"token": "a", "logprob": -1, "bytes": [97, None]}, ()),
        ({"token": "a", "logprob": -1, "top_logprobs": [5]}, ()),
        (
            {"token": "a", "logprob": -1, "top_logprobs": [LIKELY | {"top_logprobs": [LIKELY]}]},
            (Logprob("a", -1.0, None, (KEPT,)),),
        ),
    ],
)
def test_an_odd_log_probability_costs_no_other(odd, kept):
    event = delta(content="ab")
    event["choices"][0]["logprobs"] = {"content": [odd, LIKELY]}
    assert read(event, END).logprobs == (*kept, KEPT)


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ([{"prompt_tokens": 5, "cost": "nan"}], Usage(5)),
        ([{"prompt_tokens": 5}, {"prompt_tokens": 0, "completion_tokens": 0}], Usage(5)),
        ([{"prompt_tokens": 5}, {"prompt_tokens_details": {"cached_tokens": 0}}], Usage(5)),
        ([{"prompt_tokens": 0}, {"prompt_tokens": 5}], Usage(5)),
        ([{"prompt_tokens": 5}, {"prompt_tokens": 6, "completion_tokens": 0}], Usage(6, 0)),
        ([{"prompt_tokens": 0, "completion_tokens": 0}], Usage(0, 0)),
    ],
)
def test_the_newest_usage_that_counts_something_is_the_answer_s(told, usage):
    counted = [{"choices": [], "usage": each} for each in told]
    assert read(delta(content="a"), END, *counted).usage == usage


@pytest.mark.parametrize(
    ("pieces", "blocks"),
    [
        ([{"id": "1", "text": "a"}, {"id": "2", "text": "b"}, {"id": "1", "text": "c"}], 2),
        ([{"id": "1", "text": "a"}, {"text": "b"}, {"id": None, "signature": "s"}], 1),
        ([{"text": "a"}, {"id": "1", "text": "b"}, {"id": "1", "signature": "s"}], 1),
        ([{"text": "a", "signature": "s"}, {"text": "b", "signature": "s"}], 2),
    ],
)
def test_details_with_ids_of_their_own_are_blocks_of_their_own(pieces, blocks):
    kind = {"type": "reasoning.text", "index": 0}
    events = [delta(reasoning_details=[kind | piece]) for piece in pieces]
    details = read(delta(content="a"), *events, END).message["reasoning_details"]
    assert len(details) == blocks
    texts = "".join(piece.get("text", "") for piece in pieces)
    assert sorted("".join(each["text"] for each in details)) == sorted(texts)
