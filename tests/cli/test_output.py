"""An answer as it is written: as text, as one JSON object, or as a line for each event."""

import json

import pytest

from asyncllm import Refusal, Reply, TransportError
from asyncllm.cli.answers import End, Lines, Object, Text, notices
from asyncllm.events import (
    About,
    Citation,
    Finish,
    Media,
    Ping,
    Reasoning,
    ToolCall,
    Usage,
)

CALL = ToolCall("call_1", "weather", '{"city": "Oslo"}')
CITATION = Citation(url="https://a.example", title="A", start=1, end=2)
ITEMS = [
    "Hel",
    "",
    "lo\x9b",
    Reasoning("Hm. "),
    CALL,
    CITATION,
    Ping("x"),
    About(id="a"),
    Finish("stop"),
]
WHOLE = Reply(
    text="Hello\x9b",
    reasoning="Hm. ",
    tool_calls=(CALL,),
    citations=(CITATION,),
    media=(Media("image/png", data=b"\x89PNG"),),
    usage=Usage(prompt_tokens=3, completion_tokens=2, cost=0.5),
    finish_reason="tool_calls",
    model="gpt-4o-2024",
    provider="Azure",
    id="a",
    time_to_first_token=0.12345678,
    duration=1.5,
)


def written(output, items=(), end=None):
    for item in items:
        if output.shows(item):
            output.add(item)
    if end is not None:
        output.end(end)


def test_text_is_written_as_it_comes_and_thoughts_are_not(capsys):
    written(Text(), ITEMS, End(Reply(text="Hello", finish_reason="stop")))
    assert capsys.readouterr() == ("Hello\x9b\n", "")


def test_a_text_that_ends_in_a_line_feed_gets_no_other(capsys):
    written(Text(), ["Hello", "\n"], End(Reply(text="Hello\n", finish_reason="stop")))
    assert capsys.readouterr() == ("Hello\n", "")


def test_thoughts_go_to_standard_error_where_they_are_asked_for(capsys):
    items = [Reasoning("Hm, "), Reasoning("yes."), "Hello"]
    written(Text(shows_reasoning=True), items, End(Reply(text="Hello", finish_reason="stop")))
    assert capsys.readouterr() == ("Hello\n", "Hm, yes.\n\n")


def test_a_refusal_is_written_and_told(capsys):
    reply = Reply(refusal="I won't.", finish_reason="stop")
    written(Text(), [Refusal("I "), Refusal("won't.")], End(reply))
    assert capsys.readouterr() == ("I won't.\n", "asyncllm: the model refused to answer\n")


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(text="Hello", finish_reason="stop"), []),
        (Reply(text="Hello", finish_reason="length"), ["-p max_tokens=N allows more"]),
        (Reply(finish_reason="content_filter"), ["a content filter"]),
        (Reply(tool_calls=(CALL, CALL), finish_reason="tool_calls"), ["to call weather; --json"]),
        (Reply(media=(Media("image/png"),), finish_reason="stop"), ["images or sounds; --json"]),
        (Reply(finish_reason="stop"), ["the answer is empty"]),
    ],
)
def test_what_the_text_does_not_say_is_told_in_a_line(reply, says, capsys):
    told = notices(reply)
    assert len(told) == len(says)
    assert all(part in line for part, line in zip(says, told, strict=True))
    Text().end(End(reply))
    assert capsys.readouterr().err.count("\n") == len(says)


def test_what_did_not_end_well_has_no_notices(capsys):
    Text().end(End(Reply(), error=TransportError("gone")))
    assert capsys.readouterr() == ("", "")


def test_one_object_has_all_that_came_of_the_answer(capsys):
    written(Object(), ITEMS, End(WHOLE, "openrouter"))
    out, err = capsys.readouterr()
    assert (out.count("\n"), err) == (1, "")
    assert "\x9b" not in out
    assert json.loads(out) == {
        "text": "Hello\x9b",
        "reasoning": "Hm. ",
        "tool_calls": [
            {"id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}', "opaque": ""}
        ],
        "citations": [{"url": "https://a.example", "title": "A", "text": "", "start": 1, "end": 2}],
        "media": [{"media_type": "image/png", "data": "iVBORw==", "url": ""}],
        "model": "gpt-4o-2024",
        "provider": "openrouter",
        "served_by": "Azure",
        "id": "a",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "cost": 0.5},
        "finish_reason": "tool_calls",
        "cost": 0.5,
        "timings": {"time_to_first_token": 0.1235, "duration": 1.5},
        "error": None,
    }


def test_each_event_is_a_line_and_the_end_is_the_last(capsys):
    written(Lines(), ITEMS, End(WHOLE, "openrouter"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == [
        "text", "text", "reasoning", "tool_call", "citation", "end",
    ]  # fmt: skip
    assert lines[0] == {"event": "text", "text": "Hel"}
    assert lines[-1]["finish_reason"] == "tool_calls"
    assert "text" not in lines[-1]


@pytest.mark.parametrize("output", [Object(), Lines()])
def test_json_has_the_error_and_what_to_type(output, capsys):
    error = TransportError("gone")
    error.add_note("--base-url says where it is")
    output.end(End(Reply(text="Hel"), "groq", error))
    found = json.loads(capsys.readouterr().out)
    assert found["finish_reason"] is None
    assert found["error"] == {
        "type": "TransportError",
        "message": "gone",
        "status": None,
        "retry_after": None,
        "advice": "--base-url says where it is",
    }


def test_half_of_a_surrogate_pair_stays_json(capsys):
    Object().end(End(Reply(text="\ud83e", finish_reason="stop")))
    assert json.loads(capsys.readouterr().out)["text"] == "\ud83e"
