"""A real peer: llama.cpp's own server, whose tiny model with random weights writes odd bytes.

What it is asked to write is held to a promise where that can be: by a grammar, a schema or a
bias, which it follows whatever its weights say.
"""

import asyncio
import json
import re

import aiohttp
import anyio
import pytest

import asyncllm
from asyncllm import (
    Finish,
    OpenAICompatible,
    Reasoning,
    SessionManager,
    Timeouts,
    ToolCall,
    Usage,
)

pytestmark = pytest.mark.peers

WRONG_KEY = "sk-wrong-9876543210"
TOO_LONG = "x" * 2000  # more tokens than the context has
ENDLESS = {"ignore_eos": True}  # the server shifts its context, and goes on for ever
CALL, END = "<tool_call>\n", 2  # tokens: a text that is one, and an id
CALLING = {
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "look_up",
                "parameters": {
                    "type": "object",
                    "properties": {"word": {"enum": ["да", "no"]}},
                    "required": ["word"],
                },
            },
        }
    ],
    "tool_choice": "required",
}
SCHEMA = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["calm", "wild"]},
        "sure": {"type": "boolean"},
        "word": {"type": "string", "pattern": "^[а-я]{1,8}$"},
        "digits": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 9},
            "minItems": 2,
            "maxItems": 3,
        },
    },
    "required": ["mood", "sure", "word", "digits"],
    "additionalProperties": False,
}


def llm_of(server, sessions, **options):
    options = {"base_url": f"{server.url}/v1", "api_key": server.api_key, **options}
    return OpenAICompatible(sessions=sessions, model="tiny", **options)


async def items_of(stream):
    return [item async for item in stream.events()]


async def first_tokens(stream, count=3):
    """Read until `count` tokens have come, so that the server is surely at it."""
    tokens = []
    async for token in stream:
        tokens.append(token)
        if len(tokens) == count:
            return tokens
    raise AssertionError("an endless stream ended")


async def written_plainly(server, **body):
    """Return what the server writes, read without the SDK, in the simplest of ways."""
    body = {"messages": [{"role": "user", "content": "Hello"}], "stream": True, **body}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {server.api_key}"}) as client,
        client.post(f"{server.url}/v1/chat/completions", json=body) as response,
    ):
        lines = (await response.text()).split("\n")
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


# --- what comes ----------------------------------------------------------------------------


async def test_a_stream_is_text_then_usage_then_finish(llm):
    async with llm.stream("Hello", max_tokens=20, temperature=1.0, seed=1, **ENDLESS) as stream:
        *tokens, usage, finish = await items_of(stream)
    assert finish == Finish("length")
    assert isinstance(usage, Usage)
    assert usage.completion_tokens == 20
    assert usage.prompt_tokens >= len("Hello")
    assert usage.total_tokens == usage.prompt_tokens + 20
    assert tokens
    assert all(type(token) is str for token in tokens)
    assert stream.reply.usage == usage
    assert stream.reply.finish_reason == "length"


async def test_the_tokens_of_a_stream_are_its_replys_text(llm):
    async with llm.stream("Hello", max_tokens=50, seed=2, **ENDLESS) as stream:
        tokens = [token async for token in stream]
    assert len(tokens) > 10
    assert "".join(tokens) == stream.reply.text != ""


@pytest.mark.parametrize("seed", range(5))
async def test_random_bytes_are_the_same_text_as_another_reader_sees(llm, llama_server, seed):
    options = {"max_tokens": 300, "temperature": 1.5, "top_k": 0, "seed": seed, **ENDLESS}
    options["cache_prompt"] = False  # it would change the numbers a little
    reply = await llm.complete("Hello", **options)
    assert reply.text == await written_plainly(llama_server, **options)
    assert "\ufffd" in reply.text  # bytes that are no text
    assert any("\x7f" < character != "\ufffd" for character in reply.text)  # bytes that are
    assert reply.text.encode().decode() == reply.text  # and no halves of surrogate pairs


@pytest.mark.parametrize(
    "text",
    [
        "Привет, 語 ح é",
        "👩🏽‍🚀 and \U0010ffff",
        "a\u2028b\u0085c\u2029d",
        "data: [DONE]\n\ndata: {}\r\n\r\nevent: error\n\n",
        '\\"\t\x01\x7f\\u0041',
    ],
)
async def test_a_text_that_its_grammar_demands_arrives_exactly(llm, text):
    reply = await llm.complete("Hello", grammar=f"root ::= {grammar_of(text)}")
    assert reply.text == text
    assert reply.finish_reason == "stop"


def grammar_of(text):
    return " ".join(f"[\\U{ord(character):08x}]" for character in text)


async def test_odd_questions_are_understood(llm):
    reply = await llm.complete("👩🏽‍🚀\u2028\x00\ufffd data:\n\n", max_tokens=1, **ENDLESS)
    assert reply.usage.completion_tokens == 1


@pytest.mark.parametrize("seed", range(3))
async def test_an_answer_by_a_json_schema_parses_and_fits(llm, seed):
    wanted = {"type": "json_schema", "json_schema": {"name": "mood", "schema": SCHEMA}}
    reply = await llm.complete(
        [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "How are you?"}],
        response_format=wanted,
        seed=seed,
        temperature=1.0,
    )
    assert reply.finish_reason == "stop"
    answer = json.loads(reply.text)
    assert answer.keys() == SCHEMA["properties"].keys()
    assert answer["mood"] in ("calm", "wild")
    assert answer["sure"] in (True, False)
    assert re.fullmatch("[а-я]{1,8}", answer["word"])
    assert 2 <= len(answer["digits"]) <= 3
    assert all(digit in range(10) for digit in answer["digits"])


async def test_thinking_comes_as_reasoning_apart_from_the_text(llm):
    thinking = r'root ::= "<think>\nhm, так\n</think>\n\nyes"'
    async with llm.stream("Hello", grammar=thinking) as stream:
        items = await items_of(stream)
    assert "".join(item.text for item in items if isinstance(item, Reasoning)).strip() == "hm, так"
    assert stream.reply.reasoning.strip() == "hm, так"
    assert stream.reply.text == "yes"


async def test_tool_calls_come_whole_with_arguments_that_fit(llm):
    biases = [[CALL, 50], [END, 100]]  # a call, and then rather the end than another one
    reply = await llm.complete("Hello", **CALLING, logit_bias=biases, max_tokens=300)
    assert reply.finish_reason == "tool_calls"
    assert reply.tool_calls
    for call in reply.tool_calls:
        assert isinstance(call, ToolCall)
        assert call.name == "look_up"
        assert json.loads(call.arguments)["word"] in ("да", "no")
    assert len({call.id for call in reply.tool_calls} - {""}) == len(reply.tool_calls)


async def test_calls_that_are_being_written_are_no_stall(llama_server, sessions):
    for stall in (0.5, 2.0, 8.0):  # on a busy machine the model itself may stop for a while
        limits = Timeouts(first_token=60.0, stall=stall, total=3 * stall)
        llm = llm_of(llama_server, sessions, timeouts=limits)
        with pytest.raises(asyncllm.StreamTimeout) as caught:
            await llm.complete("Hello", **CALLING, logit_bias=[[CALL, 100]])  # one after another
        await llama_server.until_busy(0)
        if caught.value.phase == "total":
            break
    assert caught.value.phase == "total"


async def test_the_models_are_listed(llm):
    assert await llm.list_models() == ["tiny"]


async def test_the_documented_interface_streams_too(llama_server):
    address = {"base_url": f"{llama_server.url}/v1", "api_key": llama_server.api_key}
    tokens = OpenAICompatible.create_async_generator(
        "tiny", "Hello", max_tokens=20, **ENDLESS, **address
    )
    assert "".join([token async for token in tokens])


# --- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize("ask", ["stream", "list_models"])
async def test_a_wrong_key_is_an_authentication_error_that_does_not_show_it(relay, sessions, ask):
    llm = OpenAICompatible(
        base_url=f"{relay.url}/v1", model="tiny", api_key=WRONG_KEY, sessions=sessions
    )
    with pytest.raises(asyncllm.AuthenticationError) as caught:
        await (llm.complete("Hello") if ask == "stream" else llm.list_models())
    error = caught.value
    assert error.status == 401
    assert error.message == "Invalid API Key"
    assert "authentication_error" in error.body
    for text in (str(error), repr(error), error.body, str(vars(error))):
        assert WRONG_KEY not in text
    assert relay.connections == 1


async def test_a_missing_key_is_an_authentication_error(llama_server, sessions):
    llm = OpenAICompatible(base_url=f"{llama_server.url}/v1", model="tiny", sessions=sessions)
    with pytest.raises(asyncllm.AuthenticationError):
        await llm.complete("Hello")


async def test_a_context_overflow_is_a_bad_request_that_is_not_tried_again(
    relay, sessions, llama_server
):
    llm = llm_of(llama_server, sessions, base_url=f"{relay.url}/v1")
    with pytest.raises(asyncllm.BadRequestError, match="exceeds the available context") as caught:
        await llm.complete(TOO_LONG)
    assert caught.value.status == 400
    assert json.loads(caught.value.body)["error"]["type"] == "exceed_context_size_error"
    assert relay.posts == 1


async def test_a_grammar_that_is_none_is_a_bad_request(llm):
    with pytest.raises(asyncllm.BadRequestError):
        await llm.complete("Hello", grammar="this is no grammar")


# --- what is left early --------------------------------------------------------------------


async def reading(stream):
    """Start a task that reads, and return it when it is amid that."""
    before = stream.reply.text
    reader = asyncio.create_task(stream.collect())
    while stream.reply.text == before:
        await asyncio.sleep(0)
    return reader


async def leave_by_aclose(stream):
    await first_tokens(stream)
    await stream.aclose()


async def leave_by_aclose_from_another_task(stream):
    reader = await reading(stream)
    await stream.aclose()
    with pytest.raises(asyncllm.StreamInterrupted):
        await reader


async def leave_by_break(stream):
    async with stream:
        async for _ in stream:
            break


async def leave_by_task_cancel(stream):
    reader = await reading(stream)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def leave_by_anyio_scope(stream):
    with anyio.CancelScope() as scope:
        async for _ in stream:
            if len(stream.reply.text) > 20:
                scope.cancel()
    assert scope.cancelled_caught


async def leave_by_anyio_deadline(stream):
    with anyio.move_on_after(0.2) as scope:
        await stream.collect()
    assert scope.cancelled_caught


async def leave_by_an_error_of_the_callers(stream):
    with pytest.raises(ZeroDivisionError):
        async with stream:
            await first_tokens(stream)
            1 / 0  # noqa: B018


@pytest.mark.parametrize(
    "leave",
    [
        leave_by_aclose,
        leave_by_aclose_from_another_task,
        leave_by_break,
        leave_by_task_cancel,
        leave_by_anyio_scope,
        leave_by_anyio_deadline,
        leave_by_an_error_of_the_callers,
    ],
)
async def test_a_stream_left_early_frees_its_slot(llm, llama_server, leave):
    stay, stream = llm.stream("Hello", **ENDLESS), llm.stream("Hello", **ENDLESS)
    async with stay:
        await first_tokens(stay)
        await first_tokens(stream)
        await llama_server.until_busy(2)
        await leave(stream)
        await llama_server.until_busy(1)
        assert stream.reply.finish_reason == "cancelled"
        await first_tokens(stay)  # the other one goes on
    await llama_server.until_busy(0)
    assert (await llm.complete("Hello", max_tokens=5, **ENDLESS)).usage.completion_tokens == 5


async def test_a_closed_session_manager_frees_every_slot(llama_server):
    async with SessionManager() as sessions:
        llm = llm_of(llama_server, sessions)
        streams = [llm.stream("Hello", **ENDLESS) for _ in range(2)]
        for stream in streams:
            await first_tokens(stream)
        await llama_server.until_busy(2)
    await llama_server.until_busy(0)
    with pytest.raises(asyncllm.StreamInterrupted):
        await first_tokens(streams[0], 10**6)


async def test_an_abandoned_generator_of_the_documented_interface_frees_its_slot(llama_server):
    address = {"base_url": f"{llama_server.url}/v1", "api_key": llama_server.api_key}
    tokens = OpenAICompatible.create_async_generator("tiny", "Hello", **ENDLESS, **address)
    await anext(tokens)
    await llama_server.until_busy(1)
    await tokens.aclose()
    await llama_server.until_busy(0)


async def test_the_total_limit_ends_an_endless_answer_and_frees_its_slot(llama_server, sessions):
    llm = llm_of(llama_server, sessions, timeouts=Timeouts(total=0.3))
    with pytest.raises(asyncllm.StreamTimeout) as caught:
        await llm.complete("Hello", **ENDLESS)
    assert caught.value.phase == "total"
    assert caught.value.reply.text
    await llama_server.until_busy(0)


# --- what must wait ------------------------------------------------------------------------


async def test_twenty_streams_over_two_slots_all_finish(llm, llama_server):
    async with asyncio.timeout(20):
        replies = await asyncio.gather(
            *(llm.complete(f"Hello {n}", max_tokens=10 + n, **ENDLESS) for n in range(20))
        )
    assert [reply.usage.completion_tokens for reply in replies] == list(range(10, 30))
    assert {reply.finish_reason for reply in replies} == {"length"}
    await llama_server.until_busy(0)


async def test_waiting_for_a_slot_is_waiting_for_the_first_token(llm, llama_server, sessions):
    hurried = llm_of(llama_server, sessions, timeouts=Timeouts(first_token=0.3))
    async with llm.stream("Hello", **ENDLESS) as one, llm.stream("Hello", **ENDLESS) as two:
        await first_tokens(one)
        await first_tokens(two)
        with pytest.raises(asyncllm.StreamTimeout) as caught:
            await hurried.complete("Hello", **ENDLESS)
    assert caught.value.phase == "first_token"
    await llama_server.until_busy(0)


async def test_a_stream_cancelled_while_it_waits_for_a_slot_takes_none(llm, llama_server):
    async with llm.stream("Hello", **ENDLESS) as one, llm.stream("Hello", **ENDLESS) as two:
        await first_tokens(one)
        await first_tokens(two)
        waiting = asyncio.create_task(llm.complete("Hello", **ENDLESS))
        await asyncio.sleep(0.2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await llama_server.until_busy(0)


# --- connections ---------------------------------------------------------------------------


async def test_a_connection_that_the_server_keeps_is_used_again(relay, sessions, llama_server):
    llm = llm_of(llama_server, sessions, base_url=f"{relay.url}/v1")
    for _ in range(3):
        await llm.list_models()
    assert relay.connections == 1


async def test_streams_one_after_another_come_at_once_although_the_server_hangs_up_after_each(
    llama_server,
):
    # It says `Keep-Alive: timeout=5`, and closes the connection within a millisecond of a
    # stream's end: a request that goes out on it meanwhile must not cost a wait.
    long = asyncllm.Retry(initial_wait=60, max_wait=60)
    async with SessionManager(retry=long) as sessions, asyncio.timeout(30):
        llm = llm_of(llama_server, sessions)
        for _ in range(20):
            await llm.complete("Hello", max_tokens=3, **ENDLESS)


# --- a server that fails -------------------------------------------------------------------


async def test_a_server_killed_amid_a_stream_is_an_interruption_with_what_had_come(
    mortal_server, sessions
):
    llm = llm_of(mortal_server, sessions)
    stream = llm.stream("Hello", **ENDLESS)
    tokens = await first_tokens(stream)
    mortal_server.process.kill()
    with pytest.raises(asyncllm.StreamInterrupted) as caught:
        async for token in stream:
            tokens.append(token)
    assert caught.value.reply.text == "".join(tokens)
    with pytest.raises(asyncllm.TransportError):
        await llm.complete("Hello")


async def test_a_server_that_freezes_amid_a_stream_is_a_stall(mortal_server, sessions):
    llm = llm_of(mortal_server, sessions, timeouts=Timeouts(stall=0.3))
    stream = llm.stream("Hello", **ENDLESS)
    tokens = await first_tokens(stream)
    mortal_server.freeze()
    with pytest.raises(asyncllm.StreamTimeout) as caught:
        async for token in stream:
            tokens.append(token)
    assert caught.value.phase == "stall"
    assert caught.value.reply.text == "".join(tokens)


async def test_a_frozen_server_does_not_answer_in_time(mortal_server, sessions):
    mortal_server.freeze()
    llm = llm_of(mortal_server, sessions, timeouts=Timeouts(first_token=0.3))
    with pytest.raises(asyncllm.StreamTimeout) as caught:
        await llm.complete("Hello")
    assert caught.value.phase == "first_token"
