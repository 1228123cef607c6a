"""`AsyncLLM` in LlamaIndex itself: its chats, its completions, its agents."""

import json

import pytest

import asyncllm
from asyncllm import Fallback, OpenAICompatible
from asyncllm.sandbox import (
    Drop,
    RefusalDeltas,
    Sandbox,
    ServerRetry,
    Status,
    UsageDetails,
)
from asyncllm.sandbox.background import running_in_background
from peers.conftest import _require
from peers.frameworks import (
    ANSWER,
    DEMANDS,
    PNG,
    Scripted,
    asked,
    documented_options,
    every_kind,
    every_wire_with_tools,
    options_of,
)
from support.command_line import wait_until
from support.wires import on_wire

pytestmark = [
    pytest.mark.peers,
    # LlamaIndex looks at every attribute of its agents, pydantic's old ones included.
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
]
QUICK = asyncllm.Retry(attempts=1)


@pytest.fixture(autouse=True)
def _needs_llama_index():
    _require("llama_index")


def llm(provider, **options):
    from asyncllm.compat.llama_index import AsyncLLM

    return AsyncLLM(provider=provider, **options)


def said(content, role="user", **options):
    from llama_index.core.llms import ChatMessage

    return ChatMessage(role=role, content=content, **options)


def tool(function):
    from llama_index.core.tools import FunctionTool

    return FunctionTool.from_defaults(function)


def body(sandbox):
    return json.loads(sandbox.requests[-1].body)


def weather(city: str) -> str:
    """Say how the weather is."""
    return f"sunny in {city}"


def clock(city: str) -> str:
    """Say how late it is."""
    return f"noon in {city}"


@every_kind
async def test_text_streams_token_by_token_and_is_the_whole_answer(wire):
    async with asked(wire) as (_, provider):
        model = llm(provider)
        chat = [each async for each in await model.astream_chat([said("Hi")])]
        completion = [each async for each in await model.astream_complete("Hi")]
        for answers in (chat, completion):
            assert [each.delta for each in answers[:3]] == ["This", " is", " the"]
            assert answers[-1].raw["finish_reason"] == "stop"
        assert chat[2].message.content == completion[2].text == "This is the"
        whole = ANSWER.format("Hi")
        assert chat[-1].message.content == completion[-1].text == whole
        assert (await model.achat([said("Hi")])).message.content == whole
        assert (await model.acomplete("Hi")).text == whole


@every_kind
def test_blocking_calls_do_the_same(wire):
    with running_in_background(Sandbox()) as sandbox:
        model = llm(on_wire(wire, sandbox.url))
        whole = ANSWER.format("Hi")
        assert model.chat([said("Hi")]).message.content == whole
        assert model.complete("Hi").text == whole
        assert "".join(each.delta for each in model.stream_chat([said("Hi")])) == whole
        assert "".join(each.delta for each in model.stream_complete("Hi")) == whole
        for _ in model.stream_chat([said("Hi")]):
            break
        wait_until(lambda: (sandbox.conversations, sandbox.generating) == (0, 0))


@every_wire_with_tools
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_agent_calls_a_tool_and_its_result_goes_back(wire, is_streamed):
    from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ToolCallResult

    async with asked(wire) as (sandbox, provider):
        agent = FunctionAgent(
            tools=[weather], llm=llm(provider), system_prompt="Be brief.", streaming=is_streamed
        )
        run = agent.run("use a tool")
        events = [event async for event in run.stream_events()]
        assert str(await run) == ANSWER.format("use a tool")
        [result] = [event for event in events if isinstance(event, ToolCallResult)]
        assert result.tool_kwargs == {"city": "use a tool"}
        sent = sandbox.requests[-1].body.decode()
        assert "sunny in use a tool" in sent
        assert "Be brief." in sent
        deltas = [event.delta for event in events if isinstance(event, AgentStream)]
        assert "".join(deltas) == (ANSWER.format("use a tool") if is_streamed else "")


@every_wire_with_tools
async def test_a_tool_is_called_at_once(wire):
    async with asked(wire) as (_, provider):
        model, tools = llm(provider), [tool(weather), tool(clock)]
        one = await model.apredict_and_call(tools, "use a tool")
        assert str(one) == "sunny in use a tool"
        both = await model.apredict_and_call(tools, "use a tool", allow_parallel_tool_calls=True)
        assert str(both) == "sunny in use a tool\n\nnoon in use a tool"
        with pytest.raises(ValueError, match="called no tool"):
            await model.apredict_and_call(tools, "Hi")


@pytest.mark.parametrize("demand", DEMANDS, ids=repr)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_must_go_back_of_a_turn_goes_back_even_after_it_was_stored(demand, is_streamed):
    from llama_index.core.llms import ChatMessage

    async with asked("openai", demand) as (_, provider):
        model, question = llm(provider), said("use a tool")
        given = {"tools": [tool(weather)], "chat_history": [question]}
        if is_streamed:
            *_, answer = [each async for each in await model.astream_chat_with_tools(**given)]
        else:
            answer = await model.achat_with_tools(**given)
        stored = ChatMessage.model_validate_json(answer.message.model_dump_json())
        [call] = model.get_tool_calls_from_response(answer)
        result = said("sunny", "tool", additional_kwargs={"tool_call_id": call.tool_id})
        told = await model.achat([question, stored, result])
        assert told.message.content == ANSWER.format("use a tool")
        stored.additional_kwargs = {}
        with pytest.raises(asyncllm.BadRequestError):
            await model.achat([question, stored, result])


async def test_thinking_is_told_as_llama_index_tells_it_and_goes_back_signed():
    async with asked("anthropic") as (sandbox, provider):
        model = llm(provider, additional_kwargs={"reasoning_effort": "low"})
        answers = [each async for each in await model.astream_chat([said("Hi")])]
        thought = "".join(each.additional_kwargs.get("thinking_delta", "") for each in answers)
        thinking, text = answers[-1].message.blocks
        assert (thinking.block_type, text.block_type) == ("thinking", "text")
        assert thinking.content == thought != ""
        assert thinking.num_tokens > 0
        await model.achat([said("Hi"), answers[-1].message, said("And now?")])
        assert body(sandbox)["messages"][1]["content"][0]["signature"]


async def test_parameters_of_the_model_and_of_a_call_are_sent():
    async with asked("openai") as (sandbox, provider):
        model = llm(provider, temperature=0.2, max_tokens=7, additional_kwargs={"stop": ["\n"]})
        await model.acomplete("Hi")
        asked_for = {"temperature": 0.2, "max_tokens": 7, "stop": ["\n"]}
        assert asked_for.items() <= body(sandbox).items()
        await model.achat([said("Hi")], temperature=0.5, model="gpt-4o-mini")
        assert {"temperature": 0.5, "model": "gpt-4o-mini"}.items() <= body(sandbox).items()
        assert (model.metadata.num_output, model.metadata.model_name) == (7, "gpt-4o")


@pytest.mark.parametrize(
    ("given", "choice", "alone"),
    [
        ({}, None, False),
        ({"tool_required": True}, "required", False),
        ({"allow_parallel_tool_calls": True}, None, None),
        ({"tool_choice": "auto"}, "auto", False),
        ({"tool_choice": "clock"}, {"type": "function", "function": {"name": "clock"}}, False),
    ],
)
async def test_the_choice_of_tools_is_sent(given, choice, alone):
    async with asked("openai") as (sandbox, provider):
        tools = [tool(weather), tool(clock)]
        answer = await llm(provider).achat_with_tools(tools, "use a tool", **given)
        sent = body(sandbox)
        assert [each["function"]["name"] for each in sent["tools"]] == ["weather", "clock"]
        assert (sent.get("tool_choice"), sent.get("parallel_tool_calls")) == (choice, alone)
        assert len(answer.message.blocks) == (1 if alone is False else 2)
        await llm(provider).achat_with_tools([], said("Hi"))
        assert "tools" not in body(sandbox)


@pytest.mark.parametrize("wire", ["openai", "anthropic", "gemini"])
async def test_a_structured_prediction_is_a_model_of_pydantics(wire):
    from llama_index.core.prompts import PromptTemplate
    from pydantic import BaseModel

    class City(BaseModel):
        """Say which."""

        city: str

    async with asked(wire) as (_, provider):
        prompt = PromptTemplate("use a tool in {place}")
        told = await llm(provider).astructured_predict(City, prompt, place="Oslo")
        assert told == City(city="use a tool in Oslo")


@pytest.mark.parametrize("wire", ["openai", "anthropic", "gemini", "chatui"])
async def test_images_and_the_systems_messages_are_sent(wire):
    import base64

    from llama_index.core.llms import ImageBlock, TextBlock

    async with asked(wire) as (sandbox, provider):
        content = [TextBlock(text="What is it?"), ImageBlock(image=PNG)]
        answer = await llm(provider).achat([said("Be brief.", "system"), said(content)])
        assert answer.message.content.startswith("This is the asyncllm sandbox")
        sent = b"".join(request.body for request in sandbox.requests)
        assert base64.b64encode(PNG) in sent or PNG in sent
        assert b"Be brief." in sent


async def test_links_files_and_recordings_are_sent():
    from llama_index.core.base.llms.types import CacheControl, CachePoint, CitableBlock
    from llama_index.core.llms import AudioBlock, DocumentBlock, ImageBlock, TextBlock

    async with asked("openai") as (sandbox, provider):
        content = [
            CitableBlock(title="t", source="s", content=[TextBlock(text="What is it?")]),
            ImageBlock(url="https://x/cat.png", detail="low"),
            DocumentBlock(data=b"%PDF-1.7", document_mimetype="application/pdf", title="a.pdf"),
            AudioBlock(audio=b"RIFF....WAVE", format="mp3"),
            CachePoint(cache_control=CacheControl(type="ephemeral")),
        ]
        await llm(provider).achat([said(content)])
        text, picture, paper, sound = body(sandbox)["messages"][0]["content"]
        assert text["text"] == "What is it?"
        assert picture["image_url"] == {"url": "https://x/cat.png", "detail": "low"}
        assert paper["file"]["filename"] == "a.pdf"
        assert sound["input_audio"]["format"] == "mp3"


async def test_what_an_answer_took_and_why_it_ended_is_told():
    from llama_index.core.callbacks import CallbackManager, TokenCountingHandler

    async with asked("openai", UsageDetails()) as (_, provider):
        counter = TokenCountingHandler(tokenizer=str.split)
        model = llm(provider, max_tokens=3, callback_manager=CallbackManager([counter]))
        cut = await model.achat([said("Hi")])
        assert (cut.message.content, cut.raw["finish_reason"]) == ("This is the", "length")
        assert cut.raw["usage"] == cut.additional_kwargs
        assert counter.completion_llm_token_count == cut.raw["usage"]["completion_tokens"] > 0


async def test_a_refusal_is_what_was_said():
    async with asked("openai", RefusalDeltas()) as (_, provider):
        told = await llm(provider).achat([said("Hi")])
        assert told.message.content == told.raw["refusal"] == ANSWER.format("Hi")


async def test_how_likely_each_token_was_is_told():
    async with asked("openai") as (_, provider):
        told = await llm(provider).acomplete("Hi", logprobs=True, top_logprobs=2)
        assert [each[0].token for each in told.logprobs[:2]] == ["This", " is"]
        assert len(told.logprobs[0]) == 3


async def test_images_sounds_and_files_of_an_answer_are_blocks():
    provider = Scripted(
        asyncllm.Media("image/png", PNG),
        asyncllm.Media("audio/wav", b"RIFF"),
        asyncllm.Media("application/pdf", b"%PDF-1.7"),
        asyncllm.Finish("stop"),
    )
    told = await llm(provider).achat([said("Hi")])
    kinds = [block.block_type for block in told.message.blocks]
    assert kinds == ["image", "audio", "document"]
    assert told.message.blocks[0].resolve_image().read() == PNG
    again = [said("Hi"), told.message, said([told.message.blocks[2]])]
    await llm(provider).achat(again)
    assert provider.heard[-1][2]["content"][0]["source"] == b"%PDF-1.7"


async def test_a_call_whose_arguments_are_no_json_goes_back_as_it_came():
    provider = Scripted(asyncllm.ToolCall("1", "weather", "[no"), asyncllm.Finish("tool_calls"))
    told = await llm(provider).achat([said("Hi")])
    [call] = llm(provider).get_tool_calls_from_response(told)
    assert call.tool_kwargs == {}
    result = said("no JSON", "tool", additional_kwargs={"tool_call_id": "1"})
    await llm(provider).achat([said("Hi"), told.message, result])
    assert provider.heard[-1][1]["tool_calls"][0]["function"]["arguments"] == "[no"


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_errors_are_ours_with_what_had_come(is_streamed):
    async def ask(provider):
        if not is_streamed:
            return await llm(provider).achat([said("Hi")])
        return [_ async for _ in await llm(provider).astream_chat([said("Hi")])]

    async with asked("openai", Drop(after=3)) as (_, provider):
        with pytest.raises(asyncllm.StreamInterrupted) as caught:
            await ask(provider)
        assert caught.value.reply.text == "This is the"
    async with asked("openai", Status(429, retry_after=7), retry=QUICK) as (_, provider):
        with pytest.raises(asyncllm.RateLimitError) as caught:
            await ask(provider)
        assert caught.value.retry_after == 7


async def test_a_provider_made_of_providers_answers_too():
    async with Sandbox(faults=[Status(503)]) as busy, Sandbox() as free:
        provider = Fallback(
            on_wire("openai", busy.url, retry=QUICK), on_wire("anthropic", free.url)
        )
        told = await llm(provider).apredict_and_call([tool(weather)], "use a tool")
        assert str(told) == "sunny in use a tool"


async def test_a_model_without_tools_says_so_to_llama_index():
    from llama_index.core.agent.workflow import FunctionAgent

    async with asked("h2o") as (sandbox, provider):
        assert not llm(provider).metadata.is_function_calling_model
        agent = FunctionAgent(tools=[weather], llm=llm(provider))
        with pytest.raises(Exception, match="FunctionCallingLLM"):
            await agent.run("use a tool")
        assert not sandbox.requests


async def test_an_answer_that_begins_anew_is_an_error_where_text_was_given_out():
    async with asked("chatui", ServerRetry(after=3)) as (_, provider):
        with pytest.raises(asyncllm.StreamInterrupted, match="ask again without streaming"):
            [_ async for _ in await llm(provider).astream_chat([said("Hi")])]
        assert (await llm(provider).acomplete("Hi")).text == ANSWER.format("Hi")


def test_no_text_about_a_model_has_its_key_and_what_is_no_provider_is_refused():
    key = "sk-0123456789"
    model = llm(OpenAICompatible(base_url="https://x/v1", api_key=key, model="m"))
    assert key not in f"{model!r} {model.to_payload()} {model.to_dict()}"
    with pytest.raises(ValueError, match="Provider"):
        llm("h2o")


def test_the_reference_names_every_option():
    from asyncllm.compat.llama_index import AsyncLLM

    assert documented_options("AsyncLLM") == options_of(AsyncLLM)
