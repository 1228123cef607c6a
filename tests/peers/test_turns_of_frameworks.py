"""The second turn of a framework's agent is, to the byte, the one that our own messages make."""

import json

import pytest

from asyncllm import Reply, ToolCall
from asyncllm.sandbox import Sandbox
from peers.conftest import _require
from peers.frameworks import every_wire_with_tools
from support.wires import on_wire

pytestmark = [
    pytest.mark.peers,
    # LlamaIndex looks at every attribute of its agents, pydantic's old ones included.
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
]
QUESTION = "use a tool"
THINKING = {"reasoning_effort": "low"}


def weather(city: str) -> str:
    """Say how the weather is."""
    return f"sunny in {city}"


async def with_langchain(provider, params):
    from langchain.agents import create_agent

    from asyncllm.compat.langchain import ChatAsyncLLM

    agent = create_agent(ChatAsyncLLM(provider=provider, model_kwargs=params), [weather])
    await agent.ainvoke({"messages": [("user", QUESTION)]})


async def with_pydantic_ai(provider, params):
    from pydantic_ai import Agent

    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    model = AsyncLLMModel(provider, settings={"asyncllm_params": params})
    await Agent(model, tools=[weather]).run(QUESTION)


async def with_llama_index(provider, params):
    from llama_index.core.agent.workflow import FunctionAgent

    from asyncllm.compat.llama_index import AsyncLLM

    llm = AsyncLLM(provider=provider, additional_kwargs=params)
    await FunctionAgent(tools=[weather], llm=llm).run(QUESTION)


async def by_hand(provider, params, tools):
    question = {"role": "user", "content": QUESTION}
    reply = await provider.complete([question], tools=tools, **params)
    results = [
        {
            "role": "tool",
            "tool_call_id": call.id,
            "content": weather(**call.parsed_arguments),
        }
        for call in reply.tool_calls
    ]
    await provider.complete([question, reply.message, *results], tools=tools, **params)


def thinker(wire, url):
    """Make a provider whose model thinks."""
    provider = on_wire(wire, url)
    provider.model = {"responses": "gpt-5", "ollama": "qwen3"}.get(wire, provider.model)
    return provider


def turns(sandbox):
    """Return what the last request said, without what the sandbox draws by chance."""
    told = json.loads(sandbox.requests[-1].body)
    [name] = {"messages", "contents", "input"} & told.keys()
    return without_chance(told[name])


def without_chance(value):
    if isinstance(value, list):
        return [without_chance(each) for each in value]
    if isinstance(value, dict):
        told = {name: without_chance(each) for name, each in value.items() if name != "id"}
        return told | ({"encrypted_content": "…"} if value.get("encrypted_content") else {})
    return value


@every_wire_with_tools
@pytest.mark.parametrize("work", [with_langchain, with_pydantic_ai, with_llama_index])
async def test_the_second_turn_is_the_one_that_our_own_messages_make(wire, work):
    _require("langchain", "pydantic_ai", "llama_index")
    from langchain_core.utils.function_calling import convert_to_openai_tool

    params = {} if wire == "cohere" else THINKING  # which thinks by itself
    async with Sandbox() as theirs, Sandbox() as ours:
        await work(thinker(wire, theirs.url), params)
        tools = [convert_to_openai_tool(weather)]
        await by_hand(thinker(wire, ours.url), params, tools)
        assert turns(theirs) == turns(ours)
        assert len(turns(ours)) >= 3


def test_arguments_that_were_changed_are_sent_as_they_are_now():
    from asyncllm.compat._turns import assistant_turn, call_of, kept_of

    reply = Reply(tool_calls=(ToolCall("1", "f", '{"a": 1}'), ToolCall("2", "f", "")))
    kept = kept_of(reply)
    for now, sent in (
        ({"a": 1}, '{"a": 1}'),
        ('{"a":1}', '{"a": 1}'),
        ({"a": 2}, {"a": 2}),
        ("[no", "[no"),
    ):
        [call] = assistant_turn("", [call_of("1", "f", now)], kept)["tool_calls"]
        assert call == {"id": "1", "type": "function", "function": {"name": "f", "arguments": sent}}
    [call] = assistant_turn("", [call_of("2", "f", {})], kept)["tool_calls"]
    assert call["function"]["arguments"] == ""
    for odd in (None, "kept", {"tool_calls": []}, {"tool_calls": {"1": 5}}):
        assert assistant_turn("", [call_of("1", "f", "{}")], odd)["tool_calls"][0]["id"] == "1"
