"""`Cohere` against the sandbox: turns, citations, models, addresses and keys."""

import json

import pytest

from asyncllm import (
    AuthenticationError,
    BadRequestError,
    Cohere,
    ConfigurationError,
    NotFoundError,
    OpenAICompatible,
    image,
    provider,
)
from asyncllm.sandbox import Sandbox
from support.tools import ASKED, TOOLS, results_of

PLANS, REASONS = "command-a-03-2025", "command-a-reasoning-08-2025"


@pytest.fixture
async def sandbox():
    async with Sandbox() as running:
        yield running


def sent(sandbox):
    return json.loads(sandbox.requests[-1].body)


@pytest.mark.parametrize("model", [PLANS, REASONS])
async def test_two_turns_with_thinking_and_two_tools(sandbox, model):
    llm = Cohere(base_url=sandbox.url, model=model)
    reply = await llm.complete([ASKED], tools=TOOLS)
    assert reply.reasoning
    assert reply.finish_reason == "tool_calls"
    answer = await llm.complete([ASKED, reply.message, *results_of(reply.message)], tools=TOOLS)
    assert answer.finish_reason == "stop"
    assert answer.text
    _, said, *_ = sent(sandbox)["messages"]
    if model == REASONS:
        assert said["content"] == [{"type": "thinking", "thinking": reply.reasoning}]
    else:
        assert said["tool_plan"] == reply.reasoning
    assert [call["id"] for call in said["tool_calls"]] == [call.id for call in reply.tool_calls]


async def test_each_call_wants_its_result(sandbox):
    llm = Cohere(base_url=sandbox.url, model=PLANS)
    reply = await llm.complete([ASKED], tools=TOOLS)
    first, second = results_of(reply.message)
    with pytest.raises(BadRequestError, match=second["tool_call_id"]):
        await llm.complete([ASKED, reply.message, first], tools=TOOLS)


async def test_another_provider_s_turn_goes_on_here_and_back(sandbox):
    here = Cohere(base_url=sandbox.url, model=REASONS)
    there = OpenAICompatible(base_url=f"{sandbox.url}/v1", model="gpt-4o")
    for first, then in ((here, there), (there, here)):
        reply = await first.complete([ASKED], tools=TOOLS)
        assert (
            await then.complete([ASKED, reply.message, *results_of(reply.message)], tools=TOOLS)
        ).text
        assert "cohere" not in sent(sandbox)["messages"][1]


async def test_documents_are_cited(sandbox):
    documents = [{"id": "d", "data": {"url": "https://example.org", "title": "T", "text": "t"}}]
    llm = Cohere(base_url=sandbox.url, model=PLANS)
    reply = await llm.complete("Hello", documents=documents)
    (citation,) = reply.citations
    assert (citation.url, citation.title, citation.text) == ("https://example.org", "T", "t")
    assert reply.text[citation.start : citation.end] == "This"
    again = [{"role": "user", "content": "Hello"}, reply.message, ASKED]
    assert (await llm.complete(again)).text
    assert sent(sandbox)["messages"][1]["citations"][0]["sources"]


async def test_all_that_is_translated_is_known_to_the_server(sandbox):
    llm = Cohere(base_url=sandbox.url, model=PLANS)
    reply = await llm.complete(
        [{"role": "user", "content": [image("https://example.org/a.png")]}],
        temperature=0.1, top_p=0.5, top_k=3, max_tokens=3, max_completion_tokens=4, stop="x",
        seed=1, presence_penalty=0.1, logprobs=True, reasoning_effort="none", tool_choice="none",
        tools=TOOLS, response_format={"type": "json_object"},
    )  # fmt: skip
    assert reply.finish_reason == "length"
    assert [each.token for each in reply.logprobs] == ["This", " is", " the", " asyncllm"]
    with pytest.raises(BadRequestError, match="'logit_bias' is not a valid field"):
        await llm.complete("Hello", extra={"logit_bias": {}})


async def test_a_model_that_is_not_there_is_a_not_found_error(sandbox):
    with pytest.raises(NotFoundError, match="model 'nope' not found"):
        await Cohere(base_url=sandbox.url, model="nope").complete("Hello")


async def test_a_long_list_of_models_is_read_page_by_page(sandbox):
    names = await Cohere(base_url=sandbox.url).list_models()
    assert {PLANS, REASONS} < {*names}
    assert len(sandbox.requests) == 2


async def test_a_wrong_key_is_an_authentication_error():
    async with Sandbox(api_key="right") as sandbox:
        with pytest.raises(AuthenticationError, match="invalid api token"):
            await Cohere(base_url=sandbox.url, model=PLANS, api_key="wrong").complete("Hello")
        assert await Cohere(base_url=sandbox.url, model=PLANS, api_key="right").complete("Hello")


# --- where, and with which key ------------------------------------------------------------------


def test_the_name_means_the_native_wire():
    assert type(provider("cohere")) is Cohere
    assert provider("cohere-openai").base_url == "https://api.cohere.ai/compatibility/v1"


@pytest.mark.parametrize("variable", ["CO_API_KEY", "COHERE_API_KEY", "ASYNCLLM_COHERE_API_KEY"])
def test_the_key_comes_from_its_customary_variables(variable, monkeypatch):
    monkeypatch.setenv(variable, "sk-canary")
    assert Cohere()._headers["Authorization"] == "Bearer sk-canary"


def test_the_address_comes_from_its_customary_variable(monkeypatch):
    monkeypatch.setenv("CO_API_URL", "https://gateway.example")
    assert Cohere().base_url == "https://gateway.example"


@pytest.mark.parametrize("end", ["/v1", "/v2", "/v2/chat", "/compatibility/v1"])
def test_the_base_url_of_another_endpoint_is_refused(end):
    with pytest.raises(ConfigurationError, match='or use provider."cohere-openai".'):
        Cohere(base_url=f"https://api.cohere.ai{end}")


def test_what_is_missing_is_asked_for():
    with pytest.raises(ConfigurationError, match="set CO_API_KEY or COHERE_API_KEY"):
        Cohere(model="m").stream("x")
    with pytest.raises(ConfigurationError, match="cohere needs a model"):
        Cohere(api_key="k").stream("x")
