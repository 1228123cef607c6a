"""`Reply.message` in the next turn: the sandbox, as servers do, demands back what it has signed."""

import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncllm import BadRequestError, OpenAICompatible
from asyncllm.sandbox import (
    ContentParts,
    ReasoningDetails,
    ReasoningField,
    Sandbox,
    ThoughtSignatures,
    ToolIndex,
)

ASKED = {"role": "user", "content": "use a tool"}
ASKED_AGAIN = {"role": "user", "content": "use the tools again"}
BARE = ("role", "content", "tool_calls")
BARE_CALL = ("id", "type", "function")
# Each way to think, and the field of a message that is demanded back.
DEMANDS = {
    None: "",
    ReasoningField(): "",
    ReasoningField("reasoning"): "",
    ContentParts(): "",
    ReasoningField(demanded=True): "reasoning_content",
    ReasoningDetails("text"): "reasoning_details",
    ReasoningDetails("encrypted"): "reasoning_details",
}
INDICES = (None, ToolIndex("missing"), ToolIndex("duplicate"))
every_thought = pytest.mark.parametrize("thinking", DEMANDS, ids=repr)
signed_or_not = pytest.mark.parametrize("signs", [False, True])


@asynccontextmanager
async def chat(*faults):
    """A sandbox with the faults that are not None, and a provider that talks to it."""
    async with Sandbox(faults=[fault for fault in faults if fault is not None]) as sandbox:
        yield sandbox, OpenAICompatible(base_url=f"{sandbox.url}/v1", model="gpt-4o")


def tools(count):
    arguments = {"type": "object", "properties": {"city": {"type": "string"}}}
    functions = [{"name": f"look_{n}", "parameters": arguments} for n in range(count)]
    return [{"type": "function", "function": function} for function in functions]


def results_of(message):
    return [
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
        for call in message["tool_calls"]
    ]


def stripped(message):
    """Return a message as it is left by whoever keeps what OpenAI alone knows."""
    calls = [{name: call[name] for name in BARE_CALL} for call in message["tool_calls"]]
    return {**{name: message[name] for name in BARE}, "tool_calls": calls}


async def asked_for_whole(sandbox, messages, tools):
    """Return the assistant's message as the server itself puts it, not streamed."""
    body = {"model": "gpt-4o", "messages": messages, "tools": tools}
    url = f"{sandbox.url}/v1/chat/completions"
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        return (await response.json())["choices"][0]["message"]


def sent(sandbox):
    return json.loads(sandbox.requests[-1].body)["messages"]


@signed_or_not
@every_thought
async def test_what_the_first_answer_demands_goes_back_as_the_server_has_it(thinking, signs):
    async with chat(thinking, ThoughtSignatures() if signs else None) as (sandbox, llm):
        reply = await llm.complete([ASKED], tools=tools(2))
        assert reply.finish_reason == "tool_calls"
        assert bool(reply.reasoning) is (thinking is not None)
        messages = [ASKED, reply.message, *results_of(reply.message)]
        assert (await llm.complete(messages, tools=tools(2))).text
        _, message, *_ = sent(sandbox)
        whole = await asked_for_whole(sandbox, [ASKED], tools(2))
        assert message["tool_calls"] == whole["tool_calls"]
        assert ("extra_content" in message["tool_calls"][0]) is signs
        if name := DEMANDS[thinking]:
            assert message[name] == whole[name]


@signed_or_not
@every_thought
async def test_without_it_the_server_refuses_the_next_turn(thinking, signs):
    async with chat(thinking, ThoughtSignatures() if signs else None) as (_, llm):
        reply = await llm.complete([ASKED], tools=tools(2))
        messages = [ASKED, stripped(reply.message), *results_of(reply.message)]
        wanted = DEMANDS[thinking] or ("extra_content" if signs else "")
        if wanted:
            with pytest.raises(BadRequestError, match=f"{wanted} is missing"):
                await llm.complete(messages, tools=tools(2))
        else:
            assert (await llm.complete(messages, tools=tools(2))).text


async def test_each_call_wants_its_result():
    async with chat() as (_, llm):
        reply = await llm.complete([ASKED], tools=tools(2))
        first, second = results_of(reply.message)
        with pytest.raises(BadRequestError, match=second["tool_call_id"]):
            await llm.complete([ASKED, reply.message, first])


@every_thought
async def test_a_long_conversation_goes_back_whole(thinking):
    async with chat(thinking, ThoughtSignatures()) as (sandbox, llm):
        messages = []
        for question in (ASKED, ASKED_AGAIN):
            messages.append(question)
            while messages[-1]["role"] != "assistant" or "tool_calls" in messages[-1]:
                reply = await llm.complete(messages, tools=tools(3))
                messages.append(reply.message)
                if reply.tool_calls:
                    messages += results_of(reply.message)
        turn = ["user", "assistant", *["tool"] * 3, "assistant"]
        roles = [message["role"] for message in sent(sandbox)]
        assert roles == [*turn, *turn[:-1]]


@given(
    thinking=st.sampled_from([*DEMANDS]),
    effort=st.sampled_from([{}, {"reasoning_effort": "low"}]),
    signs=st.booleans(),
    index=st.sampled_from(INDICES),
    count=st.integers(min_value=1, max_value=5),
)
async def test_any_calls_go_back_in_any_habit(thinking, effort, signs, index, count):
    async with chat(thinking, ThoughtSignatures() if signs else None, index) as (_, llm):
        reply = await llm.complete([ASKED], tools=tools(count), **effort)
        message = reply.message
        assert len(message["tool_calls"]) == count
        answered = await llm.complete([ASKED, message, *results_of(message)], **effort)
        assert answered.finish_reason == "stop"
        is_demanding = bool(DEMANDS[thinking]) or signs
        try:
            await llm.complete([ASKED, stripped(message), *results_of(message)], **effort)
        except BadRequestError:
            assert is_demanding
        else:
            assert not is_demanding
