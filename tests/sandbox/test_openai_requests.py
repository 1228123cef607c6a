"""What the sandbox wants of the messages of a request on OpenAI's wire, and what it wants back."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asyncllm.sandbox import ReasoningDetails, ReasoningField, ThoughtSignatures
from asyncllm.sandbox.faults import Thinking
from asyncllm.sandbox.wires.openai_details import merged
from asyncllm.sandbox.wires.openai_errors import RequestError
from asyncllm.sandbox.wires.openai_messages import check_messages
from support.openai_http import TOOLS, ask, chunks, deltas, serve, text

QUESTION = {"role": "user", "content": "use a tool"}
TEXT, DETAILS = ReasoningDetails(), ReasoningDetails("encrypted")
CONTENT, SIGNED = ReasoningField(demanded=True), ThoughtSignatures()
every_demand = pytest.mark.parametrize("fault", [TEXT, DETAILS, CONTENT, SIGNED], ids=repr)


def holder_of(fault, message):
    """Return the part of a message that has what must come back, and its name there."""
    if fault is SIGNED:
        return message["tool_calls"][0], "extra_content"
    return message, "reasoning_content" if fault is CONTENT else "reasoning_details"


def altered(value):
    """Return the same with its innermost last value changed."""
    if isinstance(value, dict):
        return {**value, **{name: altered(value[name]) for name in [*value][-1:]}}
    return [*value[:-1], altered(value[-1])] if isinstance(value, list) else f"{value}?"


def next_turn(message):
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        for call in message.get("tool_calls", [])
    ]
    return [QUESTION, message, *results]


async def message_of(http, **fields):
    """Return the assistant's message with which tools are called."""
    whole = await (await ask(http, messages=[QUESTION], tools=TOOLS, stream=False, **fields)).json()
    return whole["choices"][0]["message"]


async def refusal(http, messages):
    """Return why messages are refused; "" where they are answered."""
    response = await ask(http, messages=messages)
    if response.status == 200:
        return ""
    assert response.status == 400
    error = (await response.json())["error"]
    assert error["type"] == "invalid_request_error"
    return error["message"]


# --- what must come back -----------------------------------------------------------------


@every_demand
async def test_a_message_that_comes_back_as_it_was_is_answered(fault):
    async with serve(fault) as (_, http):
        message = await message_of(http)
        assert await refusal(http, next_turn(message)) == ""


@every_demand
async def test_what_is_missing_is_named(fault):
    async with serve(fault) as (_, http):
        message = await message_of(http)
        holder, name = holder_of(fault, message)
        del holder[name]
        told = await refusal(http, next_turn(message))
        assert told.startswith("messages[1]")
        assert f"{name} is missing" in told


@every_demand
async def test_what_has_changed_is_named(fault):
    async with serve(fault) as (_, http):
        message = await message_of(http)
        holder, name = holder_of(fault, message)
        holder[name] = altered(holder[name])
        assert f"{name} is not what was sent" in await refusal(http, next_turn(message))


@pytest.mark.parametrize("fault", [TEXT, DETAILS], ids=repr)
async def test_details_may_come_back_in_the_pieces_of_the_stream(fault):
    async with serve(fault) as (_, http):
        message = await message_of(http)
        streamed = deltas(await chunks(http, messages=[QUESTION], tools=TOOLS))
        pieces = [detail for delta in streamed for detail in delta.get("reasoning_details", [])]
        assert len(pieces) > len(message["reasoning_details"])
        assert await refusal(http, next_turn({**message, "reasoning_details": pieces})) == ""


async def test_a_signature_belongs_to_its_call():
    async with serve(SIGNED) as (_, http):
        message = await message_of(http)
        first, second = message["tool_calls"]
        second["extra_content"] = first.pop("extra_content")
        assert "tool_calls[0].extra_content is missing" in await refusal(http, next_turn(message))


@pytest.mark.parametrize("fault", [None, ReasoningField(), ReasoningField("reasoning")], ids=repr)
async def test_what_no_server_wants_back_may_be_left_out(fault):
    async with serve(*[fault] if fault else []) as (_, http):
        message = await message_of(http)
        bare = {name: message[name] for name in ("role", "content", "tool_calls")}
        assert await refusal(http, next_turn(bare)) == ""


async def test_the_newest_answer_says_what_is_wanted():
    async with serve(ReasoningDetails(times=1)) as (_, http):
        bare = {**await message_of(http), "reasoning_details": None}
        assert await refusal(http, next_turn(bare))
        assert "reasoning_details" not in await message_of(http)
        assert await refusal(http, next_turn(bare)) == ""


async def test_an_answer_without_tool_calls_wants_nothing_back():
    async with serve(TEXT) as (_, http):
        said = {"role": "assistant", "content": text(await chunks(http))}
        assert await refusal(http, [QUESTION, said, QUESTION]) == ""


async def test_only_so_many_calls_are_remembered():
    tools = [{"type": "function", "function": {"name": f"tool_{n}"}} for n in range(1001)]
    async with serve(TEXT) as (_, http):
        question = {"messages": [QUESTION], "tools": tools, "stream": False}
        whole = await (await ask(http, **question)).json()
        first, *_, last = whole["choices"][0]["message"]["tool_calls"]
        for call, is_remembered in ((first, False), (last, True)):
            bare = {"role": "assistant", "content": None, "tool_calls": [call]}
            assert bool(await refusal(http, next_turn(bare))) is is_remembered


class Muse(Thinking):
    """A way to think that nobody writes."""


async def test_a_way_to_think_that_nobody_writes_is_an_error(caplog):
    async with serve(Muse()) as (_, http):
        assert (await ask(http)).status == 500
    assert isinstance(caplog.records[0].exc_info[1], TypeError)


# --- results -----------------------------------------------------------------------------


def calling(*ids):
    calls = [{"id": name, "type": "function", "function": {"name": "clock"}} for name in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call, **fields):
    return {"role": "tool", "tool_call_id": call, "content": "noon", **fields}


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([QUESTION, calling("a"), result("a")], ""),
        ([QUESTION, calling("a", "b"), result("b"), result("a"), QUESTION], ""),
        ([QUESTION, calling("a"), result("a"), calling("b"), result("b")], ""),
        ([QUESTION, {"role": "tool", "content": "from a server without ids"}], ""),
        ([QUESTION, calling("a"), result("b")], "messages[2]"),
        ([QUESTION, result("a")], "messages[1]"),
        ([QUESTION, calling("a"), result("a"), QUESTION, result("a")], "messages[4]"),
        ([QUESTION, calling("a"), result("a"), calling("b"), result("a")], "messages[4]"),
        ([QUESTION, calling("a", "b"), result("b")], "did not have response messages: a"),
        ([QUESTION, calling("a", "b"), QUESTION], "did not have response messages: a, b"),
        ([QUESTION, calling("a"), result(None)], "did not have response messages: a"),
        ([QUESTION, calling("a")], "did not have response messages: a"),
    ],
)
async def test_every_call_has_its_result_and_every_result_its_call(messages, complaint):
    async with serve() as (_, http):
        told = await refusal(http, messages)
        assert complaint in told
        assert bool(told) is bool(complaint)


TURNS = st.lists(st.integers(min_value=0, max_value=5), min_size=1, max_size=4)


@given(turns=TURNS, data=st.data())
def test_any_conversation_is_taken_and_none_that_lacks_a_message_of_its_tools(turns, data):
    messages = [QUESTION]
    for turn, count in enumerate(turns):
        names = [f"{turn}-{n}" for n in range(count)]
        results = [result(name) for name in data.draw(st.permutations(names))]
        messages += [calling(*names), *results] if names else [QUESTION]
    check_messages(messages)
    of_tools = [place for place, message in enumerate(messages) if message is not QUESTION]
    assume(of_tools)
    del messages[data.draw(st.sampled_from(of_tools))]
    with pytest.raises(RequestError, match="tool"):
        check_messages(messages)


@given(
    texts=st.lists(st.lists(st.text(), min_size=1), max_size=4),
    name=st.sampled_from(["text", "summary"]),
)
def test_details_are_the_same_in_any_pieces(texts, name):
    def detail(index, text):
        return {"type": f"reasoning.{name}", "index": index, name: text, "id": None}

    pieces = [detail(index, text) for index, some in enumerate(texts) for text in some]
    whole = [detail(index, "".join(some)) for index, some in enumerate(texts)]
    assert merged(pieces) == merged(whole) == merged(merged(pieces))
    assert [each[name] for each in merged(pieces)] == [each[name] for each in whole]


@pytest.mark.parametrize("last", [{"signature": "s"}, {"data": "d"}])
def test_what_is_signed_or_encrypted_ends_a_detail(last):
    kind = {"type": "reasoning.text", "index": 0}
    pieces = [kind | piece for piece in ({"text": "a"}, last, {"text": "b"}, last)]
    assert merged(pieces) == [kind | {"text": text} | last for text in ("a", "b")]


# --- tools -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        {"name": "f\ud83c"},
        {"name": "f", "parameters": {"properties": {"\ud83c": {}}}},
        {"name": "f", "parameters": {"properties": {"a": {"enum": ["\ud83c"]}}}},
        {"name": "f", "parameters": {"properties": {"a": {"enum": []}}}},
        {"name": "f", "parameters": []},
        {},
    ],
)
async def test_tools_that_can_t_be_called_are_refused(function):
    tools = [{"type": "function", "function": function}]
    async with serve() as (_, http):
        assert (await ask(http, messages=[QUESTION], tools=tools)).status == 400


async def test_half_a_character_in_the_text_is_a_question_mark_in_an_argument():
    question = {"role": "user", "content": "use a tool \ud83c"}
    async with serve() as (_, http):
        response = await ask(http, messages=[question], tools=TOOLS, stream=False)
        (call, _) = (await response.json())["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"])["city"] == "use a tool ?"


# --- parts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "complaint"),
    [
        ({"type": "text", "text": "Hi"}, ""),
        ({"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}, ""),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, ""),
        ({"type": "image_url", "image_url": "data:image/png;base64,AAAA"}, ""),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, ""),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}}, ""),
        ({"type": "file", "file": {"file_id": "file-1"}}, ""),
        ({"type": "refusal", "refusal": "No."}, ""),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, ""),
        ({"type": "video", "video": {}}, "invalid type 'video'"),
        ({"type": ["text"]}, "invalid type ['text']"),
        ({"text": "Hi"}, "invalid type None"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,AAAA"}}, "invalid image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}}, "invalid image"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}, "no data"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,A??AAA"}}, "image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,é"}}, "image_url"),
        ({"type": "input_audio", "input_audio": {"data": "?"}}, "invalid input_audio"),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,?"}}, "invalid file"),
    ],
)
async def test_parts_are_known_and_their_data_are_base64(part, complaint):
    async with serve() as (_, http):
        told = await refusal(http, [{"role": "user", "content": [part]}])
        assert complaint in told
        assert told.startswith("messages[0].content[0]" if complaint else "")
        assert bool(told) is bool(complaint)
