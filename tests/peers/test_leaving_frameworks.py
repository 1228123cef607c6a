"""Whoever leaves a framework's stream, in whatever way, leaves nothing behind on the server."""

import asyncio
from contextlib import aclosing

import anyio
import pytest

from asyncllm.sandbox import Stall
from peers.conftest import _require
from peers.frameworks import asked, at_rest, every_kind
from support.waiting import until

pytestmark = [
    pytest.mark.peers,
    # LlamaIndex looks at every attribute of its agents, pydantic's old ones included.
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
]

with_a_conversation_and_without = pytest.mark.parametrize("wire", ["h2o", "anthropic"])


async def langchain(provider):
    from asyncllm.compat.langchain import ChatAsyncLLM

    async for chunk in ChatAsyncLLM(provider=provider).astream("Hello"):
        yield chunk.text


async def langchain_events(provider):
    from asyncllm.compat.langchain import ChatAsyncLLM

    async for event in ChatAsyncLLM(provider=provider).astream_events("Hello", version="v2"):
        if event["event"] == "on_chat_model_stream":
            yield event["data"]["chunk"].text


async def pydantic_ai(provider):
    from pydantic_ai import Agent

    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    async with Agent(AsyncLLMModel(provider)).run_stream("Hello") as answer:
        async for text in answer.stream_text(delta=True, debounce_by=None):
            yield text


async def llama_index(provider):
    from llama_index.core.llms import ChatMessage

    from asyncllm.compat.llama_index import AsyncLLM

    async for answer in await AsyncLLM(provider=provider).astream_chat([ChatMessage("Hello")]):
        yield answer.delta


async def llama_index_completion(provider):
    from asyncllm.compat.llama_index import AsyncLLM

    async for answer in await AsyncLLM(provider=provider).astream_complete("Hello"):
        yield answer.delta


NEEDED = {
    langchain: "langchain_core",
    langchain_events: "langchain_core",
    pydantic_ai: "pydantic_ai",
    llama_index: "llama_index",
    llama_index_completion: "llama_index",
}


@pytest.fixture(params=NEEDED, ids=lambda read: read.__name__)
def read(request):
    _require(NEEDED[request.param])
    return request.param


# A run of pydantic-ai's is left by the task that entered it, and by no garbage collector.
droppable = pytest.mark.parametrize(
    "read", [each for each in NEEDED if each is not pydantic_ai], indirect=True
)


async def read_two(texts, news):
    async for _ in texts:
        news.append(None)
        if len(news) == 2:
            await asyncio.Event().wait()


@every_kind
async def test_breaking_off_a_stream_closes_it(read, wire):
    async with asked(wire, Stall(after=3)) as (sandbox, provider):
        async with aclosing(read(provider)) as texts:
            async for _ in texts:
                break
        await at_rest(sandbox)


@droppable
@with_a_conversation_and_without
async def test_dropping_a_stream_closes_it(read, wire):
    async with asked(wire, Stall(after=3)) as (sandbox, provider):
        async for _ in read(provider):
            break
        await at_rest(sandbox)


@with_a_conversation_and_without
@pytest.mark.parametrize("is_reading", [False, True])
async def test_cancelling_a_task_closes_its_stream(read, wire, is_reading):
    async with asked(wire, Stall(after=1 if is_reading else 3)) as (sandbox, provider):
        news = []
        task = asyncio.create_task(read_two(read(provider), news))
        await until(lambda: len(news) == (1 if is_reading else 2))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await at_rest(sandbox)


@with_a_conversation_and_without
async def test_an_anyio_scope_that_is_cancelled_closes_its_stream(read, wire):
    async with asked(wire, Stall(after=2)) as (sandbox, provider):
        with anyio.CancelScope() as scope:
            async for _ in read(provider):
                scope.cancel()
        assert scope.cancelled_caught
        await at_rest(sandbox)


@every_kind
async def test_cancelling_what_waits_for_a_whole_answer_closes_its_stream(wire):
    _require("langchain_core", "pydantic_ai", "llama_index")
    from pydantic_ai import Agent

    from asyncllm.compat.langchain import ChatAsyncLLM
    from asyncllm.compat.llama_index import AsyncLLM
    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    ways = (
        lambda provider: ChatAsyncLLM(provider=provider).ainvoke("Hello"),
        lambda provider: Agent(AsyncLLMModel(provider)).run("Hello"),
        lambda provider: AsyncLLM(provider=provider).acomplete("Hello"),
    )
    async with asked(wire, Stall(after=2)) as (sandbox, provider):
        for ask in ways:
            task = asyncio.create_task(ask(provider))
            await until(lambda: sandbox.generating == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await at_rest(sandbox)


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
async def test_cancelling_an_agent_closes_its_stream(wire):
    _require("langchain", "pydantic_ai")
    from langchain.agents import create_agent
    from pydantic_ai import Agent

    from asyncllm.compat.langchain import ChatAsyncLLM
    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    async def with_langchain(provider):
        agent = create_agent(ChatAsyncLLM(provider=provider), [weather])
        hello = {"messages": [("user", "Hello")]}
        async for _ in agent.astream(hello, stream_mode="messages"):
            pass

    async def with_pydantic_ai(provider):
        async with Agent(AsyncLLMModel(provider), tools=[weather]).iter("Hello") as run:
            async for _ in run:
                pass

    async with asked(wire, Stall(after=2)) as (sandbox, provider):
        for work in (with_langchain, with_pydantic_ai):
            task = asyncio.create_task(work(provider))
            await until(lambda: sandbox.generating == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await at_rest(sandbox)


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
async def test_cancelling_the_run_of_a_function_agent_closes_its_stream(wire):
    _require("llama_index")
    from llama_index.core.agent.workflow import AgentStream, FunctionAgent

    from asyncllm.compat.llama_index import AsyncLLM

    async with asked(wire, Stall(after=2)) as (sandbox, provider):
        run = FunctionAgent(tools=[weather], llm=AsyncLLM(provider=provider)).run("Hello")
        async for event in run.stream_events():
            if isinstance(event, AgentStream):
                break
        await run.cancel_run()
        await at_rest(sandbox)


async def test_pydantic_ai_cancels_a_stream_by_its_own_method():
    _require("pydantic_ai")
    from pydantic_ai import Agent

    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    async with (
        asked("h2o", Stall(after=2)) as (sandbox, provider),
        Agent(AsyncLLMModel(provider)).run_stream("Hello") as answer,
    ):
        async for _ in answer.stream_text(delta=True, debounce_by=None):
            await answer.cancel()
        assert answer.response.state == "interrupted"
        await at_rest(sandbox)


def weather(city: str) -> str:
    """Say how the weather is."""
    return f"sunny in {city}"
