"""What a reply makes of all that came, and what it says for the next turn."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncllm import (
    About,
    Citation,
    Finish,
    Logprob,
    Logprobs,
    Media,
    Ping,
    Reasoning,
    Refusal,
    Reply,
    Restart,
    ToolCall,
    ToolResult,
    Usage,
)
from asyncllm.stream.partial_reply import PartialReply

CALL = ToolCall("call_1", "look_up", '{"word": "yes"}')
SIGNED = ToolCall("call_2", "look_up", "{}", opaque='{"extra_content": {"google": {"s": "x"}}}')
LIKELY = Logprob("a", -0.5, b"a", (Logprob("a", -0.5), Logprob("b", -1.0)))
MANY = 1 << 20


def reply_of(*batches, keep=True):
    partial = PartialReply("asked", MANY, keep=keep)
    partial.begin()
    for batch in batches:
        partial.add(list(batch))
    return partial.reply()


# --- what came -----------------------------------------------------------------------------


def test_each_kind_of_event_has_its_place_in_the_reply():
    source, image = Citation(url="https://a.example"), Media("image/png", b"png")
    result = ToolResult("call_1", "look_up", "yes")
    reply = reply_of(
        [Refusal("I "), Refusal("can't"), source], ["a", Logprobs((LIKELY,)), image, result, CALL]
    )
    assert reply.refusal == "I can't"
    assert (reply.text, reply.logprobs, reply.citations) == ("a", (LIKELY,), (source,))
    assert (reply.media, reply.tool_results, reply.tool_calls) == ((image,), (result,), (CALL,))


def test_what_a_server_says_of_its_answer_is_in_the_reply_and_given_to_nobody():
    partial = PartialReply("asked", MANY, keep=True)
    batch = ["a", About(id="id-1", model="m-2", extra={"x": 1}), "b"]
    assert partial.add(batch)
    assert batch == ["a", "b"]
    batch = [About(provider="p", extra={"y": 2}), Ping()]
    assert not partial.add(batch)
    assert batch == [Ping()]
    reply = partial.reply()
    assert (reply.id, reply.model, reply.provider) == ("id-1", "m-2", "p")
    assert reply.extra == {"x": 1, "y": 2}


def test_without_the_server_s_word_the_model_is_the_one_that_was_asked():
    assert reply_of(["a"]).model == "asked"


@pytest.mark.parametrize(
    ("finish", "raw"), [(Finish("stop"), "stop"), (Finish("stop", raw="eos"), "eos")]
)
def test_the_server_s_own_word_for_the_end_is_kept(finish, raw):
    reply = reply_of(["a", finish])
    assert (reply.finish_reason, reply.raw_finish_reason) == ("stop", raw)


def test_a_restart_takes_back_all_that_came():
    reply = reply_of(["a", Reasoning("hm"), CALL, Refusal("no")], [Restart("a")], ["b"])
    assert reply == Reply(text="b", model="asked")


def test_what_was_taken_back_takes_no_room():
    partial = PartialReply("asked", MANY, keep=True)
    partial.add(["a" * 1000, Media("image/png", bytes(1000))])
    assert partial.room < MANY - 2000
    partial.add([Restart("a" * 1000)])
    assert partial.room == MANY


def test_an_answer_may_begin_anew_more_often_in_a_batch_than_calls_can_be_nested():
    reply = reply_of(["a", About(id="1"), Restart("a")] * 1500 + ["b"])
    assert (reply.text, reply.id) == ("b", "1")


@pytest.mark.parametrize(
    "event",
    [
        Media("image/png", bytes(5000)),
        Citation(text="a" * 5000),
        ToolResult("i", "n", "a" * 5000),
        Logprobs((LIKELY,) * 50),
        Refusal("a" * 5000),
        About(opaque={"signature": "a" * 5000}),
    ],
)
def test_everything_that_is_kept_counts(event):
    partial = PartialReply("asked", MANY, keep=True)
    partial.add([event])
    assert MANY - partial.room >= 5000


@pytest.mark.parametrize("event", [Refusal("a" * 5000), Logprobs((LIKELY,) * 50)])
def test_what_comes_with_each_token_is_not_kept_where_nothing_is(event):
    partial = PartialReply("asked", MANY, keep=False)
    partial.add([event])
    assert partial.room == MANY


def test_times_are_counted_from_the_first_read():
    partial = PartialReply("asked", MANY, keep=True)
    assert (partial.reply().time_to_first_token, partial.reply().duration) == (None, None)
    partial.begin()
    partial.add([Ping()])
    assert partial.reply().time_to_first_token is None
    partial.add(["a"])
    partial.close(None)
    reply = partial.reply()
    assert 0 <= reply.time_to_first_token <= reply.duration < math.inf


def test_two_replies_are_equal_where_the_same_came_however_long_it_took():
    assert Reply(text="a", duration=1.0) == Reply(text="a", duration=2.0)
    assert Reply(text="a") != Reply(text="b")
    stopped = Reply(finish_reason="stop")
    assert stopped == Reply(finish_reason="stop", raw_finish_reason="stop")
    assert stopped != Reply(finish_reason="stop", raw_finish_reason="eos")
    assert Reply(text="a") != "a"


def test_a_reply_is_pickled_whole():
    reply = reply_of(["a", SIGNED, About(id="x", opaque={"y": [1]}), Finish("stop", raw="eos")])
    assert pickle.loads(pickle.dumps(reply)) == reply


# --- what it cost --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "output"),
    [
        (Usage(), None),
        (Usage(12, 5, 17), 5),
        (Usage(12, 291, 303, reasoning_tokens=290), 291),  # everybody's
        (Usage(12, 1, 303, reasoning_tokens=290), 291),  # xAI's
        (Usage(12, 5, None, reasoning_tokens=3), 5),
    ],
)
def test_what_was_written_is_counted_with_the_thinking_on_every_server(usage, output):
    assert usage.output_tokens == output


@given(st.integers(0, 999), st.integers(1, 999), st.integers(0, 999))
def test_both_ways_of_counting_the_thinking_are_told_apart(prompt, thought, text):
    beside = Usage(prompt, text, prompt + text + thought, reasoning_tokens=thought)
    within = Usage(prompt, text + thought, prompt + text + thought, reasoning_tokens=thought)
    assert beside.output_tokens == within.output_tokens == text + thought


def test_the_cost_of_a_reply_is_its_usage_s():
    assert Reply(usage=Usage(cost=0.5)).cost == 0.5
    assert Reply(usage=Usage()).cost is None
    assert Reply().cost is None


# --- the next turn -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(text="a"), {"role": "assistant", "content": "a"}),
        (Reply(), {"role": "assistant", "content": ""}),
        (Reply(refusal="no"), {"role": "assistant", "content": "no"}),
        (
            Reply(text="a", opaque={"reasoning_details": [1]}),
            {"role": "assistant", "content": "a", "reasoning_details": [1]},
        ),
    ],
)
def test_the_message_has_what_was_said_and_what_must_go_back(reply, message):
    assert reply.message == message


def test_the_message_has_the_calls_with_what_must_go_back_in_each():
    message = Reply(tool_calls=(CALL, SIGNED)).message
    function = {"name": "look_up", "arguments": '{"word": "yes"}'}
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": function},
        {
            "id": "call_2",
            "type": "function",
            "function": {"name": "look_up", "arguments": "{}"},
            "extra_content": {"google": {"s": "x"}},
        },
    ]


def test_what_is_done_to_a_message_is_not_done_to_the_reply():
    reply = Reply(text="a")
    reply.message["content"] = "b"
    assert reply.message["content"] == "a"
