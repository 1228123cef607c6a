"""Answers with a field of any kind in any place, in events that come in any number."""

import copy
import json

import pytest

from asyncllm import Finish, ProtocolError, ReplyTooLargeError
from asyncllm.wires.anthropic import MessageTranslator
from asyncllm.wires.mistral import MistralTranslator
from asyncllm.wires.openai_responses import ResponsesTranslator
from support.answers import items_of, named_events, reply_of

ODD = [None, True, -1, 0.5, 10**30, "", "x", "\ud83c", [], [None], ["x"], [{}], {}, {"type": 5}]


def on_block(kind, **fields):
    return {"type": f"content_block_{kind}", "index": 0, **fields}


def starting(kind, **fields):
    return on_block("start", content_block={"type": kind, **fields})


def adding(kind, **fields):
    return on_block("delta", delta={"type": f"{kind}_delta", **fields})


TOKENS = {"input_tokens": 1, "output_tokens_details": {"thinking_tokens": 1}}
CITED = adding("citations", citation={"url": "u", "title": "t", "cited_text": "c"})
ITEM = {"type": "response.output_item.done", "output_index": 0}
PIECE = {"type": "response.output_text.delta", "output_index": 0, "delta": "a"}
SOURCE = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
WIRES = {
    "anthropic": (
        lambda: MessageTranslator(most_pauses=1),
        [
            {"type": "message_start", "message": {"id": "m", "model": "c", "usage": TOKENS}},
            starting("thinking", thinking=""),
            adding("thinking", thinking="a"),
            adding("signature", signature="s"),
            starting("text", text=""),
            CITED,
            adding("text", text="a"),
            on_block("stop"),
            starting("web_search_tool_result", tool_use_id="i", content=[{"title": "t"}]),
            starting("tool_use", id="i", name="f", input={}),
            adding("input_json", partial_json="{}"),
            {"type": "message_delta", "delta": {"stop_reason": "x"}, "usage": TOKENS},
        ],
        {"type": "message_stop"},
    ),
    "responses": (
        ResponsesTranslator,
        [
            {"type": "response.created", "sequence_number": 0, "response": {"id": "r"}},
            {"type": "response.output_item.added", "item": {"type": "function_call"}},
            PIECE | {"logprobs": [{"token": "a", "logprob": -1}]},
            {"type": "response.output_text.annotation.added", "annotation": SOURCE},
            ITEM | {"item": {"type": "reasoning", "summary": [{"text": "a"}]}},
            ITEM | {"item": {"type": "image_generation_call", "result": "YQ=="}},
            ITEM | {"item": {"type": "web_search_call", "action": {"query": "q"}}},
            ITEM | {"item": {"type": "function_call", "call_id": "i", "arguments": "{}"}},
            {"type": "response.function_call_arguments.delta", "delta": "{}"},
        ],
        {"type": "response.completed", "response": {"usage": {"input_tokens": 1}}},
    ),
    "mistral": (
        MistralTranslator,
        [
            {"choices": [{"delta": {"content": [{"type": "thinking", "thinking": "a"}]}}]},
            {"choices": [{"delta": {"content": [{"type": "text", "text": "a"}]}}]},
            {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "{}"}}]}}]},
            {"choices": [], "usage": {"prompt_tokens": 1}},
        ],
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    ),
}


def places_in(value, path=()):
    """Yield the path to each value in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in inner:
        yield (*path, key)
        if isinstance(each, dict | list):
            yield from places_in(each, (*path, key))


def with_odd(events, path, odd):
    changed = copy.deepcopy(events)
    *way, last = path
    holder = changed
    for key in way:
        holder = holder[key]
    holder[last] = odd
    return changed


def body_of(events):
    lines = (json.dumps(event).encode() for event in events)
    return b"".join(b"data: %b\n\n" % line for line in lines)


@pytest.mark.no_cover  # each line many times
@pytest.mark.parametrize("wire", WIRES)
def test_a_field_of_any_kind_costs_no_more_than_the_answer(wire):
    make, events, end = WIRES[wire]
    for path in places_in(events):
        for odd in ODD if len(path) > 1 else ():
            items, error = items_of(body_of([*with_odd(events, path, odd), end]), make())
            assert error is not None or isinstance(items[-1], Finish), (path, odd)
            assert error is None or type(error).__module__ == "asyncllm.errors", (path, odd)
            assert json.dumps(reply_of(items).message)


# --- any number of events ----------------------------------------------------------------------


def test_the_sources_of_a_block_are_told_once_however_often_it_ends():
    text = [starting("text", text=""), adding("text", text="a")]
    body = named_events(*text, CITED, on_block("stop"), CITED, *[on_block("stop")] * 3)
    items, _ = items_of(body + named_events({"type": "message_stop"}), MessageTranslator())
    assert len(reply_of(items).citations) == 2


def test_names_of_usage_are_bounded():
    told = [
        {"type": "message_delta", "usage": {f"n{n}": 1, "output_tokens": n}} for n in range(999)
    ]
    large = {"type": "message_delta", "usage": {"n1": "x" * 70_000}}
    items, _ = items_of(named_events(*told, large, {"type": "message_stop"}), MessageTranslator())
    usage = reply_of(items).extra["usage"]
    assert len(usage) < 300
    assert usage["n1"] == 1


def test_names_of_the_server_s_calls_are_bounded():
    translator = MessageTranslator()
    for number in range(40):
        event = starting("server_tool_use", id=f"{number}{'x' * 500_000}", name="f")
        translator.feed([json.dumps(event).encode()], [])
    assert sum(map(len, translator.turn.names)) < 20_000_000


def test_items_are_bounded():
    body = named_events(*[PIECE | {"output_index": number} for number in range(10_001)])
    assert isinstance(items_of(body, ResponsesTranslator())[1], ReplyTooLargeError)


def test_what_is_no_event_at_all_is_an_error_of_ours():
    for make, _, _ in WIRES.values():
        assert isinstance(items_of(b"data: [5]\n\n", make())[1], ProtocolError)
