"""`AsyncLLMModel` in pydantic-ai itself: its agents, its tools, its output types."""

import asyncio
import base64
import inspect
import json

import pytest

import asyncllm
from asyncllm import Fallback, OpenAICompatible
from asyncllm.sandbox import (
    Citations,
    Drop,
    RefusalDeltas,
    Sandbox,
    ServerRetry,
    SlowAnswer,
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
)
from support.command_line import wait_until
from support.wires import TOOL_WIRES, on_wire

pytestmark = pytest.mark.peers
QUICK = asyncllm.Retry(attempts=1)


@pytest.fixture(autouse=True)
def _needs_pydantic_ai():
    _require("pydantic_ai")


def agent(provider, *, model=None, profile=None, **options):
    from pydantic_ai import Agent

    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    return Agent(AsyncLLMModel(provider, model, profile=profile), **options)


def body(sandbox, number=-1):
    return json.loads(sandbox.requests[number].body)


def weather(city: str) -> str:
    """Say how the weather is."""
    return f"sunny in {city}"


@every_kind
async def test_text_streams_token_by_token_and_is_the_whole_answer(wire):
    async with asked(wire) as (_, provider):
        async with agent(provider).run_stream("Hi") as stream:
            texts = [each async for each in stream.stream_text(delta=True, debounce_by=None)]
        assert texts[:3] == ["This", " is", " the"]
        whole = await agent(provider).run("Hi")
        assert "".join(texts) == whole.output == ANSWER.format("Hi")
        for response in (stream.response, whole.all_messages()[-1]):
            assert (response.finish_reason, response.state) == ("stop", "complete")
            assert response.provider_name == provider.name
            assert response.model_name == provider.model


@every_kind
def test_blocking_calls_do_the_same(wire):
    with running_in_background(Sandbox()) as sandbox:
        loop = asyncio.new_event_loop()  # pydantic-ai would make one, and not close it
        asyncio.set_event_loop(loop)
        try:
            told = agent(on_wire(wire, sandbox.url)).run_sync("Hi")
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
        assert told.output == ANSWER.format("Hi")
        wait_until(lambda: (sandbox.conversations, sandbox.generating) == (0, 0))


@every_wire_with_tools
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_agent_calls_a_tool_and_its_result_goes_back(wire, is_streamed):
    async with asked(wire) as (sandbox, provider):
        helper = agent(provider, tools=[weather], instructions="Be brief.")
        if is_streamed:
            async with helper.run_stream("use a tool") as stream:
                output = await stream.get_output()
            messages = stream.all_messages()
        else:
            told = await helper.run("use a tool")
            output, messages = told.output, told.all_messages()
        assert output == ANSWER.format("use a tool")
        [call] = messages[1].tool_calls
        assert call.args_as_dict() == {"city": "use a tool"}
        assert messages[1].finish_reason == "tool_call"
        assert messages[2].parts[0].tool_call_id == call.tool_call_id
        sent = sandbox.requests[-1].body.decode()
        assert "sunny in use a tool" in sent
        assert "Be brief." in sent


@pytest.mark.parametrize("demand", DEMANDS, ids=repr)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_must_go_back_of_a_turn_goes_back_even_after_it_was_stored(demand, is_streamed):
    from pydantic_ai import ModelMessagesTypeAdapter

    async with asked("openai", demand) as (_, provider):
        helper = agent(provider, tools=[weather])
        if is_streamed:
            async with helper.run_stream("use a tool") as stream:
                await stream.get_output()
            messages = stream.all_messages_json()
        else:
            messages = (await helper.run("use a tool")).all_messages_json()
        stored = ModelMessagesTypeAdapter.validate_json(messages)
        told = await helper.run("And now?", message_history=stored)
        assert told.output == ANSWER.format("And now?")
        for message in stored:
            if message.kind == "response":
                message.provider_details = None
        with pytest.raises(Exception, match="status_code: 400"):
            await helper.run("And now?", message_history=stored)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_thinking_is_told_and_its_signature_goes_back(is_streamed):
    async with asked("anthropic") as (sandbox, provider):
        helper = agent(provider, tools=[weather], model_settings={"thinking": "low"})
        if is_streamed:
            async with helper.run_stream("use a tool") as stream:
                await stream.get_output()
            messages = stream.all_messages()
        else:
            messages = (await helper.run("use a tool")).all_messages()
        thinking, call = messages[1].parts
        assert (thinking.part_kind, call.part_kind) == ("thinking", "tool-call")
        assert thinking.content
        assert messages[1].usage.output_reasoning_tokens > 0
        sent = body(sandbox)["messages"][1]["content"]
        assert [block["type"] for block in sent] == ["thinking", "tool_use"]
        assert sent[0]["signature"]


async def test_settings_are_sent():
    async with asked("openai") as (sandbox, provider):
        await agent(provider).run(
            "Hi",
            model_settings={
                "temperature": 0.2,
                "max_tokens": 7,
                "stop_sequences": ["\n"],
                "seed": 1,
                "top_p": 0.9,
                "thinking": True,
                "extra_body": {"min_p": 0.1},
                "asyncllm_params": {"verbosity": "low"},
            },
        )
        assert {
            "temperature": 0.2,
            "max_tokens": 7,
            "stop": ["\n"],
            "seed": 1,
            "top_p": 0.9,
            "reasoning_effort": "medium",
            "min_p": 0.1,
            "verbosity": "low",
        }.items() <= body(sandbox).items()
        await agent(provider, model="gpt-4o-mini").run("Hi")
        assert body(sandbox)["model"] == "gpt-4o-mini"


async def test_a_setting_that_is_not_sent_warns():
    async with asked("openai") as (_, provider):
        with pytest.warns(UserWarning, match="timeout"):
            await agent(provider).run("Hi", model_settings={"timeout": 3})


def only(name):
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("choice", "is_open", "tools", "sent"),
    [
        (None, True, ["weather", "clock", "final_result"], None),
        (None, False, ["weather", "clock", "final_result"], "required"),
        ("required", True, ["weather", "clock", "final_result"], "required"),
        ("none", False, ["final_result"], only("final_result")),
        (["clock"], True, ["clock"], only("clock")),
        (["clock", "weather"], True, ["weather", "clock"], "required"),
    ],
)
async def test_the_choice_of_tools_is_sent(choice, is_open, tools, sent):
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    from asyncllm.compat._pydantic_ai_request import parameters_of

    params = ModelRequestParameters(
        function_tools=[ToolDefinition(name="weather"), ToolDefinition(name="clock", strict=True)],
        output_tools=[ToolDefinition(name="final_result", description="Say it.", kind="output")],
        allow_text_output=is_open,
        tool_visibility={"weather": "visible", "clock": "visible"},
    )
    asked_for = parameters_of({"tool_choice": choice}, params, {})
    assert [tool["function"]["name"] for tool in asked_for["tools"]] == tools
    assert asked_for.get("tool_choice") == sent


def test_a_choice_of_no_tool_that_there_is_is_refused_and_none_is_said():
    from pydantic_ai import ToolOrOutput, UserError
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    from asyncllm.compat._pydantic_ai_request import parameters_of

    params = ModelRequestParameters(
        function_tools=[ToolDefinition(name="weather")], tool_visibility={"weather": "visible"}
    )
    assert parameters_of({"tool_choice": "none"}, params, {})["tool_choice"] == "none"
    some = parameters_of({"tool_choice": ToolOrOutput(function_tools=["weather"])}, params, {})
    assert "tool_choice" not in some
    assert len(some["tools"]) == 1
    with pytest.raises(UserError, match="clock"):
        parameters_of({"tool_choice": ["clock"]}, params, {})
    assert parameters_of({"tool_choice": "required"}, ModelRequestParameters(), {}) == {}


@pytest.mark.parametrize("wire", [each for each in TOOL_WIRES if each != "ollama"])
async def test_an_output_type_is_had_by_a_tool(wire):
    from pydantic import BaseModel

    class City(BaseModel):
        """Say which."""

        city: str

    async with asked(wire) as (_, provider):
        helper = agent(provider, output_type=City)
        assert (await helper.run("use a tool")).output == City(city="use a tool")
        async with helper.run_stream("use a tool") as stream:
            assert await stream.get_output() == City(city="use a tool")


async def test_a_server_that_can_not_be_made_to_call_a_tool_is_asked_by_its_own_form():
    from pydantic import BaseModel
    from pydantic_ai import ToolOutput, UnexpectedModelBehavior

    class City(BaseModel):
        city: str

    async with asked("ollama") as (sandbox, provider):
        with pytest.raises(UnexpectedModelBehavior):  # the sandbox answers in words
            await agent(provider, output_type=City).run("Hi")
        assert body(sandbox, 0)["format"]["properties"]["city"]["type"] == "string"
        told = await agent(provider, output_type=ToolOutput(City)).run("use a tool")
        assert told.output == City(city="use a tool")
        with pytest.raises(asyncllm.ConfigurationError, match="can't be made to call"):
            await agent(provider, output_type=ToolOutput(City)).run(
                "use a tool", model_settings={"tool_choice": ["final_result"]}
            )


async def test_an_output_type_is_had_by_the_servers_own_form_or_by_instructions():
    from pydantic import BaseModel
    from pydantic_ai import NativeOutput, PromptedOutput, UnexpectedModelBehavior

    class City(BaseModel):
        city: str

    async with asked("openai") as (sandbox, provider):
        with pytest.raises(UnexpectedModelBehavior):  # the sandbox answers in words
            await agent(provider, output_type=NativeOutput(City, strict=True)).run("Hi")
        form = body(sandbox, 0)["response_format"]["json_schema"]
        assert (form["name"], form["strict"]) == ("City", True)
        assert form["schema"]["properties"]["city"]["type"] == "string"
    async with asked("h2o") as (sandbox, provider):
        for kind in (City, PromptedOutput(City)):
            with pytest.raises(UnexpectedModelBehavior):
                await agent(provider, output_type=kind).run("Hi")
        assert any(b"properties" in request.body for request in sandbox.requests)


@pytest.mark.parametrize("wire", ["openai", "anthropic", "gemini", "chatui"])
async def test_images_are_sent(wire):
    from pydantic_ai import BinaryContent

    async with asked(wire) as (sandbox, provider):
        told = await agent(provider).run(
            ["What is it?", BinaryContent(PNG, media_type="image/png")]
        )
        assert told.output.startswith("This is the asyncllm sandbox")
        sent = b"".join(request.body for request in sandbox.requests)
        assert base64.b64encode(PNG) in sent or PNG in sent


async def test_links_files_and_what_a_tool_returns_are_sent():
    from pydantic_ai import BinaryContent, CachePoint, DocumentUrl, ImageUrl, UserError
    from pydantic_ai.messages import TextContent, UploadedFile

    def look(city: str) -> BinaryContent:
        """Look at it."""
        return BinaryContent(PNG, media_type="image/png")

    async with asked("openai") as (sandbox, provider):
        link = ImageUrl("https://x/cat.png", vendor_metadata={"detail": "low"})
        pdf = BinaryContent(b"%PDF-1.7", media_type="application/pdf")
        await agent(provider).run([TextContent("What?"), CachePoint(), link, pdf])
        _, picture, paper = body(sandbox)["messages"][0]["content"]
        assert picture["image_url"] == {"url": "https://x/cat.png", "detail": "low"}
        assert paper["file"]["file_data"].startswith("data:application/pdf;base64,")
        await agent(provider, tools=[look]).run("use a tool")
        assert body(sandbox)["messages"][-1]["content"][1]["type"] == "image_url"
        count = len(sandbox.requests)
        with pytest.raises(asyncllm.ConfigurationError, match="files as bytes"):
            await agent(provider).run([DocumentUrl("https://x/paper.pdf")])
        with pytest.raises(UserError, match="UploadedFile"):
            await agent(provider).run([UploadedFile("f", provider_name="openai")])
        assert len(sandbox.requests) == count


async def test_what_an_answer_took_and_why_it_ended_is_told():
    async with asked("openai", UsageDetails(cost=0.25)) as (_, provider):
        told = await agent(provider).run("Hi", model_settings={"max_tokens": 3})
        response = told.all_messages()[-1]
        assert (told.output, response.finish_reason) == ("This is the", "length")
        assert (response.usage.cache_read_tokens, float(response.usage.cost)) == (1, 0.25)
        assert told.usage.output_tokens == 3
    async with asked("h2o") as (_, provider):
        assert (await agent(provider).run("Hi")).usage.unmeasured_requests == 1


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_refusal_is_one_to_pydantic_ai_and_sources_are_told(is_streamed):
    from pydantic_ai.exceptions import ContentFilterError

    async def ask(provider):
        if not is_streamed:
            return (await agent(provider).run("Hi")).response
        async with agent(provider).run_stream("Hi") as stream:
            await stream.get_output()
        return stream.response

    async with asked("openai", RefusalDeltas()) as (_, provider):
        with pytest.raises(ContentFilterError):
            await ask(provider)
    async with asked("openai", Citations()) as (_, provider):
        response = await ask(provider)
        assert response.provider_details["citations"][0]["url"].startswith("https://")


@pytest.mark.parametrize(
    ("fault", "theirs"),
    [
        (Status(400), "ModelRequestRejectedError"),
        (Status(401), "ModelAuthenticationError"),
        (Status(402), "ModelQuotaExceededError"),
        (Status(404), "ModelNotFoundError"),
        (Status(429, retry_after=7), "ModelRateLimitError"),
        (Status(500), "ModelServerError"),
        (Status(503), "ModelUnavailableError"),
        (Status(529), "ModelOverloadedError"),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_statuses_are_pydantic_ais_errors_and_ours_are_their_causes(
    fault, theirs, is_streamed
):
    from pydantic_ai import ModelHTTPError, exceptions

    async with asked("openai", fault, retry=QUICK) as (_, provider):
        with pytest.raises(getattr(exceptions, theirs)) as caught:
            if is_streamed:
                async with agent(provider).run_stream("Hi"):
                    pass
            else:
                await agent(provider).run("Hi")
        error = caught.value
        assert isinstance(error, ModelHTTPError)
        assert (error.status_code, error.model_name) == (fault.status, "gpt-4o")
        assert error.retry_after == fault.retry_after
        assert isinstance(error.__cause__, asyncllm.HTTPStatusError)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_answer_that_breaks_off_has_what_had_come(is_streamed):
    from pydantic_ai.exceptions import ModelConnectionError

    async with asked("openai", Drop(after=3)) as (_, provider):
        with pytest.raises(ModelConnectionError) as caught:
            if is_streamed:
                async with agent(provider).run_stream("Hi") as stream:
                    [_ async for _ in stream.stream_text()]
            else:
                await agent(provider).run("Hi")
        assert caught.value.__cause__.reply.text == "This is the"
        assert (caught.value.phase, caught.value.in_stream) == ("read", is_streamed)


async def test_a_server_that_is_slow_or_away_is_told_as_such():
    from pydantic_ai.exceptions import ModelConnectionError, ModelTimeoutError

    hasty = {"timeouts": asyncllm.Timeouts(first_token=0.2), "retry": QUICK}
    async with asked("openai", SlowAnswer(seconds=60), **hasty) as (_, provider):
        with pytest.raises(ModelTimeoutError, match="no first token"):
            await agent(provider).run("Hi")
    nobody = OpenAICompatible(base_url="http://127.0.0.1:9/v1", model="m", retry=QUICK)
    with pytest.raises(ModelConnectionError):
        await agent(nobody).run("Hi")


@pytest.mark.parametrize(
    ("error", "theirs", "phase"),
    [
        (asyncllm.TransportError("no"), "ModelConnectionError", None),
        (asyncllm.StreamTimeout("connect", 1), "ModelTimeoutError", "connect"),
        (asyncllm.ProviderError("it failed"), "ModelAPIError", ...),
        (
            asyncllm.ContextLengthError("", "", status=400, message="too long", body="no JSON"),
            "ModelContextWindowExceededError",
            ...,
        ),
        (asyncllm.HTTPStatusError("", "", status=418, message="tea"), "ModelHTTPError", ...),
    ],
)
async def test_every_error_is_one_of_pydantic_ais(error, theirs, phase):
    from pydantic_ai import exceptions

    with pytest.raises(exceptions.ModelAPIError) as caught:
        await agent(Scripted(error)).run("Hi")
    assert type(caught.value).__name__ == theirs
    assert caught.value.__cause__ is error
    assert getattr(caught.value, "phase", ...) == phase


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_images_of_an_answer_are_parts_and_addresses_of_them_are_told(is_streamed):
    from pydantic_ai import Agent, BinaryImage

    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    provider = Scripted(
        asyncllm.Media("image/png", PNG),
        asyncllm.Media("image/png", url="https://x/a.png"),
        "There.",
        asyncllm.Finish("stop"),
    )
    helper = Agent(AsyncLLMModel(provider))
    if is_streamed:
        async with helper.run_stream("Hi") as stream:
            await stream.get_output()
        response = stream.response
    else:
        response = (await helper.run("Hi")).response
    assert [each.data for each in response.images] == [PNG]
    assert isinstance(response.images[0], BinaryImage)
    assert response.provider_details["media_urls"] == ["https://x/a.png"]


async def test_a_file_is_downloaded_where_that_is_wanted():
    from pydantic_ai import DocumentUrl, ImageUrl

    provider = Scripted("ok", asyncllm.Finish("stop"))
    async with Sandbox() as sandbox:
        state = DocumentUrl(f"{sandbox.url}/_sandbox/state", force_download="allow-local")
        paper = DocumentUrl("https://x/paper.pdf")
        await agent(provider).run([state, paper, ImageUrl("https://x/cat.png")])
    _, downloaded, linked, picture = [None, *provider.heard[-1][-1]["content"]]
    assert b"conversations" in downloaded["source"]
    assert (linked["source"], linked["media_type"]) == (paper.url, "application/pdf")
    assert picture["source"] == "https://x/cat.png"


async def test_a_fallback_of_pydantic_ais_gives_way_also_for_a_stream():
    from pydantic_ai import Agent
    from pydantic_ai.models.fallback import FallbackModel

    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    async with Sandbox(faults=[Status(429)]) as busy, Sandbox() as free:
        models = [AsyncLLMModel(on_wire("openai", each.url, retry=QUICK)) for each in (busy, free)]
        helper = Agent(FallbackModel(*models))
        assert (await helper.run("Hi")).output == ANSWER.format("Hi")
        async with helper.run_stream("Hi") as stream:
            assert await stream.get_output() == ANSWER.format("Hi")


async def test_a_provider_made_of_providers_answers_too():
    async with Sandbox(faults=[Status(503)]) as busy, Sandbox() as free:
        provider = Fallback(
            on_wire("openai", busy.url, retry=QUICK), on_wire("anthropic", free.url)
        )
        told = await agent(provider, tools=[weather]).run("use a tool")
        assert told.output == ANSWER.format("use a tool")
        assert told.response.model_name == "claude-opus-5"


async def test_what_a_provider_has_no_place_for_is_refused_before_anything_is_sent():
    async with asked("h2o") as (sandbox, provider):
        with pytest.raises(asyncllm.ConfigurationError, match="tools"):
            await agent(provider, tools=[weather]).run("use a tool")
        assert not sandbox.requests


async def test_an_answer_that_begins_anew_is_an_error_where_text_was_given_out():
    from pydantic_ai.exceptions import ModelConnectionError

    async with asked("chatui", ServerRetry(after=3)) as (_, provider):
        with pytest.raises(ModelConnectionError, match="ask again without streaming"):
            async with agent(provider).run_stream("Hi") as stream:
                await stream.get_output()
        assert (await agent(provider).run("Hi")).output == ANSWER.format("Hi")


def test_models_of_two_providers_differ_and_none_tells_its_key():
    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    first, second = (
        OpenAICompatible(base_url="https://x/v1", api_key="sk-0123456789", model="m")
        for _ in range(2)
    )
    assert AsyncLLMModel(first) == AsyncLLMModel(first) != AsyncLLMModel(second)
    assert "sk-0123456789" not in repr(AsyncLLMModel(first))
    assert AsyncLLMModel(first).model_id == "openaicompatible:m"
    with pytest.raises(asyncllm.ConfigurationError, match="provider must be a provider"):
        AsyncLLMModel("h2o")
    with pytest.raises(asyncllm.ConfigurationError, match="falcon-1b"):
        AsyncLLMModel(asyncllm.H2o(), "falcon-1b")


async def test_a_message_that_is_not_prepared_says_what_to_do():
    from pydantic_ai import UserError
    from pydantic_ai.messages import ModelRequest, RetryFeedbackPart, RetryInfo
    from pydantic_ai.models import ModelRequestParameters

    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    part = RetryFeedbackPart("no", retry=RetryInfo(cause="no_output"))
    message = ModelRequest(parts=[part])
    with pytest.raises(UserError, match="prepare_messages"):
        await AsyncLLMModel(asyncllm.H2o()).request([message], None, ModelRequestParameters())


def test_the_reference_names_every_option():
    from asyncllm.compat.pydantic_ai import AsyncLLMModel

    options = inspect.signature(AsyncLLMModel.__init__).parameters.values()
    told = [each.name if each.default is each.empty else f"{each.name}=None" for each in options]
    assert documented_options("AsyncLLMModel") == told[1:]
