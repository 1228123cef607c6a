"""`Ollama` against the sandbox: turns, models, pulls, addresses and keys."""

import asyncio
import contextlib
import json

import pytest

import asyncllm
from asyncllm import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    Ollama,
    ProviderError,
    PullProgress,
    Retry,
    SessionManager,
    StreamInterrupted,
    Timeouts,
    TransportError,
    image,
    provider,
    run_sync,
)
from asyncllm.sandbox import Drop, ErrorInStream, Sandbox, SlowAnswer, Status, Truncate
from support.tools import ASKED, TOOLS, results_of

ONCE = Retry(attempts=1)


@pytest.fixture
async def sandbox():
    async with Sandbox() as running:
        yield running


def sent(sandbox):
    return json.loads(sandbox.requests[-1].body)


async def test_two_turns_with_thinking_and_two_tools(sandbox):
    llm = Ollama(base_url=sandbox.url, model="qwen3")
    reply = await llm.complete([ASKED], tools=TOOLS)
    assert reply.reasoning
    assert reply.finish_reason == "tool_calls"
    results = results_of(reply.message)
    answer = await llm.complete([ASKED, reply.message, *results], tools=TOOLS)
    assert answer.finish_reason == "stop"
    assert answer.text
    _, said, *told = sent(sandbox)["messages"]
    assert said["thinking"] == reply.reasoning
    calls = [(call["id"], call["function"]["arguments"]) for call in said["tool_calls"]]
    assert calls == [(call.id, call.parsed_arguments) for call in reply.tool_calls]
    assert [each["tool_name"] for each in told] == ["see", "hear"]


async def test_another_provider_s_turn_goes_on_here_and_back(sandbox):
    here = Ollama(base_url=sandbox.url, model="qwen3")
    there = asyncllm.OpenAICompatible(base_url=f"{sandbox.url}/v1", model="gpt-4o")
    for first, then in ((here, there), (there, here)):
        reply = await first.complete([ASKED], tools=TOOLS)
        results = results_of(reply.message)
        assert (await then.complete([ASKED, reply.message, *results], tools=TOOLS)).text
        assert "ollama" not in sent(sandbox)["messages"][1]


async def test_whether_to_think_is_the_caller_s(sandbox):
    llm = Ollama(base_url=sandbox.url, model="qwen3")
    assert (await llm.complete("Hello")).reasoning
    assert not (await llm.complete("Hello", think=False)).reasoning
    assert not (await llm.complete("Hello", reasoning_effort="none")).reasoning
    with pytest.raises(BadRequestError, match="does not support thinking"):
        await llm.complete("Hello", model="llama3.2", think=True)


async def test_images_go_as_base64(sandbox):
    question = {"role": "user", "content": [image(b"\x89PNG\r\n\x1a\n")]}
    await Ollama(base_url=sandbox.url, model="gemma3").complete([question])
    assert sent(sandbox)["messages"][0]["images"] == ["iVBORw0KGgo="]


async def test_what_is_extra_goes_over_the_body(sandbox):
    llm = Ollama(base_url=sandbox.url, model="qwen3")
    reply = await llm.complete("Hello", temperature=0.5, extra={"think": False, "logit_bias": {}})
    assert not reply.reasoning
    body = sent(sandbox)
    assert (body["options"], body["logit_bias"]) == ({"temperature": 0.5}, {})


async def test_a_model_that_is_not_there_is_a_not_found_error(sandbox):
    with pytest.raises(NotFoundError, match="model 'nope' not found"):
        await Ollama(base_url=sandbox.url, model="nope").complete("Hello")


async def test_the_models_are_those_of_the_server(sandbox):
    names = await Ollama(base_url=sandbox.url).list_models()
    assert "llama3.2:latest" in names


# --- pulls --------------------------------------------------------------------------------------


async def pulled(llm, model):
    return [progress async for progress in llm.pull(model)]


@pytest.mark.parametrize("has_sessions", [False, True])
async def test_a_pull_tells_how_far_it_has_come(sandbox, has_sessions):
    async with SessionManager() as sessions:
        llm = Ollama(base_url=sandbox.url, sessions=sessions if has_sessions else None)
        told = await pulled(llm, "llama3.2")
    assert told[0] == PullProgress("pulling manifest")
    assert told[-1] == PullProgress("success")
    assert any(each.total and each.completed == each.total for each in told)
    assert sent(sandbox) == {"model": "llama3.2", "stream": True}


async def test_a_model_that_can_not_be_fetched_is_an_error_behind_what_was_told(sandbox):
    told = []
    with pytest.raises(ProviderError, match="can't fetch the model: pull model manifest"):
        async for progress in Ollama(base_url=sandbox.url).pull("nope", insecure=True):
            told.append(progress)
    assert told == [PullProgress("pulling manifest")]
    assert sent(sandbox)["insecure"] is True


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Truncate(after=2), StreamInterrupted),
        (Drop(after=2), StreamInterrupted),
        (ErrorInStream(after=2), ProviderError),
        (Status(status=401), AuthenticationError),
        (Status(status=400, message="invalid model name"), BadRequestError),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_what_breaks_a_pull_is_one_of_our_errors(sandbox, fault, error):
    sandbox.add_fault(fault)
    with pytest.raises(error) as caught:
        await pulled(Ollama(base_url=sandbox.url, retry=ONCE), "llama3.2")
    assert caught.value.__context__ is None


@pytest.mark.parametrize("model", ["", None, 5])
async def test_a_pull_without_a_model_is_refused_before_any_request(model):
    with pytest.raises(ConfigurationError, match="model"):
        await pulled(Ollama(base_url="http://127.0.0.1:1"), model)


async def test_what_breaks_a_pull_shows_no_key(sandbox):
    key = "sk-canary-0123456789"
    sandbox.add_fault(ErrorInStream(message=f"{key} is no key"))
    with pytest.raises(ProviderError, match=r"\*\*\* is no key"):
        await pulled(Ollama(base_url=sandbox.url, api_key=key), "qwen3")


async def test_a_pull_is_begun_again_where_the_refusal_passes(sandbox):
    sandbox.add_fault(Status(status=503, times=2))
    retry = Retry(attempts=3, initial_wait=0.001, max_wait=0.001)
    assert await pulled(Ollama(base_url=sandbox.url, retry=retry), "llama3.2")
    assert len(sandbox.requests) == 3


async def test_a_pull_that_nobody_answers_is_given_up(sandbox):
    sandbox.add_fault(SlowAnswer(30))
    llm = Ollama(base_url=sandbox.url, timeouts=Timeouts(first_token=0.05))
    with pytest.raises(asyncllm.StreamTimeout):
        await pulled(llm, "llama3.2")


async def test_leaving_a_pull_lets_go_of_the_server():
    async with Sandbox(token_rate=5) as sandbox:
        async with contextlib.aclosing(Ollama(base_url=sandbox.url).pull("qwen3")) as pull:
            assert await anext(pull)
        async with asyncio.timeout(30):
            while sandbox.generating:
                await asyncio.sleep(0.01)


def test_a_pull_goes_in_blocking_code_too():
    async def whole():
        async with Sandbox() as sandbox:
            return await pulled(Ollama(base_url=sandbox.url), "qwen3")

    assert run_sync(whole())[-1].status == "success"


# --- where, and with which key ------------------------------------------------------------------


def test_the_name_means_the_native_wire(monkeypatch):
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert type(provider("ollama")) is Ollama
    assert Ollama().base_url == "http://localhost:11434"
    assert provider("ollama-openai").base_url == "http://localhost:11434/v1"


def test_a_variable_of_ours_comes_before_ollama_s(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "gpu")
    monkeypatch.setenv("ASYNCLLM_OLLAMA_BASE_URL", "http://ours:1")
    assert Ollama().base_url == "http://ours:1"
    monkeypatch.setenv("ASYNCLLM_OLLAMA_OPENAI_BASE_URL", "http://theirs:1/v1")
    assert provider("ollama-openai").base_url == "http://theirs:1/v1"


@pytest.mark.parametrize("end", ["/v1", "/v1/chat/completions", "/api", "/api/chat"])
def test_the_base_url_of_another_endpoint_is_refused(end):
    with pytest.raises(ConfigurationError, match="write base_url='http://gpu:11434', or use prov"):
        Ollama(base_url=f"http://gpu:11434{end}")


async def test_the_cloud_s_key_is_sent_as_a_bearer_token(sandbox, monkeypatch):
    monkeypatch.setenv("OLLAMA_API_KEY", "sk-canary-0123456789")
    await Ollama(base_url=sandbox.url, model="qwen3").complete("Hello")
    assert sandbox.requests[-1].headers["authorization"] == "Bearer sk-canary-0123456789"


async def test_no_server_is_a_transport_error():
    async with Sandbox() as sandbox:
        url = sandbox.url
    with pytest.raises(TransportError):
        await pulled(Ollama(base_url=url, retry=ONCE), "x")


def test_models_may_take_their_time_unless_somebody_says_otherwise():
    limits = Ollama.default_timeouts
    assert limits.first_token > Timeouts().first_token
    assert limits.stall > Timeouts().stall
