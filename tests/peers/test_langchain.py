"""`ChatAsyncLLM` in LangChain itself: its streams, its agents, its structured output."""

import asyncio
import base64
import json
import pickle

import pytest

import asyncllm
from asyncllm import Fallback, OpenAICompatible
from asyncllm.sandbox import (
    Citations,
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

pytestmark = pytest.mark.peers


@pytest.fixture(autouse=True)
def _needs_langchain():
    _require("langchain_core", "langchain")


def chat(provider, **options):
    from asyncllm.compat.langchain import ChatAsyncLLM

    return ChatAsyncLLM(provider=provider, **options)


def weather(city: str) -> str:
    """Say how the weather is."""
    return f"sunny in {city}"


def body(sandbox):
    return json.loads(sandbox.requests[-1].body)


@every_kind
async def test_text_streams_token_by_token_and_is_the_whole_answer(wire):
    async with asked(wire) as (_, provider):
        chunks = [chunk async for chunk in chat(provider).astream("Hi")]
        assert [chunk.text for chunk in chunks[:3]] == ["This", " is", " the"]
        whole = await chat(provider).ainvoke("Hi")
        summed = sum(chunks[1:], chunks[0])
        assert summed.text == whole.text == ANSWER.format("Hi")
        for message in (summed, whole):
            assert message.response_metadata["finish_reason"] == "stop"
            assert message.response_metadata["model_name"]
        assert chunks[-1].chunk_position == "last"


@every_kind
def test_blocking_calls_do_the_same(wire):
    with running_in_background(Sandbox()) as sandbox:
        model = chat(on_wire(wire, sandbox.url))
        texts = [chunk.text for chunk in model.stream("Hi")]
        assert texts[:3] == ["This", " is", " the"]
        assert "".join(texts) == model.invoke("Hi").text
        for _ in model.stream("Hi"):
            break
        wait_until(lambda: (sandbox.conversations, sandbox.generating) == (0, 0))


@every_wire_with_tools
@pytest.mark.parametrize("mode", ["messages", "values"])
async def test_an_agent_calls_a_tool_and_its_result_goes_back(wire, mode):
    from langchain.agents import create_agent

    async with asked(wire) as (sandbox, provider):
        agent = create_agent(chat(provider), [weather], system_prompt="Be brief.")
        question = {"messages": [("user", "use a tool")]}
        steps = [step async for step in agent.astream(question, stream_mode=mode)]
        assert "sunny in use a tool" in sandbox.requests[-1].body.decode()
        if mode == "values":
            _, call, result, answer = steps[-1]["messages"]
            assert [each["args"] for each in call.tool_calls] == [{"city": "use a tool"}]
            assert call.response_metadata["finish_reason"] == "tool_calls"
            assert result.tool_call_id == call.tool_calls[0]["id"]
            assert answer.text == ANSWER.format("use a tool")
        else:
            texts = [chunk.text for chunk, about in steps if about["langgraph_node"] == "model"]
            assert "".join(texts) == ANSWER.format("use a tool")


@pytest.mark.parametrize("demand", DEMANDS, ids=repr)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_must_go_back_of_a_turn_goes_back_even_after_it_was_stored(demand, is_streamed):
    from langchain_core.messages import (
        HumanMessage,
        ToolMessage,
        message_chunk_to_message,
        messages_from_dict,
        messages_to_dict,
    )

    async with asked("openai", demand) as (_, provider):
        model = chat(provider).bind_tools([weather])
        question = HumanMessage("use a tool")
        if is_streamed:
            chunks = [chunk async for chunk in model.astream([question])]
            turn = message_chunk_to_message(sum(chunks[1:], chunks[0]))
        else:
            turn = await model.ainvoke([question])
        [stored] = messages_from_dict(json.loads(json.dumps(messages_to_dict([turn]))))
        [call] = stored.tool_calls
        answer = await model.ainvoke(
            [question, stored, ToolMessage("sunny", tool_call_id=call["id"])]
        )
        assert answer.text == ANSWER.format("use a tool")
        stored.additional_kwargs = {}
        with pytest.raises(asyncllm.BadRequestError):
            await model.ainvoke([question, stored, ToolMessage("x", tool_call_id=call["id"])])


async def test_thinking_is_told_as_langchain_tells_it():
    async with asked("anthropic") as (_, provider):
        model = chat(provider, model_kwargs={"reasoning_effort": "low"})
        chunks = [chunk async for chunk in model.astream("Hi")]
        whole = sum(chunks[1:], chunks[0])
        thought = whole.additional_kwargs["reasoning_content"]
        assert [block["type"] for block in whole.content_blocks] == ["reasoning", "text"]
        assert whole.content_blocks[0]["reasoning"] == thought != ""
        assert whole.usage_metadata["output_token_details"]["reasoning"] > 0
        told = await chat(
            provider, model_kwargs={"reasoning_effort": "low"}, output_version="v1"
        ).ainvoke("Hi")
        assert [block["type"] for block in told.content] == ["reasoning", "text"]
        again = await model.ainvoke([("user", "Hi"), told, ("user", "And now?")])
        assert again.text == ANSWER.format("And now?")


async def test_parameters_of_the_model_and_of_a_call_are_sent():
    async with asked("openai") as (sandbox, provider):
        model = chat(provider, temperature=0.2, max_tokens=7, stop=["\n"], seed=1, top_p=0.9)
        await model.ainvoke("Hi")
        asked_for = {"temperature": 0.2, "max_tokens": 7, "stop": ["\n"], "seed": 1, "top_p": 0.9}
        assert asked_for.items() <= body(sandbox).items()
        await model.ainvoke("Hi", stop=["x"], temperature=0.5, model="gpt-4o-mini")
        assert {"stop": ["x"], "temperature": 0.5, "model": "gpt-4o-mini"}.items() <= body(
            sandbox
        ).items()


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", "auto"),
        ("any", "required"),
        (True, "required"),
        ("weather", {"type": "function", "function": {"name": "weather"}}),
    ],
)
async def test_the_choice_of_a_tool_is_sent(choice, sent):
    async with asked("openai") as (sandbox, provider):
        search = {"type": "web_search", "name": "search"}
        model = chat(provider).bind_tools([weather, search], tool_choice=choice, strict=True)
        assert model.kwargs.get("tool_choice") == sent
        assert model.kwargs["tools"][1] == search
        assert model.kwargs["tools"][0]["function"]["strict"] is True
        await chat(provider).bind_tools([weather], tool_choice=choice).ainvoke("Hi")
        assert body(sandbox).get("tool_choice") == sent


@pytest.mark.parametrize("wire", ["openai", "anthropic", "gemini", "chatui"])
async def test_images_and_the_systems_messages_are_sent(wire):
    from langchain_core.messages import HumanMessage, SystemMessage

    encoded = base64.b64encode(PNG).decode()
    shapes = (
        {"type": "image", "base64": encoded, "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}},
        {"type": "image", "source_type": "base64", "data": encoded, "mime_type": "image/png"},
    )
    async with asked(wire) as (sandbox, provider):
        for shape in shapes:
            content = [{"type": "text", "text": "What is it?"}, shape]
            answer = await chat(provider).ainvoke(
                [SystemMessage("Be brief."), HumanMessage(content)]
            )
            assert answer.text.startswith("This is the asyncllm sandbox")
            sent = b"".join(request.body for request in sandbox.requests)
            assert encoded.encode() in sent or PNG in sent
            assert b"Be brief." in sent
            sandbox.requests.clear()


async def test_what_an_answer_took_is_told():
    async with asked("openai", UsageDetails(cost=0.25)) as (_, provider):
        whole = await chat(provider).ainvoke("Hi")
        chunks = [chunk async for chunk in chat(provider).astream("Hi")]
        for message in (whole, sum(chunks[1:], chunks[0])):
            told = message.usage_metadata
            assert told["total_tokens"] == told["input_tokens"] + told["output_tokens"]
            assert told["input_token_details"]["cache_read"] > 0
            assert message.response_metadata["cost"] == 0.25


async def test_why_an_answer_ended_is_told():
    async with asked("openai") as (_, provider):
        cut = await chat(provider, max_tokens=3).ainvoke("Hi")
        assert (cut.text, cut.response_metadata["finish_reason"]) == ("This is the", "length")


async def test_a_refusal_and_sources_are_told():
    async with asked("openai", RefusalDeltas()) as (sandbox, provider):
        refused = await chat(provider).ainvoke("Hi")
        assert (refused.text, refused.additional_kwargs["refusal"]) == ("", ANSWER.format("Hi"))
        await chat(provider).ainvoke([("user", "Hi"), refused, ("user", "Why?")])
        assert body(sandbox)["messages"][1]["content"] == ANSWER.format("Hi")
    async with asked("openai", Citations()) as (_, provider):
        told = await chat(provider).ainvoke("Hi")
        assert told.response_metadata["citations"][0]["url"].startswith("https://")


@pytest.mark.parametrize(
    ("fault", "ours", "theirs", "passes"),
    [
        (Status(400), "BadRequestError", "ModelInvalidRequestError", False),
        (Status(401), "AuthenticationError", "ModelAuthenticationError", False),
        (Status(403), "AuthenticationError", "ModelPermissionDeniedError", False),
        (Status(404), "NotFoundError", "ModelNotFoundError", False),
        (Status(429), "RateLimitError", "ModelRateLimitError", True),
        (Status(503), "ServerError", "ModelAPIError", True),
        (Drop(after=3), "StreamInterrupted", "ModelConnectionError", True),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_errors_are_ours_and_langchains(fault, ours, theirs, passes, is_streamed):
    from langchain_core import exceptions

    quick = asyncllm.Retry(attempts=1)
    async with asked("openai", fault, retry=quick) as (_, provider):
        with pytest.raises(getattr(exceptions, theirs)) as caught:
            if is_streamed:
                [_ async for _ in chat(provider).astream("Hi")]
            else:
                await chat(provider).ainvoke("Hi")
        error = caught.value
        assert isinstance(error, getattr(asyncllm, ours))
        assert (type(error).__name__, error.is_retryable) == (ours, passes)
        assert error.reply.text == ("This is the" if ours == "StreamInterrupted" else "")
        again = pickle.loads(pickle.dumps(error))
        assert isinstance(again, getattr(exceptions, theirs))
        assert (str(again), again.reply) == (str(error), error.reply)


async def test_messages_that_are_too_long_are_an_overflow_and_a_refusal_stays_what_it_is():
    from langchain_core.exceptions import ContextOverflowError, ModelError

    from asyncllm.compat._langchain_errors import make_theirs

    error = asyncllm.ContextLengthError("POST", "http://x/", status=400, message="too long")
    make_theirs(error)
    assert isinstance(error, ContextOverflowError)
    assert isinstance(error, asyncllm.ContextLengthError)
    made = type(error)
    make_theirs(error)
    assert type(error) is made
    wrong = asyncllm.ConfigurationError("no")
    make_theirs(wrong)
    assert not isinstance(wrong, ModelError)


async def test_a_model_in_a_fallback_of_langchains_gives_way():
    async with Sandbox(faults=[Status(429)]) as busy, Sandbox() as free:
        quick = asyncllm.Retry(attempts=1)
        models = [chat(on_wire("openai", url, retry=quick)) for url in (busy.url, free.url)]
        answer = await models[0].with_fallbacks(models[1:]).ainvoke("Hi")
        assert answer.text == ANSWER.format("Hi")


async def test_a_provider_made_of_providers_answers_too():
    async with Sandbox(faults=[Status(503)]) as busy, Sandbox() as free:
        quick = asyncllm.Retry(attempts=1)
        provider = Fallback(
            on_wire("openai", busy.url, retry=quick), on_wire("anthropic", free.url)
        )
        from langchain.agents import create_agent

        told = await create_agent(chat(provider), [weather]).ainvoke(
            {"messages": [("user", "use a tool")]}
        )
        assert told["messages"][-1].text == ANSWER.format("use a tool")


@pytest.mark.parametrize("wire", ["openai", "anthropic", "gemini"])
async def test_structured_output_is_a_model_of_pydantics_by_a_tool(wire):
    from pydantic import BaseModel

    class City(BaseModel):
        """Say which."""

        city: str

    async with asked(wire) as (_, provider):
        model = chat(provider).with_structured_output(City)
        assert await model.ainvoke("use a tool") == City(city="use a tool")
        raw = chat(provider).with_structured_output(City.model_json_schema(), include_raw=True)
        told = await raw.ainvoke("use a tool")
        assert (told["parsed"], told["parsing_error"]) == ({"city": "use a tool"}, None)


async def test_structured_output_by_the_servers_own_form_sends_the_schema():
    from langchain_core.exceptions import OutputParserException
    from pydantic import BaseModel

    class City(BaseModel):
        city: str

    async with asked("openai") as (sandbox, provider):
        model = chat(provider).with_structured_output(City, method="json_schema", strict=True)
        with pytest.raises(OutputParserException):  # the sandbox answers in words
            await model.ainvoke("Hi")
        form = body(sandbox)["response_format"]["json_schema"]
        assert (form["name"], form["strict"]) == ("City", True)
        assert form["schema"]["properties"]["city"]["type"] == "string"
        told = (
            await chat(provider)
            .with_structured_output(City, method="json_mode", include_raw=True)
            .ainvoke("Hi")
        )
        assert body(sandbox)["response_format"] == {"type": "json_object"}
        assert isinstance(told["parsing_error"], OutputParserException)


@pytest.mark.parametrize("wire", ["openai", "anthropic", "ollama"])
async def test_an_agent_has_its_answer_in_the_form_of_a_schema(wire):
    from langchain.agents import create_agent
    from pydantic import BaseModel

    class City(BaseModel):
        """Say which."""

        city: str

    async with asked(wire) as (sandbox, provider):
        agent = create_agent(chat(provider), [], response_format=City)
        question = {"messages": [("user", "use a tool")]}
        if wire == "ollama":  # which can't be made to call one: the sandbox answers in words
            with pytest.raises(Exception, match="structured output"):
                await agent.ainvoke(question)
            assert body(sandbox)["format"]["properties"]["city"]["type"] == "string"
        else:
            told = await agent.ainvoke(question)
            assert told["structured_response"] == City(city="use a tool")


@pytest.mark.filterwarnings("ignore:.* is in beta")
async def test_the_newest_events_of_langchains_stream_too():
    async with asked("anthropic") as (_, provider):
        model = chat(provider, model_kwargs={"reasoning_effort": "low"}).bind_tools([weather])
        stream = await model.astream_events("use a tool", version="v3")
        assert [each async for each in stream.reasoning][:2] == ["The", " user"]
        [call] = (await stream.output).tool_calls
        assert call["args"] == {"city": "use a tool"}


def test_the_form_is_the_one_that_the_provider_has_a_place_for():
    from asyncllm.compat._langchain_tools import method_for

    assert method_for(asyncllm.TGI(base_url="https://x")) == "json_schema"
    assert method_for(asyncllm.OpenAI(api_key="k", model="m")) == "function_calling"


async def test_what_a_provider_has_no_place_for_is_refused_before_anything_is_sent():
    async with asked("h2o") as (sandbox, provider):
        with pytest.raises(asyncllm.ConfigurationError, match="tools"):
            await chat(provider).bind_tools([weather]).ainvoke("use a tool")
        assert not sandbox.requests


async def test_an_answer_that_begins_anew_is_an_error_where_text_was_given_out():
    async with asked("chatui", ServerRetry(after=3)) as (_, provider):
        with pytest.raises(asyncllm.StreamInterrupted, match="ask again without streaming"):
            [_ async for _ in chat(provider).astream("Hi")]
        answer = await chat(provider).ainvoke("Hi")
        assert answer.text == ANSWER.format("Hi")


async def test_a_cache_of_langchains_tells_models_and_parameters_apart():
    from langchain_core.caches import InMemoryCache

    async with asked("openai") as (sandbox, provider):
        cache = InMemoryCache()
        for temperature in (0.1, 0.1, 0.2):
            await chat(provider, cache=cache, temperature=temperature).ainvoke("Hi")
        assert len(sandbox.requests) == 2


def test_a_misspelled_option_and_what_is_no_provider_are_refused():
    with pytest.raises(ValueError, match="temperatur"):
        chat(asyncllm.H2o(), temperatur=0.2)
    with pytest.raises(ValueError, match="Provider"):
        chat("h2o")


def test_no_text_about_a_model_has_its_key():
    model = chat(OpenAICompatible(base_url="https://x/v1", api_key="sk-0123456789", model="m"))
    told = f"{model!r} {model.asdict()} {model._serialized} {model._get_ls_params()}"
    assert "sk-0123456789" not in told
    assert model._get_ls_params()["ls_model_name"] == "m"


async def test_what_can_not_be_sent_says_so():
    from langchain_core.messages import FunctionMessage, HumanMessage, RemoveMessage

    async with asked("openai") as (sandbox, provider):
        for content in ([{"type": "image", "file_id": "f"}], [{"type": "reasoning"}]):
            with pytest.raises(asyncllm.ConfigurationError):
                await chat(provider).ainvoke([HumanMessage(content)])
        with pytest.raises(asyncllm.ConfigurationError, match="RemoveMessage"):
            await chat(provider).ainvoke([RemoveMessage(id="1")])
        assert not sandbox.requests
        await chat(provider).ainvoke([("user", "Hi"), FunctionMessage("12", name="count")])
        assert body(sandbox)["messages"][1] == {
            "role": "function",
            "name": "count",
            "content": "12",
        }


async def test_images_and_sounds_of_an_answer_are_blocks_of_its_content():
    provider = Scripted(
        "See: ",
        asyncllm.Media("image/png", PNG),
        asyncllm.Media("audio/wav", url="https://x/a.wav"),
        asyncllm.Media("", url="https://x/b"),
        asyncllm.ToolResult("1", "search", "found"),
        asyncllm.Finish("stop", raw="end"),
    )
    chunks = [chunk async for chunk in chat(provider).astream("Hi")]
    whole = await chat(provider).ainvoke("Hi")
    for message in (sum(chunks[1:], chunks[0]), whole):
        text, picture, sound, other = message.content
        assert (text, message.text) == ("See: ", "See: ")
        assert base64.b64decode(picture["base64"]) == PNG
        assert sound == {"type": "audio", "url": "https://x/a.wav", "mime_type": "audio/wav"}
        assert other == {"type": "file", "url": "https://x/b"}
        assert message.response_metadata["tool_results"][0]["content"] == "found"
        assert message.response_metadata["raw_finish_reason"] == "end"


async def test_a_call_whose_arguments_are_no_json_is_told_as_such_and_goes_back():
    from langchain_core.messages import ToolMessage

    call = asyncllm.ToolCall("1", "weather", "[no")
    provider = Scripted(call, asyncllm.Finish("tool_calls"))
    turn = await chat(provider).ainvoke("Hi")
    assert [each["args"] for each in turn.invalid_tool_calls] == ["[no"]
    failed = ToolMessage("that is no JSON", tool_call_id="1", status="error")
    await chat(provider).ainvoke([("user", "Hi"), turn, failed])
    _, told, result = provider.heard[-1]
    assert told["tool_calls"][0]["function"] == {"name": "weather", "arguments": "[no"}
    assert (result["is_error"], result["tool_call_id"]) == (True, "1")


async def test_other_roles_names_and_recordings_are_sent():
    from langchain_core.messages import ChatMessage, HumanMessage

    provider = Scripted("ok", asyncllm.Finish("stop"))
    sound = {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}
    marked = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    await chat(provider).ainvoke(
        [ChatMessage("Be brief.", role="developer"), HumanMessage([marked, sound], name="Ann")]
    )
    [first, second] = provider.heard[-1]
    assert first == {"role": "developer", "content": "Be brief."}
    assert second["name"] == "Ann"
    assert second["content"][0] == marked
    assert second["content"][1]["media_type"] == "audio/wav"


async def test_many_answers_at_once_do_not_mix():
    async with asked("openai") as (_, provider):
        questions = [f"question {n}" for n in range(20)]
        answers = await asyncio.gather(*map(chat(provider).ainvoke, questions))
        assert [each.text for each in answers] == [ANSWER.format(each) for each in questions]


def test_the_reference_names_every_option():
    from asyncllm.compat.langchain import ChatAsyncLLM

    assert documented_options("ChatAsyncLLM") == options_of(ChatAsyncLLM)
